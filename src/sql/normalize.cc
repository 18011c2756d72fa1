// The scanner's second user: text -> cache key. See normalize.h for what a key promises.
#include "sql/normalize.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "sql/lexer.h"

namespace shoal::sql {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool is_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != word[i]) return false;
  }
  return true;
}

template <std::size_t N>
bool is_one_of(std::string_view text, const std::string_view (&words)[N]) {
  for (const std::string_view word : words) {
    if (text.size() == word.size() && lower(text[0]) == word[0] && is_word(text, word)) return true;
  }
  return false;
}

// What may be cached begins with one of these (or a parenthesis).
constexpr std::string_view kQueries[] = {"select", "insert", "update", "delete",
                                         "with",   "values", "table",  "merge"};

// A number in parentheses after these shapes the type, not a value.
constexpr std::string_view kTypes[] = {"char",         "varchar",
                                       "character",    "varying",
                                       "nchar",        "bit",
                                       "float",        "numeric",
                                       "decimal",      "dec",
                                       "time",         "second",
                                       "interval",     "timestamp",
                                       "current_time", "current_timestamp",
                                       "localtime",    "localtimestamp",
                                       "bpchar"};

// The grammar reads what fits int4 as one kind, what fits int8 as another, and the rest as numeric.
// The two values that change kind when negated stay in the key.
enum class Size { kInt4, kInt8, kNumeric, kEdge };

Size size_of(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc()) return Size::kNumeric;
  constexpr auto kInt4 = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
  constexpr auto kInt8 = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value <= kInt4) return Size::kInt4;
  if (value == kInt4 + 1 || value == kInt8 + 1) return Size::kEdge;
  return value <= kInt8 ? Size::kInt8 : Size::kNumeric;
}

constexpr std::string_view kMark = "shoal:";

bool blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Whether the comment is a hint.
bool is_hint(std::string_view comment) {
  if (comment.size() < 2) return false;
  comment.remove_prefix(2);
  while (!comment.empty() && blank(comment.front())) comment.remove_prefix(1);
  return is_word(comment.substr(0, kMark.size()), kMark);
}

// The inside of /* shoal: ... */, trimmed; empty for another comment.
std::string_view hint_of(std::string_view comment) {
  if (!is_hint(comment)) return {};
  const bool block = comment.starts_with("/*");
  comment.remove_prefix(2);
  if (block && comment.ends_with("*/")) comment.remove_suffix(2);
  while (!comment.empty() && blank(comment.front())) comment.remove_prefix(1);
  comment.remove_prefix(std::min(kMark.size(), comment.size()));
  while (!comment.empty() && blank(comment.front())) comment.remove_prefix(1);
  while (!comment.empty() && blank(comment.back())) comment.remove_suffix(1);
  return comment;
}

// Calls fn(comment) for each comment of a text of blanks and comments only.
template <class Fn>
void each_comment(std::string_view gap, Fn&& fn) {
  for (std::size_t i = 0; i + 1 < gap.size(); ++i) {
    std::size_t end = i;
    if (gap[i] == '-' && gap[i + 1] == '-') {
      end = std::min(gap.find_first_of("\r\n", i), gap.size());
    } else if (gap[i] == '/' && gap[i + 1] == '*') {
      end = std::min(skip_comment(gap, i), gap.size());
    } else {
      continue;
    }
    fn(gap.substr(i, end - i));
    i = end - 1;
  }
}

class Normalizer {
 public:
  Normalizer(std::string_view text, bool standard_strings, Normalized& out)
      : text_(text), lexer_(text), standard_strings_(standard_strings), out_(out) {}

  void run() {
    bool first = true;
    for (Token t = lexer_.next();; t = lexer_.next()) {
      const bool end = t.kind == Token::Kind::kEnd;
      if (t.spaced && (first || end || semicolon_)) {
        take_hints(text_.substr(previous_end_, t.begin - previous_end_));
      }
      previous_end_ = t.end;
      if (end) return;
      if (semicolon_ && !is_semicolon(t)) out_.multiple = true;
      if (is_semicolon(t)) {
        semicolon_ = true;
        continue;
      }
      if (first) check_first(t);
      if (t.spaced && !first) out_.key += ' ';
      first = false;
      token(t);
    }
  }

