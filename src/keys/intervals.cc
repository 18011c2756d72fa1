// Schemes that end in ranges of a hash: Citus, SPQR, Vitess. A slot is a range; it is refined by
// splitting the range, which is a change of the parameters.
#include "keys/digest.h"
#include "keys/function_base.h"
#include "keys/pg_hash.h"

namespace shoal::keys {
namespace {

// ---- Citus ------------------------------------------------------------------------------------

class Citus final : public FunctionBase {
 public:
  struct Interval {
    std::int64_t min, max;  // inclusive, of the signed 32-bit hash
  };
  Citus(Types types, std::vector<Interval> intervals, std::vector<std::string> names)
      : FunctionBase("citus", types), intervals_(std::move(intervals)), names_(std::move(names)) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    std::int64_t hash = pg_hash32(key[0]);
    auto it = std::upper_bound(intervals_.begin(), intervals_.end(), hash,
                               [](std::int64_t h, const Interval& i) { return h < i.min; });
    if (it == intervals_.begin() || hash > std::prev(it)->max) {
      return refuse(Refusal::kKeyFunction, fmt::format("no shard interval holds hash {}", hash));
    }
    return Slot(static_cast<std::uint32_t>(std::prev(it) - intervals_.begin()));
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return std::to_string(pg_hash32(key[0]));
  }
  std::uint32_t bucket_count() const override {
    return static_cast<std::uint32_t>(intervals_.size());
  }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override {
    return names_.empty() ? std::to_string(bucket) : names_[bucket];
  }

 private:
  std::vector<Interval> intervals_;  // ascending, disjoint
  std::vector<std::string> names_;
};

std::vector<Citus::Interval> uniform_intervals(std::uint64_t n) {
  std::vector<Citus::Interval> out;
  std::int64_t width = (std::int64_t{1} << 32) / static_cast<std::int64_t>(n);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(n); ++i) {
    std::int64_t min = INT32_MIN + i * width;
    out.push_back({min, min + width - 1});
  }
  out.back().max = INT32_MAX;
  return out;
}

// [[min, max], ...] as pg_dist_shard has them (texts or numbers), ascending.
std::vector<Citus::Interval> take_intervals(Params& params) {
  std::vector<Citus::Interval> out;
  const boost::json::value* value = params.take("intervals");
  auto bad = [&] {
    params.fail("intervals must be ascending, disjoint pairs [min, max] of 32-bit integers");
    return std::vector<Citus::Interval>();
  };
  if (value == nullptr || !value->is_array()) return bad();
  for (const boost::json::value& pair : value->get_array()) {
    if (!pair.is_array() || pair.get_array().size() != 2) return bad();
    std::int64_t ends[2];
    for (std::size_t i = 0; i < 2; ++i) {
      std::optional<std::string> text = scalar_text(pair.get_array()[i]);
      if (!text) return bad();
      Result<KeyValue> number = parse_text(KeyType::kInt4, *text);
      if (!number) return bad();
      ends[i] = number->integer();
    }
    if (ends[0] > ends[1] || (!out.empty() && ends[0] <= out.back().max)) return bad();
    out.push_back({ends[0], ends[1]});
  }
  return out.empty() ? bad() : out;
}

// ---- SPQR -------------------------------------------------------------------------------------

enum class Encoding { kUnsigned, kSigned, kZigZag, kText, kUuid };

// LEB128 in a field of 8 bytes, or 10 when it needs more than 8.
std::string varint(std::uint64_t value) {
  std::size_t width = value >= std::uint64_t{1} << 56 ? 10 : 8;
  std::string out;
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
  out.resize(width, '\0');
  return out;
}

Result<std::string> spqr_bytes(const KeyValue& value, Encoding encoding) {
  if (encoding == Encoding::kText || encoding == Encoding::kUuid) return to_text(value);
  std::uint64_t number = 0;
  if (value.type() == KeyType::kNumeric) {
    Result<std::uint64_t> wide = unsigned64(value);
    if (!wide) return wide.error();
    number = *wide;
  } else {
    number = static_cast<std::uint64_t>(value.integer());
    if (encoding == Encoding::kUnsigned && value.integer() < 0) {
      // int4 and int8 parameters and literals took different ways through SPQR.
      return refuse(Refusal::kKeyValue, "negative ids of type uinteger have no single placement");
    }
    if (encoding == Encoding::kZigZag) number = number << 1 ^ (value.integer() < 0 ? ~0ull : 0ull);
  }
  return varint(number);
}

