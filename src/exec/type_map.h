// Maps between the oids of home and those of another shard, made from home's snapshot and one query
// on that shard: types by schema and name (arrays by their element), relations by schema and name.
// One map serves all connections of a core to that shard until home's types or relations change.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/connection.h"
#include "catalog/snapshot.h"

namespace shoal::exec {

class TypeMaps {
 public:
  // Gives the connection its map. Nothing but simple queries of the router may be pending.
  io::Task<Result<>> teach(backend::Connection& c, catalog::SnapshotPtr snapshot,
                           std::size_t longest_row);
  // The same inside a transaction with DDL, whose own snapshot this is: nobody shares the map.
  io::Task<Result<>> teach_alone(backend::Connection& c, catalog::SnapshotPtr derived,
                                 std::size_t longest_row);

 private:
  struct Known {
    std::shared_ptr<const wire::OidMap> map;  // null: all numbers are equal
    std::uint64_t fingerprint = 0;
    std::string where;  // an address that changed may mean another server
    bool loaded = false, loading = false;
    io::Event changed;
  };
  struct Loading;
  std::uint64_t fingerprint_of(const catalog::Snapshot& snapshot);

  std::map<ShardId, Known> known_;
  Epoch epoch_;  // of the fingerprint
  std::uint64_t fingerprint_ = 0;
};

// The map that a shard's rows give (columns as in the query of type_map.cc); null if all is equal.
Result<std::shared_ptr<const wire::OidMap>> make_type_map(const catalog::Snapshot& snapshot,
                                                          const backend::TextRows& rows);

}  // namespace shoal::exec
