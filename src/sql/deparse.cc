// The way into Writer, and the check that what was written means what the tree says.
#include "sql/deparse.h"

#include "sql/parse.h"
#include "sql/writer.h"

namespace shoal::sql {
namespace {

template <class T>
std::string text_of(const T& tree, void (Writer::*write)(const T&)) {
  Writer w;
  (w.*write)(tree);
  return w.take();
}

template <class T>
Result<std::string> checked(const T& tree, void (Writer::*write)(const T&)) {
  Writer w;
  (w.*write)(tree);
  if (w.opaque()) {
    return refuse(Refusal::kUnknownGrammar, "the statement has a part that cannot be rewritten");
  }
  std::string text = w.take();
  // The text repeats nothing the client wrote twice, but parentheses add levels and quotes bytes.
  ParseLimits limits;
  limits.bytes *= 8;
  limits.depth *= 4;
  auto again = parse(text, limits);
  if (!again) {
    Error e = again.error();
    return make_error("XX000", "a rewritten statement does not parse: " + e.message, e.detail);
  }
  const std::unique_ptr<T>* copy =
      again->size() == 1 ? std::get_if<std::unique_ptr<T>>(&again->front().node) : nullptr;
  if (copy == nullptr || !same(tree, **copy)) {
    return make_error("XX000", "a rewritten statement means something else than its tree");
  }
  return text;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string quote_literal(std::string_view text) {
  const bool backslash = text.find('\\') != text.npos;
  std::string out = backslash ? "E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + '\'';
}

std::string deparse(const Expr& e) {
  return text_of(e, &Writer::expr);
}
std::string deparse(const Select& s) {
  return text_of(s, &Writer::select);
}
std::string deparse(const Insert& s) {
  return text_of(s, &Writer::insert);
}
std::string deparse(const Update& s) {
  return text_of(s, &Writer::update);
}
std::string deparse(const Delete& s) {
  return text_of(s, &Writer::remove);
}
std::string deparse(const Merge& s) {
  return text_of(s, &Writer::merge);
}

Result<std::string> deparse_checked(const Select& s) {
  return checked(s, &Writer::select);
}
Result<std::string> deparse_checked(const Insert& s) {
  return checked(s, &Writer::insert);
}
Result<std::string> deparse_checked(const Update& s) {
  return checked(s, &Writer::update);
}
Result<std::string> deparse_checked(const Delete& s) {
  return checked(s, &Writer::remove);
}
Result<std::string> deparse_checked(const Merge& s) {
  return checked(s, &Writer::merge);
}

}  // namespace shoal::sql
