// The digest family: which hash, which bytes of it, read in which order, signed or not.
#include "keys/digest.h"
#include "keys/function_base.h"
#include "keys/numeric.h"
#include "keys/pg_hash.h"

namespace shoal::keys {
namespace {

using Digest = std::function<std::string(std::string_view)>;

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

struct Named {
  std::size_t size = 0;  // 0 = unknown digest
  Digest digest;
};

Named named_digest(Params& params, std::string_view name) {
  if (name == "md5") return {16, md5};
  if (name == "sha1") return {20, sha1};
  if (name == "sha224") return {28, sha224};
  if (name == "sha256") return {32, sha256};
  if (name == "sha384") return {48, sha384};
  if (name == "sha512") return {64, sha512};
  if (name == "crc32") {
    return {4, [](std::string_view s) { return big_endian(crc32(s), 4); }};
  }
  if (name == "murmur3_32") {
    auto seed = static_cast<std::uint32_t>(params.number("seed", 0, UINT32_MAX, 0));
    return {4, [seed](std::string_view s) { return big_endian(murmur3_32(s, seed), 4); }};
  }
  if (name == "city32") {
    return {4, [](std::string_view s) { return big_endian(city32(s), 4); }};
  }
  if (name == "xxh64") {
    std::uint64_t seed = params.number("seed", 0, UINT64_MAX, 0);
    return {8, [seed](std::string_view s) { return big_endian(xxh64(s, seed), 8); }};
  }
  if (name == "blake2b") {
    std::size_t size = params.number("size", 1, 64, 64);
    std::string salt = params.bytes("salt", "");
    if (salt.size() > 64) params.fail("salt is longer than 64 bytes");
    return {size, Blake2b(salt.substr(0, 64), size)};
  }
  return {};
}

struct Slice {
  std::size_t from = 0, count = 0;
};

// "all", "first4", "last8".
Slice take_slice(Params& params, std::size_t size) {
  std::string text = params.text("slice", "all");
  if (text == "all") return {0, size};
  bool first = text.rfind("first", 0) == 0, last = text.rfind("last", 0) == 0;
  std::string digits = text.substr(std::min(text.size(), std::size_t{first ? 5u : 4u}));
  std::size_t count = 0;
  if (!digits.empty() && digits.size() <= 2 &&
      digits.find_first_not_of("0123456789") == std::string::npos) {
    count = std::stoul(digits);
  }
  if ((!first && !last) || count == 0 || count > size) {
    params.fail(fmt::format("slice must be all, firstN or lastN with N up to {}", size));
    return {0, size};
  }
  return {first ? 0 : size - count, count};
}

HashNumber read_number(std::string bytes, bool little, bool is_signed) {
  if (little) std::reverse(bytes.begin(), bytes.end());
  bool negative = is_signed && !bytes.empty() && (bytes[0] & 0x80) != 0;
  if (!negative) return HashNumber::of_big_endian(bytes);
  // Signed slices are 8 bytes at most (take_digest sees to it).
  std::uint64_t value = ~std::uint64_t{0};
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return HashNumber::of_signed(static_cast<std::int64_t>(value));
}

}  // namespace

Result<HashNumber> integer_hash(const KeyValue& value) {
  if (value.type() != KeyType::kNumeric) return HashNumber::of_signed(value.integer());
  NumericParts parts = value.numeric();
  // 512 bits hold every integer below 10^154.
  std::optional<std::string> digits;
  if (parts.weight < 38) digits = integral_digits(parts);
  if (!digits) return refuse(Refusal::kKeyValue, to_text(value) + " is not an integer that fits");
  return HashNumber::of_decimal(*digits, parts.sign == NumericParts::Sign::kNegative);
}

Result<std::uint64_t> unsigned64(const KeyValue& value) {
  Result<HashNumber> number = integer_hash(value);
  if (!number) return number.error();
  HashNumber low = HashNumber::of_unsigned(number->low64());
  if (number->negative() || low.to_decimal() != number->to_decimal()) {
    return refuse(Refusal::kKeyValue, to_text(value) + " is not an unsigned 64-bit integer");
  }
  return number->low64();
}

Hash take_digest(Params& params, Types types, std::string_view default_digest) {
  std::string name = params.text("digest", default_digest);
  require_one_column(params, types);
  if (name == "pg_hash32" || name == "hashtext") {
    return
        [](const KeyValue& v) -> Result<HashNumber> { return HashNumber::of_signed(pg_hash32(v)); };
  }
  if (name == "python_int") {
    require_types(params, types,
                  {KeyType::kInt2, KeyType::kInt4, KeyType::kInt8, KeyType::kNumeric});
    return [](const KeyValue& v) -> Result<HashNumber> {
      Result<HashNumber> n = integer_hash(v);
      if (!n) return n.error();
      // hash() of an int: modulo the Mersenne prime 2^61-1 with the sign; -1 is reserved.
      std::uint64_t rest = n->magnitude_mod((std::uint64_t{1} << 61) - 1);
      if (!n->negative()) return HashNumber::of_unsigned(rest);
      std::int64_t hash = -static_cast<std::int64_t>(rest);
      return HashNumber::of_signed(hash == -1 ? -2 : hash);
    };
  }
  if (name == "uuid_int") {
    require_types(params, types, {KeyType::kUuid});
    return [](const KeyValue& v) -> Result<HashNumber> {
      return HashNumber::of_big_endian(v.bytes());
    };
  }
  Named named = named_digest(params, name);
  if (named.size == 0) {
    params.fail(fmt::format("there is no digest \"{}\"", name));
    return {};
  }
  TextForm form = take_text_form(params, types);
  Slice slice = take_slice(params, named.size);
  std::string endian = params.text("endian", "big");
  bool is_signed = params.flag("signed", false);
  if (endian != "big" && endian != "little") params.fail("endian must be big or little");
  if (is_signed && slice.count > 8) params.fail("a signed slice has at most 8 bytes");
  return [digest = std::move(named.digest), slice, form, little = endian == "little",
          is_signed](const KeyValue& v) -> Result<HashNumber> {
    Result<std::string> text = hashed_text(v, form);
    if (!text) return text.error();
    return read_number(digest(*text).substr(slice.from, slice.count), little, is_signed);
  };
}

}  // namespace shoal::keys
