// What a statement about one key may contain, and what must stand in front of its conditions;
// private to this room. scope.cc filters relations, scope_checks.cc says what cannot be filtered.
// Thread-safe, pure.
#pragma once
#include <optional>
#include <string>

#include "route/analysis.h"
#include "route/constants.h"
#include "route/session_facts.h"
#include "sql/ast.h"

namespace shoal::plan {

// Writes the scope's key (session.scope_key) into the statement, for each sharded relation; false
// when there is nothing to filter and the text stays. SELECT, INSERT, UPDATE and DELETE.
Result<bool> filter_by_scope(sql::Statement& s, const catalog::Snapshot& snapshot,
                             const route::SessionFacts& session, route::ConstantReader& reader);

// Why the statement may show, count or change what other keys have, although each of its sharded
// relations is filtered: functions that run texts or read statistics, catalogs that hold values or
// counts of all rows, writes of shared rows that reach others by foreign keys.
std::optional<Error> beyond_scope(const sql::Statement& s, const route::Analysis& a,
                                  const catalog::Snapshot& snapshot,
                                  const route::SessionFacts& session);

// Whether some condition may raise an error, or run code, as cheaply as the key is compared:
// PostgreSQL evaluates the cheapest condition first and would apply it to rows of other keys.
bool conditions_may_tell(const sql::Statement& s, const catalog::Snapshot& snapshot,
                         const route::SessionFacts& session);

// Puts the scope's key in the place of current_setting('shoal.key'), which servers do not know.
// False: there was none.
bool answer_current_setting(sql::Statement& s, const std::string& key);

}  // namespace shoal::plan
