// What a statement costs before it is routed: a scan for its key, or a parse.
#include <benchmark/benchmark.h>

#include "sql/deparse.h"
#include "sql/normalize.h"
#include "sql/parse.h"

namespace shoal::sql {
namespace {

constexpr std::string_view kPoint = "SELECT abalance FROM pgbench_accounts WHERE aid = 12345";
constexpr std::string_view kUpdate =
    "UPDATE pgbench_accounts SET abalance = abalance + -2345 WHERE aid = 12345";
constexpr std::string_view kJoin =
    "SELECT o.id, o.total, u.name FROM orders o JOIN users u ON u.tenant_id = o.tenant_id AND "
    "u.id = o.user_id WHERE o.tenant_id = 42 AND o.created_at >= '2024-01-01' ORDER BY o.id DESC "
    "LIMIT 20";

void normalize_text(benchmark::State& state, std::string_view text) {
  Normalized n;
  for (auto _ : state) {
    normalize(text, true, n);
    benchmark::DoNotOptimize(n.key.data());
  }
}

void parse_text(benchmark::State& state, std::string_view text) {
  for (auto _ : state) benchmark::DoNotOptimize(parse(text, {}));
}

void deparse_text(benchmark::State& state, std::string_view text) {
  const auto parsed = parse(text, {});
  const Select& s = *std::get<SelectPtr>(parsed->front().node);
  for (auto _ : state) benchmark::DoNotOptimize(deparse(s));
}

void parse_insert(benchmark::State& state) {
  std::string text = "INSERT INTO t VALUES (1, 'abc', 2.5)";
  for (int i = 1; i < state.range(0); ++i) text += ", (1, 'abc', 2.5)";
  for (auto _ : state) benchmark::DoNotOptimize(parse(text, {}));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

BENCHMARK_CAPTURE(normalize_text, point, kPoint);
BENCHMARK_CAPTURE(normalize_text, update, kUpdate);
BENCHMARK_CAPTURE(normalize_text, join, kJoin);
BENCHMARK_CAPTURE(parse_text, point, kPoint);
BENCHMARK_CAPTURE(parse_text, update, kUpdate);
BENCHMARK_CAPTURE(parse_text, join, kJoin);
BENCHMARK_CAPTURE(deparse_text, point, kPoint);
BENCHMARK_CAPTURE(deparse_text, join, kJoin);
BENCHMARK(parse_insert)->Arg(10)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace shoal::sql