class Spqr final : public FunctionBase {
 public:
  Spqr(Types types, std::vector<Encoding> encodings, bool murmur, std::vector<std::uint64_t> bounds,
       std::vector<std::string> names)
      : FunctionBase("spqr", types),
        encodings_(std::move(encodings)),
        murmur_(murmur),
        bounds_(std::move(bounds)),
        names_(std::move(names)) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    Result<std::uint64_t> h = hash(key);
    if (!h) return h.error();
    auto it = std::upper_bound(bounds_.begin(), bounds_.end(), *h);
    if (it == bounds_.begin()) {
      return refuse(Refusal::kKeyFunction, fmt::format("no key range begins at or below {}", *h));
    }
    return Slot(static_cast<std::uint32_t>(it - bounds_.begin() - 1));
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    Result<std::uint64_t> h = hash(key);
    if (!h) return h.error();
    return std::to_string(*h);
  }
  std::uint32_t bucket_count() const override { return static_cast<std::uint32_t>(bounds_.size()); }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override {
    return names_.empty() ? std::to_string(bucket) : names_[bucket];
  }

 private:
  std::uint32_t hash_bytes(std::string_view bytes) const {
    return murmur_ ? murmur3_32(bytes) : city32(bytes);
  }
  // One column: its hash. Several: the hashes, each encoded like an integer, hashed once more.
  Result<std::uint64_t> hash(std::span<const KeyValue> key) const {
    SHOAL_TRY(check(key));
    std::string joined;
    for (std::size_t i = 0; i < key.size(); ++i) {
      Result<std::string> bytes = spqr_bytes(key[i], encodings_[i]);
      if (!bytes) return bytes.error();
      if (key.size() == 1) return hash_bytes(*bytes);
      joined += varint(hash_bytes(*bytes));
    }
    return hash_bytes(joined);
  }
  std::vector<Encoding> encodings_;
  bool murmur_;
  std::vector<std::uint64_t> bounds_;  // lower bounds, ascending
  std::vector<std::string> names_;
};

std::vector<Encoding> take_encodings(Params& params, Types types) {
  std::vector<std::string> kinds = params.texts("types");
  if (!kinds.empty() && kinds.size() != types.size()) params.fail("types: one for each column");
  std::vector<Encoding> out;
  for (std::size_t i = 0; i < types.size() && !params.failed(); ++i) {
    KeyType family = family_of(types[i]);
    bool integer = family == KeyType::kInt8 || types[i] == KeyType::kNumeric;
    bool text = family == KeyType::kText, uuid = family == KeyType::kUuid;
    std::string kind = !kinds.empty() ? kinds[i]
                       : integer      ? "uinteger"
                       : uuid         ? "uuid hashed"
                                      : "varchar hashed";
    if (integer && kind == "uinteger") {
      out.push_back(Encoding::kUnsigned);
    } else if (integer && kind == "integer" && types[i] != KeyType::kNumeric) {
      out.push_back(Encoding::kSigned);
    } else if (integer && kind == "integer_old" && types[i] != KeyType::kNumeric) {
      out.push_back(Encoding::kZigZag);
    } else if (text && kind == "varchar hashed") {
      out.push_back(Encoding::kText);
    } else if (uuid && kind == "uuid hashed") {
      out.push_back(Encoding::kUuid);
    } else {
      params.fail(fmt::format("cannot hash {} as \"{}\"", type_name(types[i]), kind));
    }
  }
  return out;
}

// ---- Vitess -----------------------------------------------------------------------------------

class Vitess final : public FunctionBase {
 public:
  Vitess(Types types, Hash id, std::vector<std::uint64_t> bounds, std::vector<std::string> names)
      : FunctionBase("vitess", types),
        id_(std::move(id)),
        bounds_(std::move(bounds)),
        names_(std::move(names)) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<HashNumber> id = id_(key[0]);
    if (!id) return id.error();
    auto it = std::upper_bound(bounds_.begin(), bounds_.end(), id->low64());
    return Slot(static_cast<std::uint32_t>(it - bounds_.begin() - 1));  // the first bound is 0
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<HashNumber> id = id_(key[0]);
    if (!id) return id.error();
    return fmt::format("{:016x}", id->low64());
  }
  std::uint32_t bucket_count() const override { return static_cast<std::uint32_t>(bounds_.size()); }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override { return names_[bucket]; }

 private:
  Hash id_;                            // the keyspace id's 8 bytes as a big-endian number
  std::vector<std::uint64_t> bounds_;  // lower bounds as such numbers, ascending from 0
  std::vector<std::string> names_;
};

