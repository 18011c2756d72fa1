// Text -> Statement. The only room that knows the parser library (libpg_query, grammar of
// PostgreSQL 15). Thread-safe: no shared state (the library keeps its memory per thread).
// The library and the decoding of its tree recurse without a limit. parse() therefore estimates
// the nesting from the tokens first and refuses before the library sees the text. What passes was
// measured to need up to 4.9 KB of stack per level of `depth`; callers reserve kParseStackPerLevel:
// 1500 levels fit a stack of 16 MB, and kParseStackBytes carries 25,000.
#pragma once
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ast.h"

namespace shoal::sql {

inline constexpr std::size_t kParseStackPerLevel = 10u << 10;
inline constexpr std::size_t kParseStackBytes = 256u << 20;
// Bounds of the work that a text can cause, whatever its depth: SH0602.
inline constexpr double kParseCopiedBytes = 16e6;        // SET (a, b) = source copies the source
inline constexpr double kParseWork = 400e6;              // bytes x depth
inline constexpr std::size_t kParseRunCost = 50u << 20;  // see operator_run_cost() in lexer.h

struct ParseLimits {
  std::size_t bytes = 4u << 20;  // longer: SH0601
  int depth = 1500;              // nesting of the tree: SH0602 (SQLSTATE 54001)
};

// Parses one or more statements separated by semicolons; an empty text gives an empty vector.
// Locations (Expr, RangeVar) are byte offsets into the whole `text`, also of the second and later
// statements; Statement::offset says where a statement's own text begins in it.
// Errors: 42601 (and what else PostgreSQL's grammar raises: 0A000, 22023, 22021) with position as
// PostgreSQL reports it, in characters from 1; 42P02 for $0 and beyond $65535; SH0601, SH0602.
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
std::unique_ptr<Insert> clone(const Insert& s);
std::unique_ptr<Update> clone(const Update& s);
std::unique_ptr<Delete> clone(const Delete& s);
std::unique_ptr<Merge> clone(const Merge& s);

}  // namespace shoal::sql
