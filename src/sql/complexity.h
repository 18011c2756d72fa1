// What a text may cost the parser, estimated from its tokens before the parser sees it; private to
// this room. The parser library and the decoding of its tree recurse without a limit, so a text
// that nests deeply would overflow the stack of the process: this estimate is an upper bound of
// the nesting of whatever tree the text can have. It errs upwards only.
// Thread rule: pure.
#pragma once
#include <cstddef>
#include <string_view>

namespace shoal::sql {

struct Complexity {
  // Levels of parentheses, CASE, set operations, joins and operators on the longest path.
  std::size_t depth = 0;
  // Bytes, counted once per copy that the parser makes: SET (a, b) = source copies the source for
  // each column, and nested ones multiply.
  double copied_bytes = 0;
};

// Stops early, with a depth above `depth_limit`, once that is certain.
Complexity estimate_complexity(std::string_view text, std::size_t depth_limit);

}  // namespace shoal::sql