Result<HashNumber> vitess_hash_id(const KeyValue& value) {
  std::uint64_t number = 0;
  if (value.type() == KeyType::kNumeric) {
    Result<std::uint64_t> wide = unsigned64(value);
    if (!wide) return wide.error();
    number = *wide;
  } else {
    number = static_cast<std::uint64_t>(value.integer());
  }
  return HashNumber::of_unsigned(des_null_key(number));
}

Result<HashNumber> vitess_xxhash_id(const KeyValue& value) {
  return HashNumber::of_unsigned(
      __builtin_bswap64(xxh64(to_text(value))));  // stored low byte first
}

// "-40", "40-80", "80-": bytes in hexadecimal; together they must cover everything, in order.
std::vector<std::uint64_t> bounds_of_ranges(Params& params, const std::vector<std::string>& names) {
  std::vector<std::uint64_t> bounds;
  std::string expected;
  for (const std::string& name : names) {
    std::size_t dash = name.find('-');
    std::string low = name.substr(0, std::min(dash, name.size()));
    std::string high = dash == std::string::npos ? "" : name.substr(dash + 1);
    std::optional<std::string> bytes = bytes_of_hex(low);
    bool last = &name == &names.back();
    if (dash == std::string::npos || low != expected || !bytes || bytes->size() > 8 ||
        high.empty() != last) {
      params.fail("shards must be ranges such as -40, 40-80, 80- that cover all keyspace ids");
      return {};
    }
    bytes->resize(8, '\0');
    std::uint64_t bound = 0;
    for (char c : *bytes) bound = bound << 8 | static_cast<unsigned char>(c);
    if (!bounds.empty() && bound <= bounds.back()) {
      params.fail("shards must be in ascending order");
      return {};
    }
    bounds.push_back(bound);
    expected = high;
  }
  return bounds;
}

}  // namespace

FunctionPtr make_citus(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  std::vector<Citus::Interval> intervals;
  if (params.has("intervals")) {
    intervals = take_intervals(params);
  } else {
    std::uint32_t n = take_buckets(params);
    if (n > 64000) params.fail("Citus has at most 64000 shards");
    if (!params.failed()) intervals = uniform_intervals(n);
  }
  std::vector<std::string> names = take_names(params, intervals.size());
  return std::make_shared<Citus>(types, std::move(intervals), std::move(names));
}

FunctionPtr make_spqr(std::string_view, Params& params, Types types) {
  std::string hash = params.text("hash", "");
  if (hash == "identity") params.fail("without a hash this is the function range");
  if (hash != "murmur" && hash != "city") params.fail("hash must be murmur or city");
  if (hash == "city" && types.size() > 1) params.fail("several columns are hashed by murmur only");
  std::vector<Encoding> encodings = take_encodings(params, types);
  std::vector<std::uint64_t> bounds;
  for (const std::string& text : params.texts("bounds")) {
    Result<KeyValue> bound = parse_text(KeyType::kInt8, text);
    bool good = bound && bound->integer() >= 0 &&
                (bounds.empty() || static_cast<std::uint64_t>(bound->integer()) > bounds.back());
    if (!good) params.fail("bounds must be ascending unsigned integers");
    if (good) bounds.push_back(static_cast<std::uint64_t>(bound->integer()));
  }
  if (bounds.empty()) params.fail("bounds, the lower bounds of the key ranges, is missing");
  std::vector<std::string> names = take_names(params, bounds.size());
  return std::make_shared<Spqr>(types, std::move(encodings), hash == "murmur", std::move(bounds),
                                std::move(names));
}

FunctionPtr make_vitess(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  std::string vindex = params.text("vindex", "");
  if (vindex != "hash" && vindex != "xxhash") params.fail("vindex must be hash or xxhash");
  if (vindex == "hash") {
    require_types(params, types,
                  {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8, KeyType::kNumeric});
  } else {
    require_types(
        params, types,
        {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8, KeyType::kText, KeyType::kVarchar});
  }
  std::vector<std::string> names = params.texts("shards");
  if (names.empty()) names.push_back("-");
  std::vector<std::uint64_t> bounds = bounds_of_ranges(params, names);
  return std::make_shared<Vitess>(types, vindex == "hash" ? vitess_hash_id : vitess_xxhash_id,
                                  std::move(bounds), std::move(names));
}

}  // namespace shoal::keys
