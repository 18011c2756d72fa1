// Buckets, sums over cores, and the OpenMetrics text.
#include "obs/metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

namespace shoal::obs {
namespace {

std::size_t index_of(Metric metric) {
  return static_cast<std::size_t>(metric);
}

// One writer, so that load and store suffice.
void bump(std::atomic<std::uint64_t>& cell, std::uint64_t amount) {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

void append_histogram(std::string& out, std::string_view name, const Histogram& histogram) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    below += histogram.bucket(i);
    // One line for each power of two is enough for a scraper. The last bucket also holds what is
    // larger than its bound, and so counts as infinite only.
    if (i % Histogram::kSub != Histogram::kSub - 1 || i + 1 == Histogram::kBuckets) continue;
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name,
                       static_cast<double>(Histogram::upper_bound(i)) / 1e6, below);
  }
  out += fmt::format("{}_bucket{{le=\"+Inf\"}} {}\n", name, below);
  out += fmt::format("{}_sum {}\n", name, static_cast<double>(histogram.sum()) / 1e6);
  out += fmt::format("{}_count {}\n", name, below);
}

}  // namespace

// Values below 8 have a bucket each. Above, with the highest bit number b >= 3, the three bits
// after it choose one of 8 buckets: group b - 2.
std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < kSub) return value;
  const int high = std::bit_width(value) - 1;
  const std::size_t sub = value >> (high - 3) & (kSub - 1);
  return std::min(static_cast<std::size_t>(high - 2) * kSub + sub, kBuckets - 1);
}

std::uint64_t Histogram::upper_bound(std::size_t i) {
  if (i < kSub) return i;
  const std::size_t shift = i / kSub - 1;
  return ((std::uint64_t{kSub} + i % kSub + 1) << shift) - 1;
}

void Histogram::record(std::uint64_t value) {
  bump(buckets_[bucket_of(value)], 1);
  bump(sum_, value);
}

void Histogram::add(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) bump(buckets_[i], other.bucket(i));
  bump(sum_, other.sum());
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) total += bucket(i);
  return total;
}

std::uint64_t Histogram::quantile(double q) const {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += bucket(i);
    if (seen >= std::max<std::uint64_t>(rank, 1)) return upper_bound(i);
  }
  return upper_bound(kBuckets - 1);
}

void Metrics::record(Metric metric, std::uint64_t microseconds) {
  histograms_[kHistogramIndex[index_of(metric)]].record(microseconds);
}

const Histogram& Metrics::histogram(Metric metric) const {
  return histograms_[kHistogramIndex[index_of(metric)]];
}

void Metrics::add(const Metrics& other) {
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    const auto metric = static_cast<Metric>(i);
    add(metric, other.value(metric));
  }
  for (std::size_t i = 0; i < histograms_.size(); ++i) histograms_[i].add(other.histograms_[i]);
}

std::string print_open_metrics(std::span<const Metrics* const> cores) {
  const auto sum = std::make_unique<Metrics>();
  for (const Metrics* core : cores) sum->add(*core);
  std::string out;
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    const MetricEntry& entry = kMetricTable[i];
    const auto metric = static_cast<Metric>(i);
    std::string_view family = entry.name;
    if (entry.kind == MetricKind::kCounter) family.remove_suffix(std::string_view("_total").size());
    const std::string_view type = entry.kind == MetricKind::kCounter ? "counter"
                                  : entry.kind == MetricKind::kGauge ? "gauge"
                                                                     : "histogram";
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", family, entry.help, family, type);
    if (entry.kind == MetricKind::kHistogram) {
      append_histogram(out, family, sum->histogram(metric));
    } else {
      out += fmt::format("{} {}\n", entry.name, sum->value(metric));
    }
  }
  return out + "# EOF\n";
}

}  // namespace shoal::obs
