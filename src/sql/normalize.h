// Text -> cache key: the text with its constants replaced, and the constants. One pass of a small
// scanner (PostgreSQL's lexical rules, manual section 4.1), no parsing. Two texts with equal keys
// have the same tree except for the values of those constants. Thread-safe, pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace shoal::sql {

struct Literal {
  enum class Kind { kInteger, kNumeric, kString } kind;
  std::string_view text;  // as written, quotes and escapes included; points into the input
  int position;           // byte offset in the input: equals Expr::location of the Const
};

struct Normalized {
  std::string key;                // constants replaced by ?i ?n ?s, comments dropped, space folded
  std::vector<Literal> literals;  // in order
  std::string_view hint;          // inside of a leading or trailing /* shoal: ... */ comment
  bool multiple = false;          // a semicolon separates statements: do not cache
  bool cacheable = true;          // false: odd lexical shapes (U&'', dollar quotes, unterminated...)
};

// Reuses `out`'s storage. Never fails: what it does not understand is not cacheable.
void normalize(std::string_view text, bool standard_strings, Normalized& out);

// The value of a kString literal written in the plain form (quotes removed, '' folded).
std::string string_value(std::string_view written);

}  // namespace shoal::sql
