// Jump hash, Redis Cluster's slots and rendezvous hashing: for those who already have them.
#include "keys/digest.h"
#include "keys/function_base.h"

namespace shoal::keys {
namespace {

std::uint64_t big_endian64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The key as jump hash takes it: 64 bits, negative numbers as two's complement.
Result<HashNumber> integer64(const KeyValue& value) {
  if (value.type() != KeyType::kNumeric) return HashNumber::of_signed(value.integer());
  Result<std::uint64_t> wide = unsigned64(value);
  if (!wide) return wide.error();
  return HashNumber::of_unsigned(*wide);
}

// Slots refine a bucket by another mix of the same hash: slot = bucket + n * (mix mod k).
std::uint64_t mix(std::uint64_t h) {
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
  return h ^ (h >> 31);
}

class Jump final : public FunctionBase {
 public:
  Jump(Types types, Hash hash, std::uint32_t n, std::uint32_t slots, std::vector<std::string> names)
      : FunctionBase("jump", types),
        hash_(std::move(hash)),
        n_(n),
        slots_(slots),
        names_(std::move(names)),
        by_equality_(text_follows_equality(types) || types[0] == KeyType::kNumeric) {}

  std::uint32_t slot_count() const override { return slots_; }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<HashNumber> h = hash_(key[0]);
    if (!h) return h.error();
    std::uint64_t number = h->low64();
    auto refined = static_cast<std::uint32_t>(mix(number) % (slots_ / n_));
    return Slot(jump(number, n_) + n_ * refined);
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<HashNumber> h = hash_(key[0]);
    if (!h) return h.error();
    return std::to_string(h->low64());
  }
  bool match_by_equality() const override { return by_equality_; }
  std::uint32_t bucket_count() const override { return n_; }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value % n_; }
  std::string bucket_name(std::uint32_t bucket) const override {
    return names_.empty() ? std::to_string(bucket) : names_[bucket];
  }

 private:
  Hash hash_;
  std::uint32_t n_, slots_;
  std::vector<std::string> names_;
  bool by_equality_;
};

class Redis final : public FunctionBase {
 public:
  Redis(Types types, TextForm form)
      : FunctionBase("redis", types), form_(form), by_equality_(text_follows_equality(types)) {}

  std::uint32_t slot_count() const override { return 16384; }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<std::string> text = hashed_text(key[0], form_);
    if (!text) return text.error();
    return Slot(crc16_xmodem(tag_of(*text)) % 16384u);
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    Result<Slot> s = slot(key);
    if (!s) return s.error();
    return std::to_string(s->value);
  }
  bool match_by_equality() const override { return by_equality_; }

 private:
  // Only what stands between the first { and the next } is hashed, unless that is nothing.
  static std::string_view tag_of(std::string_view text) {
    std::size_t open = text.find('{');
    if (open == std::string_view::npos) return text;
    std::size_t close = text.find('}', open + 1);
    if (close == std::string_view::npos || close == open + 1) return text;
    return text.substr(open + 1, close - open - 1);
  }
  TextForm form_;
  bool by_equality_;
};

// The node with the greatest 64-bit head of MD5("node-key"); the greater name breaks a tie.
class Rendezvous final : public FunctionBase {
 public:
  Rendezvous(Types types, TextForm form, std::vector<std::string> nodes)
      : FunctionBase("rendezvous", types),
        form_(form),
        nodes_(std::move(nodes)),
        by_equality_(text_follows_equality(types)) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<std::string> text = hashed_text(key[0], form_);
    if (!text) return text.error();
    std::uint32_t best = 0;
    std::uint64_t best_score = score(nodes_[0], *text);
    for (std::uint32_t i = 1; i < nodes_.size(); ++i) {
      std::uint64_t s = score(nodes_[i], *text);
      if (s > best_score || (s == best_score && nodes_[i] > nodes_[best])) {
        best = i;
        best_score = s;
      }
    }
    return Slot(best);
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    Result<Slot> s = slot(key);
    if (!s) return s.error();
    Result<std::string> text = hashed_text(key[0], form_);
    return std::to_string(score(nodes_[s->value], *text));
  }
  bool match_by_equality() const override { return by_equality_; }
  std::uint32_t bucket_count() const override { return static_cast<std::uint32_t>(nodes_.size()); }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override { return nodes_[bucket]; }

 private:
  static std::uint64_t score(const std::string& node, const std::string& text) {
    return big_endian64(md5(node + "-" + text));
  }
  TextForm form_;
  std::vector<std::string> nodes_;
  bool by_equality_;
};

}  // namespace

FunctionPtr make_jump(std::string_view, Params& params, Types types) {
  Hash hash;
  if (params.has("digest")) {
    hash = take_digest(params, types, "");
  } else {
    require_one_column(params, types);
    require_types(
        params, types,
        {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8, KeyType::kOid, KeyType::kNumeric});
    hash = integer64;
  }
  std::uint32_t n = take_buckets(params);
  if (n > INT32_MAX) params.fail("n must be at most 2147483647");
  std::uint32_t slots = take_slots(params, n);
  return std::make_shared<Jump>(types, std::move(hash), n, slots, take_names(params, n));
}

FunctionPtr make_redis(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  params.number("slots", 16384, 16384);
  return std::make_shared<Redis>(types, take_text_form(params, types));
}

FunctionPtr make_rendezvous(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  std::vector<std::string> nodes = params.texts("nodes");
  if (nodes.empty()) params.fail("nodes is missing");
  return std::make_shared<Rendezvous>(types, take_text_form(params, types), std::move(nodes));
}

}  // namespace shoal::keys
