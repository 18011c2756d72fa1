// Which conditions of a statement may already be applied where a base relation's rows come from.
// Thread-safe, pure.
#pragma once
#include "route/analysis.h"
#include "route/session_facts.h"

namespace shoal::plan {

// The conjuncts that every row of this relation must meet to matter to its block, and that need
// nothing but its own columns: immutable, without subqueries. Empty when there are none.
sql::ExprPtr pull_conditions(const route::Analysis& a, int relation,
                             const catalog::Snapshot& snapshot, const route::SessionFacts& session);

// Whether an expression has the same value wherever and whenever it is evaluated.
bool immutable(const sql::Expr& e, const catalog::Snapshot& snapshot,
               const route::SessionFacts& session);

}  // namespace shoal::plan
