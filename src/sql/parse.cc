// Text -> Statement: limits, the parser library, and what surrounds the conversion.
#include "sql/parse.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <cstdlib>

#include "sql/complexity.h"
#include "sql/convert.h"
#include "sql/lexer.h"

namespace shoal::sql {
namespace {

// Memory of one decoded tree: handed out in pieces, freed at once. (The library's own free function
// visits every node.)
class Arena {
 public:
  Arena() : at_(first_), left_(sizeof first_) {}
  ~Arena() {
    for (void* block : blocks_) std::free(block);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  ProtobufCAllocator allocator() { return {&allocate, &release, this}; }

 private:
  static void* allocate(void* self, std::size_t size) {
    return static_cast<Arena*>(self)->take(size);
  }
  static void release(void*, void*) {}

  void* take(std::size_t size) {
    size = (size + 15) & ~std::size_t{15};
    if (size > left_) {
      const std::size_t block = std::max(size, next_);
      void* memory = std::malloc(block);
      if (memory == nullptr) return nullptr;
      blocks_.push_back(memory);
      next_ = std::min<std::size_t>(next_ * 2, 1u << 20);
      at_ = static_cast<char*>(memory);
      left_ = block;
    }
    void* out = at_;
    at_ += size;
    left_ -= size;
    return out;
  }

  alignas(16) char first_[8192];
  char* at_;
  std::size_t left_;
  std::size_t next_ = 32768;
  std::vector<void*> blocks_;
};

// The library's result, freed on every path.
class Parsed {
 public:
  explicit Parsed(const char* text) : result_(pg_query_parse_protobuf(text)) {}
  ~Parsed() { pg_query_free_protobuf_parse_result(result_); }
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;
  const PgQueryError* error() const { return result_.error; }
  PgQuery__ParseResult* unpack(Arena& arena) const {
    ProtobufCAllocator allocator = arena.allocator();
    return pg_query__parse_result__unpack(
        &allocator, result_.parse_tree.len,
        reinterpret_cast<const std::uint8_t*>(result_.parse_tree.data));
  }

 private:
  PgQueryProtobufParseResult result_;
};

// The library reports no SQLSTATE; these are the ones its grammar raises besides syntax errors.
Error syntax_error(const PgQueryError& e) {
  std::string message = e.message ? e.message : "syntax error";
  const std::string_view m = message;
  if (m.find("memory exhausted") != m.npos) {
    return refuse(Refusal::kTooComplex, "the grammar's own stack is full");
  }
  const char* state = "42601";
  if (m.find("not yet implemented") != m.npos || m.find("not supported") != m.npos ||
      m.find("cannot be used with") != m.npos) {
    state = "0A000";
  } else if (m.find("precision for type float") != m.npos) {
    state = "22023";
  } else if (m.find("invalid byte sequence") != m.npos) {
    state = "22021";
  }
  // The "at or near" part can be all of a long text.
  constexpr std::size_t kMessageBytes = 2000;
  if (message.size() > kMessageBytes) {
    std::size_t end = kMessageBytes;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
    message = message.substr(0, end) + "...\"";
  }
  Error out = make_error(state, std::move(message));
  out.position = e.cursorpos;
  return out;
}

// Characters up to byte `offset`, counted from 1 as error positions are.
int character_position(std::string_view text, std::size_t offset) {
  int count = 1;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++count;
  }
  return count;
}

Result<void> check_limits(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes) {
    return refuse(Refusal::kTooLong,
                  fmt::format("{} bytes, the limit is {}", text.size(), limits.bytes));
  }
  constexpr std::size_t kQuickRuns = 4096;  // shorter ones cost little in any case
  if (text.size() > kQuickRuns && operator_run_cost(text) > kParseRunCost) {
    return refuse(Refusal::kTooComplex, "comments follow one another without blanks");
  }
  // A short text can't nest deeply, and needs several pairs of parentheses to multiply.
  const auto depth = static_cast<std::size_t>(std::max(limits.depth, 1));
  constexpr std::ptrdiff_t kParentheses = 5;
  constexpr std::size_t kShort = 1500;
  if (text.size() <= std::min(depth, kShort) &&
      std::count(text.begin(), text.end(), '(') < kParentheses) {
    return {};
  }
  const Complexity c = estimate_complexity(text, depth);
  if (c.depth > depth) {
    return refuse(Refusal::kTooComplex,
                  fmt::format("about {} levels, the limit is {}", c.depth, depth));
  }
  if (c.copied_bytes > kParseCopiedBytes) {
    return refuse(Refusal::kTooComplex, "SET (...) = ... copies its source too often");
  }
  // Packing a node moves everything below it, so time grows with bytes x depth.
  if (static_cast<double>(text.size()) * static_cast<double>(c.depth) > kParseWork) {
    return refuse(Refusal::kTooComplex,
                  fmt::format("{} bytes nested about {} levels deep", text.size(), c.depth));
  }
  return {};
}

// With standard_conforming_strings off a backslash in '...' means what it means in E'...': the text
// with its strings written so, which reads the same under either setting.
Result<std::string> with_escapes(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  Lexer lexer(text, false);
  for (Token t = lexer.next(); t.kind != Token::Kind::kEnd; t = lexer.next()) {
    const std::string_view own = lexer.text(t);
    if (own.find('\\') == own.npos) continue;
    if (t.kind == Token::Kind::kOdd || t.kind == Token::Kind::kBits) {
      return refuse(Refusal::kUnknownGrammar,
                    "a backslash in such a string while standard_conforming_strings is off",
                    "SET standard_conforming_strings = on, or write E'...'");
    }
    if (t.kind != Token::Kind::kEscape || own.front() != '\'') continue;
    out += text.substr(copied, t.begin - copied);
    out += " E";
    copied = t.begin;
  }
  out += text.substr(copied);
  return out;
}

std::string_view trim_back(std::string_view s) {
  const std::size_t end = s.find_last_not_of(" \t\n\r\f\v");
  return end == s.npos ? std::string_view() : s.substr(0, end + 1);
}

// The statement's own text: from its first token on.
void fill_text(std::string_view all, const PgQuery__RawStmt& raw, Statement& out) {
  std::size_t begin = raw.stmt_location > 0 ? static_cast<std::size_t>(raw.stmt_location) : 0;
  begin = std::min(begin, all.size());
  const std::size_t length =
      raw.stmt_len > 0 ? static_cast<std::size_t>(raw.stmt_len) : std::string_view::npos;
  std::string_view own = all.substr(begin, length);
  Lexer lexer(own);
  const Token first = lexer.next();
  own = trim_back(own.substr(first.begin));
  out.offset = static_cast<int>(begin + first.begin);
  out.text = own;
}

// Where the body of PREPARE and EXPLAIN begins in the statement's text.
std::size_t body_offset(std::string_view text, const Statement& s) {
  Lexer lexer(text);
  auto same_word = [&](const Token& t, std::string_view word) {
    const std::string_view own = lexer.text(t);
    if (t.kind != Token::Kind::kWord || own.size() != word.size()) return false;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if ((own[i] | 0x20) != word[i]) return false;
    }
    return true;
  };
  auto skip_group = [&](Token t) {
    int open = 0;
    for (; t.kind != Token::Kind::kEnd; t = lexer.next()) {
      if (t.kind != Token::Kind::kPunct) continue;
      if (lexer.text(t) == "(") ++open;
      if (lexer.text(t) == ")" && --open == 0) break;
    }
    return lexer.next();
  };
  lexer.next();  // the verb
  Token t = lexer.next();
  if (std::holds_alternative<Prepare>(s.node)) {
    t = lexer.next();  // after the name
    if (lexer.text(t) == "(") t = skip_group(t);
    return same_word(t, "as") ? lexer.next().begin : text.size();
  }
  if (!std::get<Explain>(s.node).options.empty() && lexer.text(t) == "(")
    return skip_group(t).begin;
  while (same_word(t, "analyze") || same_word(t, "analyse") || same_word(t, "verbose")) {
    t = lexer.next();
  }
  return t.begin;
}

