// What an application needs to choose shards itself: the shards and keyspaces of a cluster's
// catalog, read over libpq, and a follower that reads them again when the epoch has moved.
//
// A map is a picture of one moment. An application that connects to shards directly must not keep
// it over a move of slots: it asks the follower before each unit of work, and slots that move while
// a unit of work runs are the router's business, not this library's.
//
// Thread rule: ClusterMap is const and may be shared; a Follower belongs to one thread at a time.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "keys/slot_map.h"

struct pg_conn;  // libpq's PGconn

namespace shoal::client {

struct ShardAddress {
  ShardId id;
  std::string name, host, port, dbname;
  bool home = false;
};

struct KeyspaceMap {
  std::string name, function, params;
  std::vector<keys::KeyType> types;
  keys::Placement placement;
};

class ClusterMap {
 public:
  Epoch epoch;
  std::string name;
  std::vector<ShardAddress> shards;  // active ones, by name
  std::vector<KeyspaceMap> keyspaces;

  const ShardAddress* shard(ShardId id) const;
  const KeyspaceMap* keyspace(std::string_view name) const;
  // The shard of a key given as texts, one for each column of the key, read as PostgreSQL would.
  Result<const ShardAddress*> where(std::string_view keyspace,
                                    std::span<const std::string_view> key) const;
  Result<const ShardAddress*> where(std::string_view keyspace, std::string_view key) const {
    return where(keyspace, std::span(&key, 1));
  }
};

// Reads the catalog (schema shoal of home's database, or through a router) in one transaction of
// its own. The connection stays the caller's and must not be in a transaction.
Result<std::shared_ptr<const ClusterMap>> read_cluster_map(pg_conn* connection);

class Follower {
 public:
  // The connection string stays with the follower; it connects when first asked, and again after
  // the connection was lost.
  explicit Follower(std::string dsn);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // The newest map: one small query when the epoch is the same. If the catalog can't be reached
  // and there was a map before, that is returned until `patience` has passed since it was last
  // confirmed; after that, and without an earlier map, the error (08006).
  Result<std::shared_ptr<const ClusterMap>> current(
      std::chrono::steady_clock::duration patience = std::chrono::seconds(10));

 private:
  Result<> refresh();
  std::string dsn_;
  pg_conn* connection_ = nullptr;
  std::shared_ptr<const ClusterMap> map_;
  std::chrono::steady_clock::time_point confirmed_;
};

}  // namespace shoal::client
