// The words of a piece of code that is not parsed: the body of a function. For judging what it can
// name at all, whatever its grammar.
// Thread-safe, pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::sql {

struct CodeWord {
  enum class Kind : std::uint8_t {
    kWord,      // keyword or identifier, folded to lower case
    kQuoted,    // "identifier", without its quotes
    kOperator,  // a whole run of operator characters
    kPunct,
    kOther,  // constants and parameters, as they are written
    kOdd     // what the scanner does not understand
  } kind = Kind::kOther;
  std::string text;
  bool call = false;    // an opening parenthesis follows
  bool dotted = false;  // a dot stands before it
  bool name() const { return kind == Kind::kWord || kind == Kind::kQuoted; }
};

std::vector<CodeWord> words_of(std::string_view code);

// What the first string constant of a text holds ($$...$$ or '...'): the body of a DO statement.
std::string first_string(std::string_view text);

}  // namespace shoal::sql
