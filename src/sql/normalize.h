// Text -> cache key: the text with its constants replaced, and the constants. One pass of a small
// scanner (PostgreSQL's lexical rules, manual section 4.1), no parsing. Two texts with equal keys
// have the same tree except for the values of those constants: every literal is the Const of that
// location (and of that text; with a '-' before it where the parser folded a sign into it). Kept in
// the key, because they shape the tree or its types: the numbers of type modifiers (varchar(10),
// numeric(10,2), float(24), int[3], CURRENT_TIMESTAMP(3)), 2147483648 and 9223372036854775808
// (whose type depends on a sign), E'', b'' and x'' strings, $n. What a constant means for the plan
// (LIMIT, ORDER BY 2, interval '1 day') is for the plan cache to decide. Thread-safe, pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shoal::sql {

struct Literal {
  enum class Kind { kInteger, kNumeric, kString } kind;
  std::string_view text;  // as written, quotes and escapes included; points into the input
  int position;           // byte offset in the input: equals Expr::location of the Const
};

struct Normalized {
  // Constants replaced by ?i (int4) ?l (int8) ?n (numeric) ?s, comments dropped, space folded, a
  // trailing semicolon dropped; an operator's ? is written ??. Letters keep their case.
  std::string key;
  std::vector<Literal> literals;  // in order
  std::string_view hint;          // inside of a leading or trailing /* shoal: ... */ comment; of
                                  // two the first, and then not cacheable (find_hint reads it)
  bool multiple = false;          // a semicolon separates statements: do not cache
  bool cacheable = true;  // false: odd lexical shapes (U&'', N'', dollar quotes, continued or
                          // unterminated strings...), and what is no query
};

// Reuses `out`'s storage. Never fails: what it does not understand is not cacheable.
void normalize(std::string_view text, bool standard_strings, Normalized& out);

// What a comment asks for: /* shoal: key=42 */ or /* shoal: shard='s1' */. Values are bare words or
// stand in single quotes ('' for one quote).
struct Hint {
  std::optional<std::string> key, shard;
};

// The hint of a text, wherever in it the comment stands; nothing where there is none. SH0303 for
// one that is not understood and for a second one: what is asked for must not be overlooked.
Result<std::optional<Hint>> find_hint(std::string_view text, bool standard_strings);

// The value of a kString literal written in the plain form (quotes removed, '' folded).
std::string string_value(std::string_view written);

}  // namespace shoal::sql
