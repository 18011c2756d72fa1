// The estimate of complexity.h.
//
// A level is what stands between two parentheses or brackets, or between CASE and END. Within a
// level, commas, AND, OR (and WHEN, THEN, ELSE of a CASE) separate items that lie beside one
// another in the tree: AND and OR chains are flat lists. Each operator of an item may put one node
// above the others, so an item is as deep as its operators plus its deepest inner level. Joins and
// set operations chain across commas and are counted for the whole level. The AND of a BETWEEN
// separates nothing.
#include "sql/complexity.h"

#include <algorithm>
#include <vector>

#include "sql/lexer.h"

namespace shoal::sql {
namespace {

enum class Word {
  kOther,
  kOperator,
  kAnd,
  kOr,
  kBetween,
  kCase,
  kEnd,
  kArm,
  kJoin,
  kSet,
  kAs,
  kQuery
};

struct Entry {
  std::string_view name;
  Word word;
};

constexpr Entry kWords[] = {
    {"not", Word::kOperator},     {"is", Word::kOperator},       {"isnull", Word::kOperator},
    {"notnull", Word::kOperator}, {"like", Word::kOperator},     {"ilike", Word::kOperator},
    {"similar", Word::kOperator}, {"in", Word::kOperator},       {"collate", Word::kOperator},
    {"at", Word::kOperator},      {"overlaps", Word::kOperator}, {"operator", Word::kOperator},
    {"escape", Word::kOperator},  {"and", Word::kAnd},           {"or", Word::kOr},
    {"between", Word::kBetween},  {"case", Word::kCase},         {"end", Word::kEnd},
    {"when", Word::kArm},         {"then", Word::kArm},          {"else", Word::kArm},
    {"join", Word::kJoin},        {"union", Word::kJoin},        {"intersect", Word::kJoin},
    {"except", Word::kJoin},      {"set", Word::kSet},           {"as", Word::kAs},
    {"select", Word::kQuery},     {"with", Word::kQuery},        {"values", Word::kQuery},
    {"table", Word::kQuery},      {"insert", Word::kQuery},      {"update", Word::kQuery},
    {"delete", Word::kQuery},     {"merge", Word::kQuery},
};

Word classify(std::string_view text) {
  if (text.size() > 9 || text.size() < 2) return Word::kOther;
  char lower[9];
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c & 0x80) return Word::kOther;
    lower[i] = static_cast<char>(c | 0x20);
  }
  const std::string_view word(lower, text.size());
  for (const Entry& e : kWords) {
    if (e.name == word) return e.word;
  }
  return Word::kOther;
}

struct Level {
  std::size_t operators = 0;  // of the current item
  std::size_t child = 0;      // deepest inner level of the current item
  std::size_t deepest = 0;    // deepest item so far
  std::size_t chains = 0;     // joins and set operations of the level
  std::size_t betweens = 0;   // whose AND is still to come
  std::size_t commas = 0;
  double copies = 1;   // how often the level's tokens are copied
  double pending = 1;  // the same for levels opened inside the current item
  bool is_case = false;
  bool has_and = false, has_or = false;  // one list each above its items
  bool is_query = false;                 // holds a query: the block itself and what it stands in
  bool in_set = false;                   // SET was seen: (a, b) = ... may follow
  bool maybe_columns = false;            // opened where the (a, b) of a SET may stand

  void end_item() {
    deepest = std::max(deepest, operators + child);
    operators = child = 0;
  }
};

class Estimator {
 public:
  Estimator(std::string_view text, std::size_t limit) : lexer_(text), limit_(limit) {
    levels_.reserve(16);
    levels_.emplace_back();
  }

  Complexity run() {
    for (Token t = lexer_.next(); t.kind != Token::Kind::kEnd; t = lexer_.next()) {
      out_.copied_bytes +=
          static_cast<double>(t.end - t.begin + 1) * levels_.back().copies * levels_.back().pending;
      token(t);
      if (levels_.size() > limit_) {
        out_.depth = levels_.size();
        return out_;
      }
    }
    while (levels_.size() > 1) close();
    out_.depth = depth_of(levels_.back());
    return out_;
  }

