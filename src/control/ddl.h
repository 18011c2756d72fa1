// Where a schema change must run, decided from the statement's facts and the snapshot. Pure.
//
// Rules: single tables and what is about them are on home only; sharded and reference tables and
// what is about them, types, functions, schemas and extensions are on every shard; roles and
// databases once per server. A view is everywhere when all relations below it are, otherwise on
// home. Thread rule: pure function.
#pragma once
#include <string>
#include <vector>

#include "catalog/snapshot.h"
#include "sql/ast.h"

namespace shoal::control {

struct DdlPlan {
  struct Step {
    std::vector<ShardId> shards;  // in the order in which to run
    std::string sql;              // empty: the client's own text
  };
  // Run in this order. The client's answer (tag, notices, errors) is that of the client's own text
  // on home.
  std::vector<Step> steps;
  // To write with Commands::write_catalog after the steps.
  std::vector<std::string> catalog_sql;
  // To call with Commands::call after the steps (a rule of shoal.table_rules says so).
  struct Follow {
    std::string function;
    std::vector<std::string> arguments;
  };
  std::vector<Follow> follow;
  bool changes_schema = true;  // Change::schema_changed
  bool transactional = true;   // false: CONCURRENTLY and its like: one shard after the other,
                               // outside a transaction block
};

// Refused: SH0201 (unique without the key), SH0202 (foreign key), SH0203 (not on all shards),
// SH0205 (trigger, rule or policy that may reach other tables), SH0101 (dropping a key column).
Result<DdlPlan> plan_ddl(const sql::Statement& statement, const catalog::Snapshot& snapshot,
                         const std::vector<std::string>& search_path);

// REFRESH, REINDEX, CLUSTER and their like are the planner's (sql::Maintenance).

}  // namespace shoal::control
