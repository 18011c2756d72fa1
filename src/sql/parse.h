// Text -> Statement. The only room that knows the parser library (libpg_query, grammar of
// PostgreSQL 15). Thread-safe: no shared state; deep texts need a deep stack (see io/core.h, whose
// threads have one), depth is bounded by `depth` all the same.
#pragma once
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ast.h"

namespace shoal::sql {

struct ParseLimits {
  std::size_t bytes = 4u << 20;  // longer: SH0601
  int depth = 1500;              // nesting of the tree: SH0602 (SQLSTATE 54001)
};

// Parses one or more statements separated by semicolons; an empty text gives an empty vector.
// Errors: 42601 with position as PostgreSQL reports it; SH0601, SH0602.
// A text that this grammar does not know but a newer server might is reported as 42601 too: the
// caller decides whether one shard may judge it.
// `standard_strings` is the session's standard_conforming_strings; off is refused for texts that
// contain a backslash inside a plain string.
Result<std::vector<Statement>> parse(std::string_view text, const ParseLimits& limits,
                                     bool standard_strings = true);

// One expression tree copied (owned by the caller); likewise queries and items.
ExprPtr clone(const Expr& e);
SelectPtr clone(const Select& s);
FromPtr clone(const FromItem& f);

}  // namespace shoal::sql
