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

// Errors: XX000 when the text does not parse back to the same tree; SH0002 when the tree is Opaque.
Result<std::string> deparse_checked(const Select& s);
Result<std::string> deparse_checked(const Insert& s);
Result<std::string> deparse_checked(const Update& s);
Result<std::string> deparse_checked(const Delete& s);

// Structural equality, locations ignored.
bool same(const Expr& a, const Expr& b);
bool same(const Select& a, const Select& b);

}  // namespace shoal::sql
