// Every scheme of the form "a number modulo n": integers, digests, dorm, PL/Proxy, PgDog's sha1.
//
// Slots refine buckets: with slots = n * k, slot = h mod slots and bucket = slot mod n, which is
// h mod n, so no row moves when the scheme is adopted. Truncated remainders keep the sign of h: the
// negative numbers have slots of their own behind the others, slots + |h| mod slots, and the
// buckets -1 .. -(n-1) stand behind 0 .. n-1.
#include "keys/digest.h"
#include "keys/function_base.h"

namespace shoal::keys {
namespace {

enum class Reduce { kFloor, kTrunc, kAbs, kSqlAbs };

class Modulo final : public FunctionBase {
 public:
  struct Settings {
    Hash hash;
    Reduce reduce = Reduce::kFloor;
    std::uint32_t n = 1, slots = 1;
    std::string prefix;              // of default bucket names
    std::vector<std::string> names;  // empty = prefix and number
    bool by_equality = true;
  };

  Modulo(std::string_view name, Types types, Settings settings)
      : FunctionBase(name, types), s_(std::move(settings)) {}

  std::uint32_t slot_count() const override {
    return s_.reduce == Reduce::kTrunc ? 2 * s_.slots : s_.slots;
  }

  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<HashNumber> h = s_.hash(key[0]);
    if (!h) return h.error();
    switch (s_.reduce) {
      case Reduce::kFloor:
        return Slot(static_cast<std::uint32_t>(h->floor_mod(s_.slots)));
      case Reduce::kTrunc: {
        auto rest = static_cast<std::uint32_t>(h->magnitude_mod(s_.slots));
        return Slot(h->negative() ? s_.slots + rest : rest);
      }
      case Reduce::kSqlAbs:
        if (h->negative() && h->low64() == static_cast<std::uint64_t>(std::int64_t{INT32_MIN})) {
          return make_error("22003", "integer out of range");
        }
        break;
      case Reduce::kAbs:
        break;
    }
    return Slot(static_cast<std::uint32_t>(h->magnitude_mod(s_.slots)));
  }

  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    Result<HashNumber> h = s_.hash(key[0]);
    if (!h) return h.error();
    return h->to_decimal();
  }

  bool match_by_equality() const override { return s_.by_equality; }

  std::uint32_t bucket_count() const override {
    return s_.reduce == Reduce::kTrunc ? 2 * s_.n - 1 : s_.n;
  }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override {
    if (slot.value < s_.slots) return slot.value % s_.n;
    std::uint32_t rest = (slot.value - s_.slots) % s_.n;
    return rest == 0 ? 0 : s_.n + rest - 1;
  }
  std::string bucket_name(std::uint32_t bucket) const override {
    if (bucket >= s_.n) return fmt::format("-{}", bucket - s_.n + 1);
    return s_.names.empty() ? fmt::format("{}{}", s_.prefix, bucket) : s_.names[bucket];
  }
  bool bucket_is_residual(std::uint32_t bucket) const override { return bucket >= s_.n; }

 private:
  Settings s_;
};

Hash take_integer(Params& params, Types types) {
  require_one_column(params, types);
  require_types(params, types,
                {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8, KeyType::kOid, KeyType::kNumeric});
  return integer_hash;
}

Hash take_dorm(Params& params, Types types) {
  require_one_column(params, types);
  std::string salt = params.bytes("salt", "dorm-shard");
  if (salt.size() > 64) params.fail("salt is longer than 64 bytes");
  TextForm form = take_text_form(params, types);
  return [hash = Blake2b(salt.substr(0, 64), 8), form](const KeyValue& v) -> Result<HashNumber> {
    Result<std::string> text = hashed_text(v, form);
    if (!text) return text.error();
    return HashNumber::of_unsigned(hash.first64(*text));
  };
}

Reduce take_reduce(Params& params, std::uint32_t n) {
  std::string text = params.text("reduce", "floor");
  if (text == "floor") return Reduce::kFloor;
  if (text == "trunc") return Reduce::kTrunc;
  if (text == "abs") return Reduce::kAbs;
  if (text == "sql_abs") return Reduce::kSqlAbs;
  if (text != "mask") params.fail("reduce must be floor, trunc, abs, sql_abs or mask");
  // h & (n-1) in two's complement is the floored modulo of a power of two.
  if ((n & (n - 1)) != 0) params.fail("mask needs a power of two for n");
  return Reduce::kFloor;
}

Reduce reduce_of(std::string_view name, Params& params, std::uint32_t n) {
  if (name == "mod_trunc") return Reduce::kTrunc;
  if (name == "mod_abs") return Reduce::kAbs;
  if (name == "digest_mod") return take_reduce(params, n);
  if (name == "plproxy") {
    if (params.flag("modular_mapping", false)) return Reduce::kAbs;
    if ((n & (n - 1)) != 0) params.fail("n must be a power of two without modular_mapping");
  }
  return Reduce::kFloor;
}

}  // namespace

FunctionPtr make_modulo(std::string_view name, Params& params, Types types) {
  Modulo::Settings s;
  s.n = take_buckets(params);
  s.reduce = reduce_of(name, params, s.n);
  std::uint64_t max = s.reduce == Reduce::kTrunc ? kMaxSlots / 2 : kMaxSlots;
  s.slots = take_slots(params, s.n, max);
  if (s.n > max) params.fail(fmt::format("n must be at most {}", max));
  s.names = take_names(params, s.n);
  if (name == "digest_mod") {
    s.hash = take_digest(params, types, "");
    s.by_equality = text_follows_equality(types);
  } else if (name == "dorm") {
    s.hash = take_dorm(params, types);
    s.prefix = "shard_";
    s.by_equality = text_follows_equality(types);
  } else if (name == "plproxy") {
    s.hash = take_digest(params, types, "pg_hash32");
  } else {
    s.hash = take_integer(params, types);
  }
  return std::make_shared<Modulo>(name, types, std::move(s));
}

FunctionPtr make_pgdog(std::string_view name, Params& params, Types types) {
  require_one_column(params, types);
  require_types(params, types,
                {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8, KeyType::kUuid, KeyType::kVarchar,
                 KeyType::kText});
  std::string hasher = params.text("hasher", "postgres");
  if (hasher == "postgres") return make_postgres(name, params, types);
  if (hasher != "sha1") params.fail("hasher must be postgres or sha1");
  Modulo::Settings s;
  s.n = take_buckets(params);
  s.slots = take_slots(params, s.n);
  s.names = take_names(params, s.n);
  s.hash = [](const KeyValue& v) -> Result<HashNumber> {
    std::string bytes = v.type() == KeyType::kUuid ? std::string(v.bytes()) : to_text(v);
    return HashNumber::of_big_endian(sha1(bytes).substr(16));
  };
  return std::make_shared<Modulo>(name, types, std::move(s));
}

}  // namespace shoal::keys
