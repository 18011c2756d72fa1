// The scanner of lexer.h.
#include "sql/lexer.h"

#include <array>

namespace shoal::sql {
namespace {

enum Class : std::uint8_t { kOther, kSpace, kIdent, kDigit, kOp, kPunctuation, kQuote };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> out{};
  for (const char c : {' ', '\t', '\n', '\r', '\f'}) out[static_cast<unsigned char>(c)] = kSpace;
  for (int c = 'a'; c <= 'z'; ++c) out[c] = kIdent;
  for (int c = 'A'; c <= 'Z'; ++c) out[c] = kIdent;
  for (int c = 128; c < 256; ++c) out[c] = kIdent;
  out['_'] = kIdent;
  for (int c = '0'; c <= '9'; ++c) out[c] = kDigit;
  for (const char c :
       {'+', '-', '*', '/', '<', '>', '=', '~', '!', '@', '#', '%', '^', '&', '|', '`', '?'}) {
    out[static_cast<unsigned char>(c)] = kOp;
  }
  for (const char c : {'(', ')', '[', ']', ',', ';', ':', '.'}) {
    out[static_cast<unsigned char>(c)] = kPunctuation;
  }
  out['\''] = kQuote;
  out['"'] = kQuote;
  return out;
}

constexpr std::array<std::uint8_t, 256> kClass = make_classes();

inline Class class_of(char c) {
  return static_cast<Class>(kClass[static_cast<unsigned char>(c)]);
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_word(char c) {
  const Class k = class_of(c);
  return k == kIdent || k == kDigit || c == '$';
}

}  // namespace

std::size_t skip_comment(std::string_view text, std::size_t at) {
  int open = 0;
  while (at + 1 < text.size()) {
    if (text[at] == '/' && text[at + 1] == '*') {
      ++open;
      at += 2;
    } else if (text[at] == '*' && text[at + 1] == '/') {
      --open;
      at += 2;
      if (open == 0) return at;
    } else {
      ++at;
    }
  }
  return text.size() + 1;  // past the end: the caller sees that it was not closed
}

std::size_t operator_run_cost(std::string_view text) {
  std::size_t cost = 0, length = 0, comments = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (class_of(text[i]) == kOp) {
      ++length;
      if (text[i] == '*' && i > 0 && text[i - 1] == '/') ++comments;
      continue;
    }
    cost += length * comments;
    length = comments = 0;
  }
  return cost + length * comments;
}

bool Lexer::skip_blanks() {
  const std::size_t start = pos_;
  while (pos_ < text_.size()) {
    const char c = text_[pos_];
    if (class_of(c) == kSpace) {
      ++pos_;
    } else if (c == '-' && at(pos_ + 1) == '-') {
      while (pos_ < text_.size() && text_[pos_] != '\n' && text_[pos_] != '\r') ++pos_;
    } else if (c == '/' && at(pos_ + 1) == '*') {
      const std::size_t end = skip_comment(text_, pos_);
      if (end > text_.size()) {
        unterminated_comment_ = true;
        pos_ = text_.size();
        break;
      }
      pos_ = end;
    } else {
      break;
    }
  }
  return pos_ != start;
}

Token Lexer::next() {
  Token t;
  t.spaced = skip_blanks();
  t.begin = pos_;
  t.end = pos_;
  if (pos_ >= text_.size()) {
    if (unterminated_comment_) t.kind = Token::Kind::kOdd, unterminated_comment_ = false;
    return t;
  }
  const char c = text_[pos_];
  switch (class_of(c)) {
    case kIdent:
      word(t);
      break;
    case kDigit:
      number(t);
      break;
    case kQuote:
      quoted(t, pos_, c, c == '\'' && !standard_strings_);
      break;
    case kOp:
      t.kind = Token::Kind::kOperator;
      t.end = pos_ + 1;
      break;
    case kPunctuation:
      if (c == '.' && is_digit(at(pos_ + 1))) {
        number(t);
      } else if (c == '.' && at(pos_ + 1) == '.') {
        t.kind = Token::Kind::kOdd;
        t.end = pos_ + 2;
      } else {
        t.kind = Token::Kind::kPunct;
        t.end = pos_ + 1;
      }
      break;
    default:
      if (c == '$') {
        dollar(t);
      } else {
        t.kind = Token::Kind::kOdd;
        t.end = pos_ + 1;
      }
  }
  pos_ = t.end;
  return t;
}

