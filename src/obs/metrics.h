// Counters, gauges and histograms: every core owns one Metrics and alone writes to it; readers sum
// over the cores. Values are relaxed atomics, so a reader on another thread sees each number whole,
// though not all of one instant. No lock, no allocation after construction.
// All names stand in one table, SHOAL_METRICS; nothing else may be counted.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace shoal::obs {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

// X(enumerator, kind, name, help). Durations are microseconds inside and seconds when printed.
#define SHOAL_METRICS(X)                                                                           \
  X(kClientsConnected, kGauge, "shoal_clients_connected", "Client connections that are open")      \
  X(kClientsActive, kGauge, "shoal_clients_active", "Clients with a statement under way")          \
  X(kClientsWaiting, kGauge, "shoal_clients_waiting", "Clients that wait for a server connection") \
  X(kClientsAccepted, kCounter, "shoal_clients_accepted_total", "Client connections accepted")     \
  X(kLoginsFailed, kCounter, "shoal_logins_failed_total", "Client logins refused")                 \
  X(kServersConnected, kGauge, "shoal_servers_connected", "Server connections that are open")      \
  X(kServersIdle, kGauge, "shoal_servers_idle", "Server connections that nobody uses")             \
  X(kServersOpened, kCounter, "shoal_servers_opened_total", "Server connections opened")           \
  X(kServersDiscarded, kCounter, "shoal_servers_discarded_total",                                  \
    "Server connections destroyed because their state was not proved")                             \
  X(kServerConnectFailures, kCounter, "shoal_server_connect_failures_total",                       \
    "Attempts to open a server connection that failed")                                            \
  X(kStatements, kCounter, "shoal_statements_total", "Statements executed")                        \
  X(kStatementsOneShard, kCounter, "shoal_statements_one_shard_total",                             \
    "Statements forwarded to one shard")                                                           \
  X(kStatementsSomeShards, kCounter, "shoal_statements_several_shards_total",                      \
    "Statements run on several shards and merged")                                                 \
  X(kStatementsPulled, kCounter, "shoal_statements_pulled_total",                                  \
    "Statements finished in a workspace")                                                          \
  X(kStatementsRefused, kCounter, "shoal_statements_refused_total", "Numbered refusals")           \
  X(kStatementsFailed, kCounter, "shoal_statements_failed_total",                                  \
    "Statements that ended in an error")                                                           \
  X(kTransactions, kCounter, "shoal_transactions_total", "Transactions ended")                     \
  X(kTransactionsTwoPhase, kCounter, "shoal_transactions_two_phase_total",                         \
    "Transactions that wrote on several shards")                                                   \
  X(kRecovered, kCounter, "shoal_transactions_recovered_total",                                    \
    "Prepared transactions settled by recovery")                                                   \
  X(kDeadlocks, kCounter, "shoal_deadlocks_total", "Deadlocks between shards that were broken")    \
  X(kCancels, kCounter, "shoal_cancels_total", "Cancel requests from clients")                     \
  X(kPlanCacheHits, kCounter, "shoal_plan_cache_hits_total", "Statements planned from the cache")  \
  X(kPlanCacheMisses, kCounter, "shoal_plan_cache_misses_total", "Statements planned anew")        \
  X(kClientBytesIn, kCounter, "shoal_client_received_bytes_total", "Bytes received from clients")  \
  X(kClientBytesOut, kCounter, "shoal_client_sent_bytes_total", "Bytes sent to clients")           \
  X(kServerBytesIn, kCounter, "shoal_server_received_bytes_total", "Bytes received from servers")  \
  X(kServerBytesOut, kCounter, "shoal_server_sent_bytes_total", "Bytes sent to servers")           \
  X(kPullRows, kCounter, "shoal_pulled_rows_total", "Rows brought to a workspace")                 \
  X(kMovedRows, kCounter, "shoal_moved_rows_total", "Rows copied or applied by moves")             \
  X(kCatalogEpoch, kGauge, "shoal_catalog_epoch", "Epoch of the catalog in use")                   \
  X(kStatementTime, kHistogram, "shoal_statement_seconds",                                         \
    "Time of a statement, first byte to last")                                                     \
  X(kTransactionTime, kHistogram, "shoal_transaction_seconds", "Time of a transaction")            \
  X(kPoolWaitTime, kHistogram, "shoal_pool_wait_seconds", "Time waited for a server connection")   \
  X(kParseTime, kHistogram, "shoal_parse_seconds", "Time to parse and plan a statement")

struct MetricEntry {
  MetricKind kind;
  std::string_view name, help;
};
enum class Metric : std::uint8_t {
#define SHOAL_METRIC_ENUM(enumerator, kind, name, help) enumerator,
  SHOAL_METRICS(SHOAL_METRIC_ENUM)
#undef SHOAL_METRIC_ENUM
};

inline constexpr MetricEntry kMetricTable[] = {
#define SHOAL_METRIC_ROW(enumerator, kind, name, help) {MetricKind::kind, name, help},
    SHOAL_METRICS(SHOAL_METRIC_ROW)
#undef SHOAL_METRIC_ROW
};
constexpr std::size_t kMetricCount = std::size(kMetricTable);

// The place of each histogram among the histograms.
inline constexpr std::array<std::uint8_t, kMetricCount> kHistogramIndex = [] {
  std::array<std::uint8_t, kMetricCount> index{};
  std::uint8_t count = 0;
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    index[i] = count;
    if (kMetricTable[i].kind == MetricKind::kHistogram) ++count;
  }
  return index;
}();
// The table ends with the histograms.
constexpr std::size_t kHistogramCount = kHistogramIndex.back() + 1;

// Logarithmic buckets, 8 to each power of two: a quantile is off by at most 1/8. Values from 0 to
// 2^40 microseconds (12 days); larger ones count in the last bucket.
class Histogram {
 public:
  static constexpr std::size_t kSub = 8;
  static constexpr std::size_t kBuckets = 38 * kSub;

  void record(std::uint64_t value);
  void add(const Histogram& other);
  std::uint64_t count() const;
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // The upper bound of the bucket in which the q-th value lies (0 < q <= 1); 0 when empty.
  std::uint64_t quantile(double q) const;
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }

  static std::size_t bucket_of(std::uint64_t value);
  // The largest value that falls into bucket i.
  static std::uint64_t upper_bound(std::size_t i);

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

// All numbers of one core. Large (about 10 KiB): lives as long as the core.
class Metrics {
 public:
  void add(Metric metric, std::int64_t amount = 1) {
    auto& cell = cells_[static_cast<std::size_t>(metric)];
    // One writer: a plain load and store is enough, and cheaper than a locked addition.
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(Metric metric, std::int64_t value) {
    cells_[static_cast<std::size_t>(metric)].store(value, std::memory_order_relaxed);
  }
  void record(Metric histogram, std::uint64_t microseconds);
  std::int64_t value(Metric metric) const {
    return cells_[static_cast<std::size_t>(metric)].load(std::memory_order_relaxed);
  }
  const Histogram& histogram(Metric metric) const;
  // Sums another core into this one.
  void add(const Metrics& other);

 private:
  std::array<std::atomic<std::int64_t>, kMetricCount> cells_{};
  std::array<Histogram, kHistogramCount> histograms_;
};

// OpenMetrics text of the sum over `cores`, ending in "# EOF".
std::string print_open_metrics(std::span<const Metrics* const> cores);

}  // namespace shoal::obs
