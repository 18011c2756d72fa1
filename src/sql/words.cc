// Splitting code into words.
#include "sql/words.h"

#include "sql/lexer.h"

namespace shoal::sql {
namespace {

std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string unquoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    out += text[i];
    if (text[i] == '"') ++i;
  }
  return out;
}

}  // namespace

std::vector<CodeWord> words_of(std::string_view code) {
  using K = Token::Kind;
  std::vector<CodeWord> out;
  Lexer lexer(code);
  for (Token t = lexer.next(); t.kind != K::kEnd; t = lexer.next()) {
    const std::string_view text = lexer.text(t);
    CodeWord word;
    word.dotted = !out.empty() && out.back().text == ".";
    if (t.kind == K::kPunct && text == "(" && !out.empty()) out.back().call = true;
    if (t.kind == K::kWord) {
      word.kind = CodeWord::Kind::kWord;
      word.text = folded(text);
    } else if (t.kind == K::kQuoted) {
      word.kind = CodeWord::Kind::kQuoted;
      word.text = unquoted(text);
    } else if (t.kind == K::kOperator) {
      const bool goes_on =
          !t.spaced && !out.empty() && out.back().kind == CodeWord::Kind::kOperator;
      if (goes_on) {
        out.back().text += text;
        continue;
      }
      word.kind = CodeWord::Kind::kOperator;
      word.text = text;
    } else if (t.kind == K::kPunct) {
      word.kind = CodeWord::Kind::kPunct;
      word.text = text;
    } else if (text.find_first_not_of("0123456789.") == std::string_view::npos) {
      word.text = text;  // the bounds of a PL/pgSQL loop, 1..3, are odd to SQL
    } else if (t.kind == K::kOdd) {
      word.kind = CodeWord::Kind::kOdd;
    } else {
      word.text = text;
    }
    out.push_back(std::move(word));
  }
  return out;
}

std::string first_string(std::string_view text) {
  for (const CodeWord& w : words_of(text)) {
    if (w.kind != CodeWord::Kind::kOther || w.text.size() < 2) continue;
    const std::string& t = w.text;
    if (t[0] == '\'') {
      std::string out;
      for (std::size_t i = 1; i + 1 < t.size(); ++i) {
        out += t[i];
        if (t[i] == '\'') ++i;
      }
      return out;
    }
    const std::size_t tag = t.find('$', 1);
    if (t[0] == '$' && tag != std::string::npos && t.size() >= 2 * (tag + 1))
      return t.substr(tag + 1, t.size() - 2 * (tag + 1));
  }
  return {};
}

}  // namespace shoal::sql
