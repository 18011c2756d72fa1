// What all sessions of one core share: its pool, its view of the catalog, its limits.
// Thread rule: one core; app/ changes it by messages posted to that core.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "backend/pool.h"
#include "catalog/snapshot.h"
#include "exec/type_map.h"
#include "io/core.h"
#include "obs/key_load.h"

namespace shoal::exec {

// What PostgreSQL's Describe says of a statement: exact names and types, of home.
struct Description {
  std::vector<std::uint32_t> param_types;
  bool returns_rows = false;
  std::string row_description;  // the whole 'T' frame, all formats text; empty without rows
  std::vector<std::uint32_t> column_types;
};
using DescriptionPtr = std::shared_ptr<const Description>;

struct Counters {
  std::uint64_t transactions = 0, queries = 0, bytes_in = 0, bytes_out = 0;
  std::uint64_t query_us = 0, transaction_us = 0, wait_us = 0;
  std::uint64_t one_shard = 0, many_shards = 0, gathered = 0, refused = 0;
};

struct CoreContext {
  CoreContext(io::Core& c, std::size_t pool_share, const Limits& l)
      : core(c), pool(pool_share, l), limits(l) {}

  io::Core& core;
  backend::Pool pool;
  Limits limits;
  catalog::SnapshotPtr snapshot;  // never null while clients are served
  std::string router;             // this router's id in gids
  std::shared_ptr<io::TlsContext> server_tls;
  bool server_tls_required = false;
  std::uint64_t next_transaction = 1;
  // The SQL about decision rows of two-phase commit, by their key (txn/gid.h), from whoever owns
  // that table and its tickets. Without `decide` no transaction can write on two shards.
  struct DecisionSql {
    std::function<std::string(std::string_view key)> decide;  // in the last agent's transaction
    std::function<std::string(std::string_view key)> settle;  // gives "commit" or "abort"
  };
  DecisionSql decision_sql;
  Counters counters;
  obs::KeyLoad load;  // which keys statements are about (count_key.h)

  // Tables whose placement is being changed: new statements on them wait for `changed`.
  std::set<Oid> held;
  std::unordered_map<Oid, int> in_flight;  // statements that run now, by table
  io::Event changed;                       // snapshot or held changed
  std::function<void()> on_drained;        // called when in_flight fell while something is held

  // Descriptions by text, parameter types and search path; emptied when the epoch changes.
  std::unordered_map<std::string, DescriptionPtr> descriptions;

  TypeMaps type_maps;

  backend::Endpoint endpoint(const catalog::Snapshot& snapshot, ShardId shard) const;
};

}  // namespace shoal::exec
