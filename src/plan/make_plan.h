// Statement + parameters + snapshot + session facts -> Plan. Pure: same input, same output.
// Thread-safe: no state.
#pragma once
#include <span>

#include "catalog/snapshot.h"
#include "plan/plan.h"
#include "route/session_facts.h"
#include "sql/ast.h"

namespace shoal::plan {

// On how many shards the plan reads or writes rows; 1 where each row brings its own key, and for
// the copies of a reference table.
std::size_t shard_count(const Plan& plan);

struct PlanInput {
  const sql::Statement& statement;
  const catalog::Snapshot& snapshot;
  const route::SessionFacts& session;
  std::span<const route::Parameter> params;  // as bound; shorter than max_param: Describe only
  std::uint64_t unique = 0;                  // makes temp table names of one session distinct
};

// Plans SELECT, INSERT, UPDATE, DELETE, MERGE, COPY, TRUNCATE, LOCK TABLE, VACUUM-like and CALL/DO.
// Transaction control, SET/SHOW, PREPARE/EXECUTE, DDL and shoal.* calls are the session's own;
// given one of them this returns SH0002. A refusal is a Plan whose node is the Error.
Plan make_plan(const PlanInput& input);

// The lines that EXPLAIN (ROUTE) and `shoal route` print: route, reason, shards, per-shard SQL,
// merge recipe, property of each block.
std::vector<std::string> explain_route(const Plan& plan, const catalog::Snapshot& snapshot);

}  // namespace shoal::plan
