// The receive functions of the key types. Integers are big-endian; numeric is
//   int16 ndigits, int16 weight, uint16 sign (0, 0x4000, 0xC000 NaN, 0xD000 +inf, 0xF000 -inf),
//   uint16 dscale, then ndigits int16 in base 10000.
#include <bit>
#include <climits>

#include "keys/datetime.h"
#include "keys/numeric.h"
#include "keys/value.h"

namespace shoal::keys {
namespace {

Error wrong_format() {
  return make_error("22P03", "incorrect binary data format");
}
Error too_short() {
  return make_error("08P01", "insufficient data left in message");
}

std::uint64_t big_endian(std::string_view data) {
  std::uint64_t value = 0;
  for (char c : data) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// Exactly n bytes, or the error PostgreSQL gives for fewer or more.
Result<std::uint64_t> exactly(std::string_view data, std::size_t n) {
  if (data.size() < n) return too_short();
  if (data.size() > n) return wrong_format();
  return big_endian(data);
}

Result<KeyValue> receive_date(std::int32_t days) {
  bool infinite = days == INT32_MAX || days == INT32_MIN;
  if (!infinite && (days < kMinDate || days >= kEndDate)) {
    return make_error("22008", "date out of range");
  }
  return KeyValue::of_integer(KeyType::kDate, days);
}

Result<KeyValue> receive_timestamp(KeyType type, std::int64_t micros) {
  bool infinite = micros == INT64_MAX || micros == INT64_MIN;
  if (!infinite && (micros < kMinTimestamp || micros >= kEndTimestamp)) {
    return make_error("22008", "timestamp out of range");
  }
  return KeyValue::of_integer(type, micros);
}

Result<KeyValue> receive_numeric(std::string_view data) {
  using Sign = NumericParts::Sign;
  if (data.size() < 8) return too_short();
  std::size_t count = big_endian(data.substr(0, 2));
  std::int32_t weight = static_cast<std::int16_t>(big_endian(data.substr(2, 2)));
  std::uint64_t sign = big_endian(data.substr(4, 2));
  std::uint64_t scale = big_endian(data.substr(6, 2));
  auto bad = [](const char* what) {
    return make_error("22P03", fmt::format("invalid {} in external \"numeric\" value", what));
  };
  if (sign != 0 && sign != 0x4000 && sign != 0xC000 && sign != 0xD000 && sign != 0xF000) {
    return bad("sign");
  }
  if (scale > 0x3FFF) return bad("scale");
  data.remove_prefix(8);
  if (data.size() < count * 2) return too_short();
  if (data.size() > count * 2) return wrong_format();
  std::string digits;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t digit = big_endian(data.substr(i * 2, 2));
    if (digit > 9999) return bad("digit");
    digits.push_back(static_cast<char>(digit & 0xFF));
    digits.push_back(static_cast<char>(digit >> 8));
  }
  if (sign == 0xC000) return numeric_of_digits(Sign::kNan, 0, 0, {});
  if (sign == 0xD000) return numeric_of_digits(Sign::kInfinity, 0, 0, {});
  if (sign == 0xF000) return numeric_of_digits(Sign::kMinusInfinity, 0, 0, {});
  // PostgreSQL cuts decimal digits that the scale does not show.
  std::int64_t keep =
      (static_cast<std::int64_t>(weight) + 1) * 4 + static_cast<std::int64_t>(scale);
  if (keep <= 0) digits.clear();
  for (std::size_t i = 0; i < digits.size() / 2; ++i) {
    std::int64_t left = keep - static_cast<std::int64_t>(i) * 4;
    if (left >= 4) continue;
    unsigned digit = static_cast<unsigned char>(digits[2 * i]) |
                     static_cast<unsigned>(static_cast<unsigned char>(digits[2 * i + 1])) << 8;
    unsigned unit = left <= 0 ? 10000 : (left == 1 ? 1000 : (left == 2 ? 100 : 10));
    digit = digit / unit * unit;
    digits[2 * i] = static_cast<char>(digit & 0xFF);
    digits[2 * i + 1] = static_cast<char>(digit >> 8);
  }
  return numeric_of_digits(sign == 0x4000 ? Sign::kNegative : Sign::kPositive, weight,
                           static_cast<std::uint16_t>(scale), std::move(digits));
}

Result<KeyValue> receive_number(KeyType type, std::uint64_t bits) {
  switch (type) {
    case KeyType::kInt2:
      return KeyValue::of_integer(type, static_cast<std::int16_t>(bits));
    case KeyType::kInt4:
      return KeyValue::of_integer(type, static_cast<std::int32_t>(bits));
    case KeyType::kBool:
      return KeyValue::of_integer(type, bits != 0 ? 1 : 0);
    case KeyType::kDate:
      return receive_date(static_cast<std::int32_t>(bits));
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
      return receive_timestamp(type, static_cast<std::int64_t>(bits));
    case KeyType::kTime:
      if (bits > static_cast<std::uint64_t>(kMicrosPerDay)) {
        return make_error("22008", "time out of range");
      }
      return KeyValue::of_integer(type, static_cast<std::int64_t>(bits));
    case KeyType::kFloat4:
      return KeyValue::of_float(type, std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    case KeyType::kFloat8:
      return KeyValue::of_float(type, std::bit_cast<double>(bits));
    default:
      return KeyValue::of_integer(type, static_cast<std::int64_t>(bits));  // int8, oid
  }
}

}  // namespace

Result<KeyValue> parse_binary(KeyType type, std::string_view data) {
  std::size_t width = 8;
  switch (type) {
    case KeyType::kText:
    case KeyType::kVarchar:
    case KeyType::kBpchar:
    case KeyType::kName:
      if (type == KeyType::kName && data.size() >= 64) {
        return make_error("42622", "identifier too long",
                          "Identifier must be less than 64 characters.");
      }
      if (data.find('\0') != std::string_view::npos) {
        return make_error("22021", "invalid byte sequence for encoding \"UTF8\": 0x00");
      }
      return KeyValue::of_bytes(type, std::string(data));
    case KeyType::kBytea:
      return KeyValue::of_bytes(type, std::string(data));
    case KeyType::kUuid:
      SHOAL_TRY(exactly(data, 16));
      return KeyValue::of_bytes(type, std::string(data));
    case KeyType::kNumeric:
      return receive_numeric(data);
    case KeyType::kBool:
      width = 1;
      break;
    case KeyType::kInt2:
      width = 2;
      break;
    case KeyType::kInt4:
    case KeyType::kDate:
    case KeyType::kOid:
    case KeyType::kFloat4:
      width = 4;
      break;
    case KeyType::kInt8:
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
    case KeyType::kTime:
    case KeyType::kFloat8:
      break;
  }
  Result<std::uint64_t> bits = exactly(data, width);
  if (!bits) return bits.error();
  return receive_number(type, *bits);
}

Result<KeyValue> parse_binary(KeyType type, std::span<const std::byte> data) {
  return parse_binary(type,
                      std::string_view(reinterpret_cast<const char*>(data.data()), data.size()));
}

}  // namespace shoal::keys
