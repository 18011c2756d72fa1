// Making a database a shard: everything that each shard has is created there, and reference tables
// are filled, before the shard becomes visible. What it needs and what it will cost is said first.
// Thread rule: blocks; a control thread.
#pragma once
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/snapshot.h"
#include "control/pq.h"

namespace shoal::control {

struct NewShard {
  std::string name,
      dsn;  // the DSN may leave out user and password: those of the catalog's are taken
  ShardId id;
};

// SQL for the catalog that makes the shard visible.
struct PreparedShard {
  std::string catalog_sql;
};

// In one transaction on the new shard. Repeating it after the cluster's own transaction failed
// starts anew: what an earlier attempt created is dropped first. `snapshot` must be the committed
// one, and schema changes and reference writes must be held (store.h).
Result<PreparedShard> prepare_new_shard(const NewShard& shard, const std::string& catalog_dsn,
                                        const std::string& secret,
                                        const catalog::Snapshot& snapshot);

// Roles, schemas, extensions, types, functions and views without tables that home has and the shard
// has not. What needs an object of home only stays there. In the caller's transactions.
Result<> copy_schema(Pq& home, Pq& shard);

}  // namespace shoal::control
