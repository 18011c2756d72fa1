// Any bytes: normalize() never over-reads, and its literals are what the parser library's own
// scanner takes for constants.
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <cstdlib>
#include <set>
#include <string>

#include "sql/normalize.h"

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "property broken: %s\n", what);
  std::abort();
}

// Offsets of the integer, float and plain string constants that the library's scanner sees.
std::set<int> scanned_constants(const std::string& text, bool& ok) {
  std::set<int> out;
  const PgQueryScanResult r = pg_query_scan(text.c_str());
  ok = r.error == nullptr;
  if (ok) {
    PgQuery__ScanResult* scan = pg_query__scan_result__unpack(
        nullptr, r.pbuf.len, reinterpret_cast<const std::uint8_t*>(r.pbuf.data));
    for (std::size_t i = 0; scan != nullptr && i < scan->n_tokens; ++i) {
      const PgQuery__ScanToken& t = *scan->tokens[i];
      if (t.token == PG_QUERY__TOKEN__ICONST || t.token == PG_QUERY__TOKEN__FCONST ||
          t.token == PG_QUERY__TOKEN__SCONST) {
        out.insert(t.start);
      }
    }
    pg_query__scan_result__free_unpacked(scan, nullptr);
  }
  pg_query_free_scan_result(r);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool standard = (data[0] & 1) != 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  shoal::sql::Normalized n;
  shoal::sql::normalize(text, standard, n);
  int last = -1;
  for (const shoal::sql::Literal& l : n.literals) {
    if (l.position <= last) fail("literals are in order");
    last = l.position;
    if (text.compare(static_cast<std::size_t>(l.position), l.text.size(), l.text) != 0) {
      fail("a literal is a slice of the text");
    }
    if (l.kind == shoal::sql::Literal::Kind::kString) (void)shoal::sql::string_value(l.text);
  }
  // The library's scanner is slow on runs of comments; what is not cacheable promises nothing.
  if (!n.cacheable || size > 4096 || text.find('\0') != text.npos) return 0;
  bool ok = false;
  const std::set<int> constants = scanned_constants(text, ok);
  if (!ok) return 0;
  for (const shoal::sql::Literal& l : n.literals) {
    if (!constants.contains(l.position)) fail("a literal is a constant of the grammar");
  }
  return 0;
}