 private:
  bool is_semicolon(const Token& t) const {
    return t.kind == Token::Kind::kPunct && text_[t.begin] == ';';
  }

  // `gap` holds blanks and comments only.
  void take_hints(std::string_view gap) {
    each_comment(gap, [this](std::string_view comment) {
      const std::string_view hint = hint_of(comment);
      if (hint.empty()) return;
      if (!out_.hint.empty())
        out_.cacheable = false;  // two hints: the first one counts
      else
        out_.hint = hint;
    });
  }

  void check_first(const Token& t) {
    const bool query = t.kind == Token::Kind::kWord && is_one_of(lexer_.text(t), kQueries);
    const bool parenthesis = t.kind == Token::Kind::kPunct && text_[t.begin] == '(';
    if (!query && !parenthesis) out_.cacheable = false;
  }

  void token(const Token& t) {
    const std::string_view own = lexer_.text(t);
    switch (t.kind) {
      case Token::Kind::kInteger:
      case Token::Kind::kNumeric:
        number(t, own);
        return;
      case Token::Kind::kString:
        string(t, own);
        return;
      case Token::Kind::kWord:
        word(own);
        return;
      case Token::Kind::kQuoted:
        out_.key += own;
        state_ = state_ == kTypeNext ? kTypeName : kNone;
        return;
      case Token::Kind::kPunct:
        punctuation(own);
        return;
      case Token::Kind::kOperator:
        out_.key += own;
        if (own == "?") out_.key += '?';
        if (state_ != kTypeModifiers) state_ = kNone;
        return;
      case Token::Kind::kOdd:
      case Token::Kind::kDollarQuote:
        out_.cacheable = false;
        [[fallthrough]];
      default:
        out_.key += own;
        state_ = kNone;
    }
  }

  void number(const Token& t, std::string_view own) {
    const Size size = t.kind == Token::Kind::kInteger ? size_of(own) : Size::kNumeric;
    if (state_ == kTypeModifiers || state_ == kBounds || size == Size::kEdge) {
      out_.key += own;
      return;
    }
    state_ = kNone;
    out_.key += size == Size::kInt4 ? "?i" : size == Size::kInt8 ? "?l" : "?n";
    const auto kind = size == Size::kInt4 ? Literal::Kind::kInteger : Literal::Kind::kNumeric;
    out_.literals.push_back({kind, own, static_cast<int>(t.begin)});
  }

  void string(const Token& t, std::string_view own) {
    state_ = kNone;
    if (t.backslash && !standard_strings_) {
      out_.cacheable = false;
      out_.key += own;
      return;
    }
    out_.key += "?s";
    out_.literals.push_back({Literal::Kind::kString, own, static_cast<int>(t.begin)});
  }

  // Numbers within type(...) are modifiers: `::` and AS announce a type, and some types and
  // functions need no announcement.
  void word(std::string_view own) {
    out_.key += own;
    if (is_word(own, "as"))
      state_ = kTypeNext;
    else if (state_ == kTypeName && is_word(own, "array"))
      state_ = kTypeName;
    else if (state_ == kTypeNext || is_one_of(own, kTypes))
      state_ = kTypeName;
    else
      state_ = kNone;
  }

  void punctuation(std::string_view own) {
    out_.key += own;
    switch (own[0]) {
      case ':':
        state_ = state_ == kColon ? kTypeNext : kColon;
        break;
      case '.':
        state_ = state_ == kTypeName ? kTypeNext : kNone;
        break;
      case '(':
        state_ = state_ == kTypeName ? kTypeModifiers : kNone;
        break;
      case ')':
        state_ = state_ == kTypeModifiers ? kTypeName : kNone;
        break;
      case '[':
        state_ = state_ == kTypeName ? kBounds : kNone;
        break;
      case ']':
        state_ = state_ == kBounds ? kTypeName : kNone;
        break;
      case ',':
        if (state_ != kTypeModifiers) state_ = kNone;
        break;
      default:
        state_ = kNone;
    }
  }

  enum State { kNone, kColon, kTypeNext, kTypeName, kTypeModifiers, kBounds };

  std::string_view text_;
  Lexer lexer_;
  bool standard_strings_;
  Normalized& out_;
  State state_ = kNone;
  std::size_t previous_end_ = 0;
  bool semicolon_ = false;
};

}  // namespace

