// Claims about buckets, sums over cores, and the printed text.
#include "obs/metrics.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace shoal::obs {
namespace {

TEST(MetricsTest, every_value_lies_in_the_bucket_whose_bounds_enclose_it) {
  std::uint64_t value = 0;
  while (value < std::uint64_t{1} << 40) {
    const std::size_t i = Histogram::bucket_of(value);
    ASSERT_LE(value, Histogram::upper_bound(i)) << value;
    if (i > 0) {
      ASSERT_GT(value, Histogram::upper_bound(i - 1)) << value;
    }
    value = value < 5000 ? value + 1 : value * 17 / 16;
  }
  EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::kBuckets - 1);
}

TEST(MetricsTest, a_quantile_is_off_by_at_most_an_eighth) {
  Histogram h;
  for (std::uint64_t v = 1; v <= 100'000; ++v) h.record(v);
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = q * 100'000;
    EXPECT_GE(static_cast<double>(h.quantile(q)), exact * 0.999) << q;
    EXPECT_LE(static_cast<double>(h.quantile(q)), exact * 1.125) << q;
  }
  EXPECT_EQ(h.count(), 100'000u);
  EXPECT_EQ(h.sum(), 5'000'050'000u);
  EXPECT_EQ(Histogram().quantile(0.5), 0u);
}

TEST(MetricsTest, cores_are_summed_when_read) {
  const auto a = std::make_unique<Metrics>();
  const auto b = std::make_unique<Metrics>();
  a->add(Metric::kStatements, 2);
  b->add(Metric::kStatements);
  a->set(Metric::kClientsConnected, 5);
  b->set(Metric::kClientsConnected, -1);
  a->record(Metric::kStatementTime, 1'500'000);
  b->record(Metric::kStatementTime, 10);
  b->record(Metric::kParseTime, 7);
  const Metrics* const cores[] = {a.get(), b.get()};
  const std::string text = print_open_metrics(cores);
  EXPECT_NE(text.find("\nshoal_statements_total 3\n"), std::string::npos);
  EXPECT_NE(text.find("\nshoal_clients_connected 4\n"), std::string::npos);
  EXPECT_NE(text.find("\nshoal_statement_seconds_count 2\n"), std::string::npos);
  EXPECT_NE(text.find("\nshoal_statement_seconds_sum 1.50001\n"), std::string::npos);
  EXPECT_NE(text.find("\nshoal_statement_seconds_bucket{le=\"+Inf\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("\nshoal_statement_seconds_bucket{le=\"1.5e-05\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("\nshoal_parse_seconds_count 1\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("# EOF\n"));
}

TEST(MetricsTest, what_exceeds_the_last_bucket_counts_as_infinite_only) {
  const auto m = std::make_unique<Metrics>();
  m->record(Metric::kPoolWaitTime, std::uint64_t{1} << 50);
  const Metrics* const cores[] = {m.get()};
  const std::string text = print_open_metrics(cores);
  EXPECT_NE(text.find("shoal_pool_wait_seconds_bucket{le=\"+Inf\"} 1\n"), std::string::npos);
  std::size_t ones = 0;
  for (std::size_t at = 0; (at = text.find("} 1\n", at)) != std::string::npos; ++at) ++ones;
  EXPECT_EQ(ones, 1u);
}

TEST(MetricsTest, names_are_unique_and_say_their_kind) {
  std::set<std::string_view> names;
  for (const MetricEntry& entry : kMetricTable) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_TRUE(entry.name.starts_with("shoal_")) << entry.name;
    EXPECT_EQ(entry.kind == MetricKind::kCounter, entry.name.ends_with("_total")) << entry.name;
    EXPECT_EQ(entry.kind == MetricKind::kHistogram, entry.name.ends_with("_seconds")) << entry.name;
    EXPECT_FALSE(entry.help.empty());
  }
}

}  // namespace
}  // namespace shoal::obs
