// What stands in the way of a table's new placement: constraints, triggers, rules and policies that
// only hold where all rows are in one place. Read from home's pg_catalog, judged here.
// Thread rule: pure functions.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "backend/runner.h"
#include "base/ids.h"
#include "base/result.h"
#include "catalog/snapshot.h"

namespace shoal::control {

struct Obstacle {
  enum class Kind {
    kUnique,  // unique or exclusion index; columns = those compared by equality ("" = expression)
    kForeignKey,  // of the table; columns -> other_columns of `other`
    kReferenced,  // a foreign key of `other` (other_columns) to the table (columns)
    kTrigger,     // not declared local
    kRule,
    kPolicy,  // reads another relation
    kInheritance,
    kMaterializedView,
  } kind;
  Oid table;
  std::string name;
  std::vector<std::string> columns, other_columns;
  Oid other;
};

// For the tables and all their partitions.
std::string obstacles_query(std::span<const Oid> tables);
Result<std::vector<Obstacle>> read_obstacles(const backend::TextRows& rows);

// A table that becomes sharded together with others in one call.
struct PlannedTable {
  Oid table;
  std::vector<std::string> key_columns;
};

// The first obstacle to sharding `planned.table` that cannot be lived with, as the refusal of its
// number; `also` = all tables of the same call (by table), `keyspace` = theirs.
Result<> judge_sharded(const PlannedTable& planned, const std::map<Oid, PlannedTable>& also,
                       KeyspaceId keyspace, const std::vector<Obstacle>& obstacles,
                       const std::vector<std::string>& local_constraints,
                       const catalog::Snapshot& snapshot);
Result<> judge_reference(Oid table, const std::vector<Obstacle>& obstacles,
                         const catalog::Snapshot& snapshot);
Result<> judge_single(Oid table, const std::vector<Obstacle>& obstacles,
                      const catalog::Snapshot& snapshot);

// Single tables that reference the planned one by its whole key: they follow it, sharded by the
// referencing columns.
std::vector<PlannedTable> followers(const PlannedTable& planned,
                                    const std::vector<Obstacle>& obstacles,
                                    const catalog::Snapshot& snapshot);

}  // namespace shoal::control
