// Schoolbook addition on base-10000 digits.
#include "merge/numeric_sum.h"

#include <algorithm>

#include "keys/numeric.h"

namespace shoal::merge {
namespace {

using keys::KeyValue;
using keys::NumericParts;
using Sign = NumericParts::Sign;

constexpr int kBase = 10000;
constexpr int kMaxWeight = 32767;  // NUMERIC_WEIGHT_MAX

int digit_count(const NumericParts& parts) {
  return static_cast<int>(parts.digits.size() / 2);
}

// The digit that stands for 10000^weight.
int digit_at(const NumericParts& parts, int weight) {
  const int index = parts.weight - weight;
  if (index < 0 || index >= digit_count(parts)) return 0;
  return static_cast<unsigned char>(parts.digits[2 * index]) |
         static_cast<unsigned char>(parts.digits[2 * index + 1]) << 8;
}

bool larger_or_equal_magnitude(const NumericParts& a, const NumericParts& b) {
  const int high = std::max(a.weight, b.weight);
  const int low = std::min(a.weight - digit_count(a), b.weight - digit_count(b));
  for (int weight = high; weight > low; --weight) {
    const int order = digit_at(a, weight) - digit_at(b, weight);
    if (order != 0) return order > 0;
  }
  return true;
}

// sign * (|a| + direction * |b|); for direction -1 |a| must not be the smaller.
Result<KeyValue> add_magnitudes(Sign sign, const NumericParts& a, const NumericParts& b,
                                int direction) {
  const int high = std::max(a.weight, b.weight) + 1;
  const int low = std::min(a.weight - digit_count(a), b.weight - digit_count(b)) + 1;
  std::string digits(static_cast<std::size_t>(std::max(high - low + 1, 0)) * 2, '\0');
  int carry = 0, top = low;
  for (int weight = low; weight <= high; ++weight) {
    int digit = digit_at(a, weight) + direction * digit_at(b, weight) + carry;
    carry = digit < 0 ? -1 : digit >= kBase ? 1 : 0;
    digit -= carry * kBase;
    digits[2 * (high - weight)] = static_cast<char>(digit & 0xFF);
    digits[2 * (high - weight) + 1] = static_cast<char>(digit >> 8);
    if (digit != 0) top = weight;
  }
  if (top > kMaxWeight) return make_error("22003", "value overflows numeric format");
  return keys::numeric_of_digits(sign, high, std::max(a.scale, b.scale), std::move(digits));
}

KeyValue special(Sign sign) {
  NumericParts parts;
  parts.sign = sign;
  return KeyValue::of_numeric(parts);
}

}  // namespace

Result<KeyValue> add_numeric(const KeyValue& left, const KeyValue& right) {
  const NumericParts a = left.numeric(), b = right.numeric();
  if (!a.finite() || !b.finite()) {
    if (a.finite()) return special(b.sign);
    if (b.finite() || a.sign == b.sign) return special(a.sign);
    return special(Sign::kNan);  // also infinity plus minus infinity
  }
  if (a.digits.empty() && b.digits.empty()) {
    return keys::numeric_of_digits(Sign::kPositive, 0, std::max(a.scale, b.scale), {});
  }
  if (a.digits.empty())
    return add_magnitudes(b.sign, b, NumericParts{.scale = a.scale, .weight = b.weight}, 1);
  if (b.digits.empty())
    return add_magnitudes(a.sign, a, NumericParts{.scale = b.scale, .weight = a.weight}, 1);
  if (a.sign == b.sign) return add_magnitudes(a.sign, a, b, 1);
  return larger_or_equal_magnitude(a, b) ? add_magnitudes(a.sign, a, b, -1)
                                         : add_magnitudes(b.sign, b, a, -1);
}

}  // namespace shoal::merge
