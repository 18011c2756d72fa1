// PostgreSQL's own row hash: PARTITION BY HASH with one modulus or several, and new keyspaces.
#include <numeric>

#include "keys/function_base.h"
#include "keys/pg_hash.h"

namespace shoal::keys {
namespace {

class RowHash final : public FunctionBase {
 public:
  // period: bucket = table[row hash mod period]; empty table: no buckets.
  static constexpr std::uint32_t kHole = UINT32_MAX;

  RowHash(std::string_view name, Types types, std::uint32_t slots,
          std::vector<std::uint32_t> bucket_of_remainder, std::vector<std::string> names)
      : FunctionBase(name, types),
        slots_(slots),
        bucket_of_remainder_(std::move(bucket_of_remainder)),
        names_(std::move(names)) {}

  std::uint32_t slot_count() const override { return slots_; }

  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key, true));
    return Slot(static_cast<std::uint32_t>(pg_row_hash(key) % slots_));
  }

  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key, true));
    return std::to_string(pg_row_hash(key));
  }

  std::uint32_t bucket_count() const override { return static_cast<std::uint32_t>(names_.size()); }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override {
    if (bucket_of_remainder_.empty()) return std::nullopt;
    std::uint32_t bucket = bucket_of_remainder_[slot.value % bucket_of_remainder_.size()];
    if (bucket == kHole) return std::nullopt;
    return bucket;
  }
  std::string bucket_name(std::uint32_t bucket) const override { return names_[bucket]; }

 private:
  std::uint32_t slots_;
  std::vector<std::uint32_t> bucket_of_remainder_;
  std::vector<std::string> names_;
};

constexpr std::uint64_t kMaxModulus = 1u << 24;  // a table of that length is kept

struct Partition {
  std::string name;
  std::uint64_t modulus = 1, remainder = 0;
};

// {"name": {"modulus": m, "remainder": r}, ...}
std::vector<Partition> take_partitions(Params& params) {
  std::vector<Partition> out;
  const boost::json::value* value = params.take("partitions");
  if (value == nullptr || !value->is_object()) {
    params.fail("partitions must be an object of name: {modulus, remainder}");
    return out;
  }
  for (const auto& member : value->get_object()) {
    Params one(params.has("partitions") ? "partitions" : "",
               boost::json::serialize(member.value()));
    Partition p;
    p.name = std::string(member.key());
    p.modulus = one.number("modulus", 1, kMaxModulus, 0);
    p.remainder = one.number("remainder", 0, kMaxModulus, 0);
    if (!one.finish() || p.modulus == 0 || p.remainder >= p.modulus) {
      params.fail(fmt::format("partition {} has no valid modulus and remainder", p.name));
      return {};
    }
    out.push_back(std::move(p));
  }
  return out;
}

struct Layout {
  std::vector<std::uint32_t> bucket_of_remainder;
  std::vector<std::string> names;
};

Layout layout_of(Params& params, const std::vector<Partition>& partitions) {
  Layout layout;
  std::uint64_t period = 1;
  for (const Partition& p : partitions) {
    period = std::lcm(period, p.modulus);
    if (period > kMaxModulus) {
      params.fail("the least common multiple of the moduli is too large");
      return layout;
    }
  }
  layout.bucket_of_remainder.assign(period, RowHash::kHole);
  for (const Partition& p : partitions) {
    for (std::uint64_t r = p.remainder; r < period; r += p.modulus) {
      if (layout.bucket_of_remainder[r] != RowHash::kHole) {
        params.fail(fmt::format("partition {} overlaps another one", p.name));
        return layout;
      }
      layout.bucket_of_remainder[r] = static_cast<std::uint32_t>(layout.names.size());
    }
    layout.names.push_back(p.name);
  }
  return layout;
}

}  // namespace

FunctionPtr make_postgres(std::string_view name, Params& params, Types types) {
  Layout layout;
  bool counted = params.has("modulus") || name == "pgdog";
  for (std::string_view key : {"n", "N", "shards", "num_shards"}) counted |= params.has(key);
  if (params.has("partitions")) {
    layout = layout_of(params, take_partitions(params));
  } else if (counted) {
    std::uint32_t n = params.has("modulus")
                          ? static_cast<std::uint32_t>(params.number("modulus", 1, kMaxModulus, 1))
                          : take_buckets(params);
    if (n > kMaxModulus) params.fail("the modulus is too large");
    if (params.failed()) n = 1;
    std::vector<std::string> names = take_names(params, n);
    for (std::uint32_t i = 0; i < n; ++i) {
      layout.bucket_of_remainder.push_back(i);
      layout.names.push_back(names.empty() ? std::to_string(i) : names[i]);
    }
  } else {
    auto slots = static_cast<std::uint32_t>(params.number("slots", 1, kMaxModulus, 4096));
    return std::make_shared<RowHash>(name, types, slots, std::vector<std::uint32_t>(),
                                     std::vector<std::string>());
  }
  auto period =
      static_cast<std::uint32_t>(std::max<std::size_t>(1, layout.bucket_of_remainder.size()));
  std::uint32_t slots = take_slots(params, period, kMaxModulus);
  return std::make_shared<RowHash>(name, types, slots, std::move(layout.bucket_of_remainder),
                                   std::move(layout.names));
}

}  // namespace shoal::keys
