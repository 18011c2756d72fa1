// Name resolution: a parsed statement and a snapshot -> Analysis. The rules are PostgreSQL's
// (manual sections 7.2 and 10, parser/parse_relation.c and parse_clause.c for the order in which
// names are looked up). Views are expanded from their definition, for analysis only.
// Thread-safe, pure.
#pragma once
#include "route/analysis.h"
#include "route/session_facts.h"
#include "sql/ast.h"

namespace shoal::route {

// Binds SELECT, INSERT, UPDATE, DELETE and MERGE. Never fails: what PostgreSQL would reject is in
// Analysis::error, what must not run at all in Analysis::refusal. The statement must outlive the
// result.
Analysis bind(const sql::Statement& statement, const catalog::Snapshot& snapshot,
              const SessionFacts& session);

// Binds one query (the body of a COPY, or a tree that the planner made).
Analysis bind_query(const sql::Select& query, const catalog::Snapshot& snapshot,
                    const SessionFacts& session);

// Whether the name of an existing relation means one in the session's own temporary schema.
bool is_own_temporary(const sql::RangeVar& name, const catalog::Snapshot& snapshot,
                      const SessionFacts& session);

}  // namespace shoal::route
