// PostgreSQL's lexical rules (manual section 4.1, src/backend/parser/scan.l of release 15) as a
// small scanner over a string_view; private to this room. It splits, it does not judge: what the
// server would reject or what needs a second look is kOdd. Comments and blanks are between tokens.
// Thread rule: one thread per Lexer; no allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace shoal::sql {

struct Token {
  enum class Kind : std::uint8_t {
    kEnd,
    kWord,         // keyword or unquoted identifier
    kQuoted,       // "identifier"
    kInteger,      // digits
    kNumeric,      // 1.5, .5, 1e3
    kString,       // '...'
    kEscape,       // E'...'
    kBits,         // b'..', x'..'
    kDollarQuote,  // $tag$...$tag$
    kParam,        // $1
    kOperator,     // one character of + - * / < > = ~ ! @ # % ^ & | ` ?
    kPunct,        // one of ( ) [ ] , ; : .
    kOdd           // U&'', N'', unterminated, junk after a number, control characters
  };
  Kind kind = Kind::kEnd;
  bool spaced = false;     // blanks or comments stand before it
  bool backslash = false;  // kString: holds one
  std::size_t begin = 0, end = 0;
};

// The offset after the comment that begins with "/*" at `at` (they nest); beyond the text's size
// when it is not closed.
std::size_t skip_comment(std::string_view text, std::size_t at);

// The parser library's scanner takes a run of operator characters as one operator, finds a
// comment's beginning in it, and starts over behind that: "/**//**//**/" costs it the square of its
// length. Gives that cost in characters.
std::size_t operator_run_cost(std::string_view text);

class Lexer {
 public:
  // Without `standard_strings` a backslash in '...' escapes what follows, as it does in E'...'.
  explicit Lexer(std::string_view text, bool standard_strings = true)
      : text_(text), standard_strings_(standard_strings) {}
  Token next();
  std::string_view text(const Token& t) const { return text_.substr(t.begin, t.end - t.begin); }

 private:
  bool skip_blanks();
  void word(Token& t);
  void number(Token& t);
  void quoted(Token& t, std::size_t quote, char mark, bool escapes);
  void dollar(Token& t);

  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  std::string_view text_;
  bool standard_strings_;
  std::size_t pos_ = 0;
  bool unterminated_comment_ = false;
};

}  // namespace shoal::sql
