// Any bytes: parse() answers; what parses and is expressed deparses and parses to the same tree;
// copies are equal; the walkers reach everything without harm.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace {

using namespace shoal::sql;

[[noreturn]] void fail(const std::string& text, const std::string& what) {
  std::fprintf(stderr, "property broken: %s\n%s\n", what.c_str(), text.c_str());
  std::abort();
}

void check(const Statement& s) {
  std::visit(
      [&](const auto& tree) {
        if constexpr (requires { deparse(*tree); }) {
          if (s.has_opaque) return;
          const auto again = deparse_checked(*tree);
          if (!again && again.error().sqlstate == "XX000") {
            fail(s.text, deparse(*tree) + "\n" + again.error().message + again.error().detail);
          }
          if (!same(*tree, *clone(*tree))) fail(s.text, "a clone differs");
        }
      },
      s.node);
  (void)tables(s);
  (void)params(s);
  (void)all_calls(s);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 20'000) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  ParseLimits limits;
  limits.depth = 200;  // sanitizers make frames large, and the fuzzer's stack is ordinary
  const auto parsed = parse(text, limits, (data[0] & 1) != 0);
  if (!parsed) return 0;
  for (const Statement& s : *parsed) {
    check(s);
    if (s.inner) check(*s.inner);
  }
  return 0;
}