void normalize(std::string_view text, bool standard_strings, Normalized& out) {
  out.key.clear();
  out.literals.clear();
  out.hint = {};
  out.multiple = false;
  out.cacheable = true;
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    out.cacheable = false;
    return;
  }
  Normalizer(text, standard_strings, out).run();
  if (out.multiple || out.key.empty()) out.cacheable = false;
}

namespace {

Error bad_hint(std::string why) {
  return refuse(Refusal::kSetNotTracked, "the shoal: comment: " + std::move(why),
                "write one comment: /* shoal: key=42 */ or /* shoal: shard=s1 */");
}

//   hint  := pair ("," pair)*
//   pair  := name "=" value       name: key, shard
//   value := word | "'" ... "'"
Result<Hint> parse_hint(std::string_view text) {
  Hint out;
  const auto skip = [&] {
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  };
  for (bool first = true; first || !text.empty(); first = false) {
    std::string name, value;
    skip();
    while (!text.empty() && (lower(text.front()) >= 'a' && lower(text.front()) <= 'z')) {
      name += lower(text.front());
      text.remove_prefix(1);
    }
    skip();
    if (!text.starts_with('=')) return bad_hint("a name and = are expected at \"" + name + "\"");
    text.remove_prefix(1);
    skip();
    if (text.starts_with('\'')) {
      std::size_t end = 1;
      while (end < text.size() &&
             (text[end] != '\'' || (end + 1 < text.size() && text[end + 1] == '\''))) {
        end += text[end] == '\'' ? 2 : 1;
      }
      if (end >= text.size()) return bad_hint("a quote is not closed");
      value = string_value(text.substr(0, end + 1));
      text.remove_prefix(end + 1);
    } else {
      while (!text.empty() && !blank(text.front()) && text.front() != ',') {
        value += text.front();
        text.remove_prefix(1);
      }
      if (value.find_first_of("'\"") != std::string::npos)
        return bad_hint("the value of " + name + " has a quote in it");
    }
    if (value.empty()) return bad_hint(name + " has no value");
    std::optional<std::string>* place = nullptr;
    if (name == "key") place = &out.key;
    if (name == "shard") place = &out.shard;
    if (place == nullptr) return bad_hint("\"" + name + "\" is none of key and shard");
    if (*place) return bad_hint(name + " is there twice");
    *place = std::move(value);
    skip();
    if (text.empty()) break;
    if (!text.starts_with(',')) return bad_hint("a comma is expected between two parts");
    text.remove_prefix(1);
    if (text.empty()) return bad_hint("a name is expected behind the comma");
  }
  return out;
}

}  // namespace

Result<std::optional<Hint>> find_hint(std::string_view text, bool standard_strings) {
  std::optional<Hint> out;
  const auto same = [](char a, char b) { return lower(a) == b; };
  if (std::search(text.begin(), text.end(), kMark.begin(), kMark.end(), same) == text.end())
    return out;
  std::optional<Error> error;
  std::size_t previous_end = 0;
  bool odd = false;
  Lexer lexer(text);
  for (;;) {
    const Token t = lexer.next();
    odd |= t.kind == Token::Kind::kString && t.backslash && !standard_strings;
    each_comment(text.substr(previous_end, t.begin - previous_end), [&](std::string_view comment) {
      if (error || !is_hint(comment)) return;
      auto hint = parse_hint(hint_of(comment));
      if (!hint)
        error = hint.error();
      else if (out)
        error = bad_hint("the text has two");
      else
        out = std::move(*hint);
    });
    previous_end = t.end;
    if (t.kind == Token::Kind::kEnd) break;
  }
  // Where strings end is another matter with backslashes in them: no comment there is certain.
  if (odd) error = bad_hint("backslashes in strings, and standard_conforming_strings is off");
  if (error) return *error;
  return out;
}

std::string string_value(std::string_view written) {
  std::string out;
  if (written.size() < 2) return out;
  written = written.substr(1, written.size() - 2);
  out.reserve(written.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    out += written[i];
    if (written[i] == '\'' && i + 1 < written.size() && written[i + 1] == '\'') ++i;
  }
  return out;
}

}  // namespace shoal::sql