void Lexer::word(Token& t) {
  const char c = text_[pos_];
  const char next = at(pos_ + 1);
  if (next == '\'') {
    if (c == 'e' || c == 'E') return quoted(t, pos_ + 1, '\'', true);
    if (c == 'b' || c == 'B' || c == 'x' || c == 'X') {
      quoted(t, pos_ + 1, '\'', false);
      if (t.kind == Token::Kind::kString) t.kind = Token::Kind::kBits;
      return;
    }
    if (c == 'n' || c == 'N') {
      quoted(t, pos_ + 1, '\'', false);
      t.kind = Token::Kind::kOdd;
      return;
    }
  }
  if ((c == 'u' || c == 'U') && next == '&' && (at(pos_ + 2) == '\'' || at(pos_ + 2) == '"')) {
    quoted(t, pos_ + 2, text_[pos_ + 2], false);
    t.kind = Token::Kind::kOdd;
    return;
  }
  std::size_t i = pos_ + 1;
  while (i < text_.size() && is_word(text_[i])) ++i;
  t.kind = Token::Kind::kWord;
  t.end = i;
}

void Lexer::number(Token& t) {
  std::size_t i = pos_;
  t.kind = Token::Kind::kInteger;
  while (is_digit(at(i))) ++i;
  if (at(i) == '.' && at(i + 1) == '.') {
    t.kind = Token::Kind::kOdd;  // 1..2 is a range of PL/pgSQL
  } else if (at(i) == '.') {
    t.kind = Token::Kind::kNumeric;
    ++i;
    while (is_digit(at(i))) ++i;
  }
  if (at(i) == 'e' || at(i) == 'E') {
    std::size_t digits = i + 1;
    if (at(digits) == '+' || at(digits) == '-') ++digits;
    if (is_digit(at(digits))) {
      i = digits;
      while (is_digit(at(i))) ++i;
      if (t.kind == Token::Kind::kInteger) t.kind = Token::Kind::kNumeric;
    }
  }
  if (i < text_.size() && is_word(text_[i])) t.kind = Token::Kind::kOdd;  // 1a: junk
  while (i < text_.size() && is_word(text_[i])) ++i;
  t.end = i;
}

// From the quote on; two strings on different lines are one constant to PostgreSQL, but odd here.
void Lexer::quoted(Token& t, std::size_t quote, char mark, bool escapes) {
  std::size_t i = quote + 1;
  bool closed = false;
  while (i < text_.size()) {
    const char c = text_[i];
    if (c == mark) {
      if (at(i + 1) == mark) {
        i += 2;
        continue;
      }
      ++i;
      closed = true;
      break;
    }
    if (c == '\\') {
      t.backslash = true;
      if (escapes) ++i;
    } else if (c == '\0') {
      break;
    }
    ++i;
  }
  t.end = i < text_.size() ? i : text_.size();
  t.kind = mark == '"' ? Token::Kind::kQuoted
           : escapes   ? Token::Kind::kEscape
                       : Token::Kind::kString;
  if (!closed) {
    t.kind = Token::Kind::kOdd;
    t.end = text_.size();
    return;
  }
  if (mark == '"') return;
  // A continuation: blanks with a line break (comments of the -- kind among them), then a quote.
  bool line = false;
  for (std::size_t j = t.end; j < text_.size(); ++j) {
    const char c = text_[j];
    if (c == '\n' || c == '\r') {
      line = true;
    } else if (c == '-' && at(j + 1) == '-') {
      while (j + 1 < text_.size() && text_[j + 1] != '\n' && text_[j + 1] != '\r') ++j;
    } else if (class_of(c) != kSpace) {
      if (c == '\'' && line) t.kind = Token::Kind::kOdd;
      break;
    }
  }
}

void Lexer::dollar(Token& t) {
  std::size_t i = pos_ + 1;
  if (is_digit(at(i))) {
    while (is_digit(at(i))) ++i;
    t.kind =
        i < text_.size() && class_of(text_[i]) == kIdent ? Token::Kind::kOdd : Token::Kind::kParam;
    while (i < text_.size() && is_word(text_[i]) && t.kind == Token::Kind::kOdd) ++i;
    t.end = i;
    return;
  }
  while (i < text_.size() && text_[i] != '$' && is_word(text_[i])) ++i;
  t.kind = Token::Kind::kOdd;
  t.end = pos_ + 1;
  if (at(i) != '$') return;
  const std::string_view tag = text_.substr(pos_, i + 1 - pos_);
  const std::size_t close = text_.find(tag, i + 1);
  if (close == std::string_view::npos) {
    t.end = text_.size();
    return;
  }
  t.kind = Token::Kind::kDollarQuote;
  t.end = close + tag.size();
}

}  // namespace shoal::sql