 private:
  static std::size_t depth_of(Level& level) {
    level.end_item();
    return level.deepest + level.chains + level.has_and + level.has_or + 2u * level.is_query + 1u;
  }

  void open(bool is_case) {
    const Level& outer = levels_.back();
    Level level;
    level.is_case = is_case;
    level.copies = outer.copies * outer.pending;
    level.maybe_columns = !is_case && outer.in_set && after_set_or_comma_;
    levels_.push_back(level);
  }

  void close() {
    const bool columns = levels_.back().maybe_columns;
    closed_columns_ = columns ? levels_.back().commas + 1 : 0;
    const std::size_t depth = depth_of(levels_.back());
    levels_.pop_back();
    levels_.back().child = std::max(levels_.back().child, depth);
  }

  void token(const Token& t) {
    const std::size_t columns = std::exchange(closed_columns_, 0);
    const bool after_dot = std::exchange(after_dot_, false);
    const bool after_as = std::exchange(after_as_, false);
    if (t.begin == t.end) return;
    const char c = lexer_.text(t)[0];
    bool set_or_comma = false;
    switch (t.kind) {
      case Token::Kind::kWord:
        if (!after_dot && !after_as) set_or_comma = word(classify(lexer_.text(t)));
        break;
      case Token::Kind::kOperator:
        operation(t, c, columns);
        break;
      case Token::Kind::kPunct:
        set_or_comma = punctuation(t, c);
        break;
      default:
        break;
    }
    after_set_or_comma_ = set_or_comma;
  }

  bool word(Word w) {
    Level& level = levels_.back();
    switch (w) {
      case Word::kOperator:
        ++level.operators;
        break;
      case Word::kBetween:
        ++level.operators, ++level.betweens;
        break;
      case Word::kAnd:
        if (level.betweens > 0)
          --level.betweens;
        else
          level.has_and = true, level.end_item();
        break;
      case Word::kOr:
        level.has_or = true, level.end_item();
        break;
      case Word::kQuery:
        level.is_query = true;
        break;
      case Word::kArm:
        if (level.is_case) level.end_item();
        break;
      case Word::kJoin:
        ++level.chains;
        break;
      case Word::kCase:
        open(true);
        break;
      case Word::kEnd:
        if (level.is_case) close();
        break;
      case Word::kSet:
        level.in_set = true;
        return true;
      case Word::kAs:
        after_as_ = true;
        break;
      case Word::kOther:
        break;
    }
    return false;
  }

  // An operator's characters after its first count only where they could be prefix operators.
  void operation(const Token& t, char c, std::size_t columns) {
    Level& level = levels_.back();
    const bool first = t.spaced || last_operator_end_ != t.begin;
    if (first || c == '+' || c == '-') ++level.operators;
    last_operator_end_ = t.end;
    if (c == '=' && columns > 1) level.pending *= static_cast<double>(columns);
  }

  bool punctuation(const Token& t, char c) {
    Level& level = levels_.back();
    switch (c) {
      case '(':
      case '[':
        open(false);
        break;
      case ')':
      case ']': {
        const std::size_t columns_level = levels_.size();
        while (levels_.size() > 1 && levels_.back().is_case) close();
        if (levels_.size() > 1) close();
        if (columns_level == levels_.size()) closed_columns_ = 0;
        break;
      }
      case ',':
        level.end_item();
        level.pending = 1;
        ++level.commas;
        return true;
      case ';':
        level.end_item();
        break;
      case ':':
        // The first of "::"; a slice [a:b] is one level anyway.
        if (last_colon_end_ != t.begin) ++level.operators;
        last_colon_end_ = t.end;
        break;
      case '.':
        after_dot_ = true;
        break;
      default:
        break;
    }
    return false;
  }

  Lexer lexer_;
  std::size_t limit_;
  std::vector<Level> levels_;
  Complexity out_;
  std::size_t closed_columns_ = 0;  // of the column list that the last token closed
  std::size_t last_operator_end_ = std::string_view::npos;
  std::size_t last_colon_end_ = std::string_view::npos;
  bool after_dot_ = false, after_as_ = false, after_set_or_comma_ = false;
};

}  // namespace

Complexity estimate_complexity(std::string_view text, std::size_t depth_limit) {
  return Estimator(text, depth_limit).run();
}

}  // namespace shoal::sql