void fill_inner(Statement& s) {
  if (!s.inner) return;
  const std::size_t at = body_offset(s.text, s);
  s.inner->text = s.text.substr(std::min(at, s.text.size()));
  s.inner->offset = s.offset + static_cast<int>(at);
}

// COPY without a file name means STDIN or STDOUT; '' is a file name that the parser library's tree
// does not tell from none.
bool has_empty_string(std::string_view text) {
  Lexer lexer(text);
  for (Token t = lexer.next(); t.kind != Token::Kind::kEnd; t = lexer.next()) {
    if (t.kind == Token::Kind::kWord) {
      const std::string_view w = lexer.text(t);
      if (w.size() >= 5 && w.size() <= 6 && (w[0] | 0x20) == 's' && (w[1] | 0x20) == 't' &&
          (w[2] | 0x20) == 'd') {
        return false;
      }
    }
    if (t.end - t.begin == 2 && lexer.text(t) == "''") return true;
  }
  return false;
}

}  // namespace

Result<std::vector<Statement>> parse(std::string_view text, const ParseLimits& limits,
                                     bool standard_strings) {
  SHOAL_TRY(check_limits(text, limits));
  const std::size_t zero = text.find('\0');
  if (zero != text.npos) {
    Error e = make_error("42601", "syntax error: the text holds a zero byte");
    e.position = character_position(text, zero);
    return e;
  }
  if (!standard_strings && text.find('\\') != text.npos) {
    auto escaped = with_escapes(text);
    if (!escaped) return escaped.error();
    return parse(*escaped, limits, true);
  }
  const std::string terminated(text);
  const Parsed parsed(terminated.c_str());
  if (parsed.error() != nullptr) return syntax_error(*parsed.error());
  Arena arena;
  const PgQuery__ParseResult* tree = parsed.unpack(arena);
  if (tree == nullptr) return make_error("XX000", "the parser's tree cannot be decoded");

  std::vector<Statement> out;
  out.reserve(tree->n_stmts);
  Converter converter(text, limits.depth);
  for (std::size_t i = 0; i < tree->n_stmts; ++i) {
    const PgQuery__RawStmt& raw = *tree->stmts[i];
    converter.reset();
    Statement s = converter.statement(raw.stmt);
    if (converter.too_deep()) {
      return refuse(Refusal::kTooComplex, fmt::format("the limit is {} levels", limits.depth));
    }
    if (converter.bad_param() >= 0) {
      Error e = make_error("42P02", "there is no parameter of that number");
      e.position = character_position(text, static_cast<std::size_t>(converter.bad_param()));
      return e;
    }
    s.has_opaque = converter.has_opaque();
    s.max_param = converter.max_param();
    fill_text(text, raw, s);
    fill_inner(s);
    if (const Copy* copy = std::get_if<Copy>(&s.node);
        copy != nullptr && copy->file.empty() && has_empty_string(s.text)) {
      return make_error("22023", "COPY needs a file name");
    }
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace shoal::sql
