// Statement -> text. Every identifier is quoted and every operator expression parenthesised, so
// that no keyword list and no precedence table can be wrong. `deparse_checked` parses the result
// again and compares the trees (locations aside): a difference is an Error, never a wrong text.
// Thread-safe, pure.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/ast.h"

namespace shoal::sql {

std::string quote_identifier(std::string_view name);  // always with double quotes
std::string quote_literal(std::string_view text);     // '...' or E'...' when it holds a backslash

std::string deparse(const Expr& e);
std::string deparse(const Select& s);
std::string deparse(const Insert& s);
std::string deparse(const Update& s);
std::string deparse(const Delete& s);
std::string deparse(const Merge& s);

// " WITH (...)" with the options of COPY as given, HEADER only if `header`; empty without options.
std::string copy_options(const Copy& copy, bool header);

// The check parses with four times the default depth (parentheses add levels), so a tree near the
// default limit needs the stack that parse.h states for 6000 levels.
// Errors: XX000 when the text does not parse back to the same tree; SH0002 when the tree is Opaque.
Result<std::string> deparse_checked(const Select& s);
Result<std::string> deparse_checked(const Insert& s);
Result<std::string> deparse_checked(const Update& s);
Result<std::string> deparse_checked(const Delete& s);
Result<std::string> deparse_checked(const Merge& s);

// Structural equality. Ignored: locations, Call::sql_syntax, and the nesting of AND in the first
// argument of AND (likewise OR), which the parser flattens.
bool same(const Expr& a, const Expr& b);
bool same(const Select& a, const Select& b);
bool same(const Insert& a, const Insert& b);
bool same(const Update& a, const Update& b);
bool same(const Delete& a, const Delete& b);
bool same(const Merge& a, const Merge& b);

// The column name that PostgreSQL gives a target without AS (parse_target.c, FigureColname):
// "?column?" where it has none, empty where only the catalog could tell (`*`, or a scalar subquery
// whose first column is one). Deparsing keeps these names, but code that rewrites a target into
// something else must put AS output_name(target) there. PostgreSQL 15 and later name TRUE and FALSE
// "?column?"; 13 and 14 "bool".
std::string output_name(const Target& target);

}  // namespace shoal::sql
