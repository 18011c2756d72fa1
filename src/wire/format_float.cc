// float4 and float8, printed as PostgreSQL prints them: the fewest digits that lie *strictly*
// nearer to the value than to its neighbours. (The C++ library also takes digits that lie exactly
// half way when reading rounds them back; PostgreSQL does not rely on the reader's rounding.)
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "wire/bytes.h"
#include "wire/format.h"
#include "wire/format_types.h"

namespace shoal::wire {
namespace {

using namespace format_types;

// A finite positive value as digits * 10^exponent, no zeros at the end of digits.
struct Decimal {
  std::uint64_t digits = 0;
  int exponent = 0;
};

template <class Float>
Decimal make_decimal(const char* first, const char* last) {
  // The library wrote d[.ddd]e[+-]xx.
  Decimal d;
  int after_point = 0;
  bool point = false;
  for (; first != last && *first != 'e'; ++first) {
    if (*first == '.') {
      point = true;
      continue;
    }
    d.digits = d.digits * 10 + static_cast<std::uint64_t>(*first - '0');
    after_point += point;
  }
  first += 1;
  if (first != last && *first == '+') ++first;
  std::from_chars(first, last, d.exponent);
  d.exponent -= after_point;
  while (d.digits % 10 == 0) {
    d.digits /= 10;
    ++d.exponent;
  }
  return d;
}

// Whether digits * 10^exponent == odd * 2^any for the given odd number.
bool equals_times_power_of_two(Decimal d, std::uint64_t odd) {
  std::uint64_t digits = d.digits >> std::countr_zero(d.digits);
  for (; d.exponent < 0; ++d.exponent) {
    if (digits % 5 != 0) return false;
    digits /= 5;
  }
  for (; d.exponent > 0; --d.exponent) {
    if (odd % 5 != 0) return false;
    odd /= 5;
  }
  return digits == odd;
}

// Whether the decimal lies exactly half way between the value and a neighbour. The decimal is known
// to round to the value, so that comparing up to a power of two suffices.
template <class Float>
bool is_half_way(Decimal d, Float value) {
  int exponent = 0;
  const Float fraction = std::frexp(value, &exponent);
  constexpr int kBits = std::numeric_limits<Float>::digits;
  // A denormal has fewer bits, and so a coarser grid.
  const int bits = std::min(kBits, exponent - (std::numeric_limits<Float>::min_exponent - kBits));
  const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, bits));
  std::uint64_t below = mantissa * 2 - 1;
  const std::uint64_t above = mantissa * 2 + 1;
  // Below a power of two the grid is twice as fine.
  if (bits == kBits && std::has_single_bit(mantissa)) below = mantissa * 4 - 1;
  return equals_times_power_of_two(d, above) || equals_times_power_of_two(d, below);
}

template <class Float>
Decimal shortest_decimal(Float value) {
  char text[64];
  auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  Decimal d = make_decimal<Float>(text, end);
  constexpr int kMost = std::numeric_limits<Float>::max_digits10;
  for (int precision = 0; precision < kMost && is_half_way(d, value); ++precision) {
    end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, precision)
              .ptr;
    Float back{};
    std::from_chars(text, end, back);
    if (back == value) d = make_decimal<Float>(text, end);
  }
  return d;
}

// `fixed_below`: from this exponent on PostgreSQL uses the scientific form.
template <class Float>
std::string print_float(Float value, int fixed_below) {
  if (std::isnan(value)) return "NaN";
  std::string out = std::signbit(value) ? "-" : "";
  if (std::isinf(value)) return out + "Infinity";
  if (value == 0) return out + "0";
  const Decimal d = shortest_decimal(std::abs(value));
  std::string digits = std::to_string(d.digits);
  const int count = static_cast<int>(digits.size());
  const int exponent = d.exponent + count - 1;
  if (exponent < -4 || exponent >= fixed_below) {
    if (count > 1) digits.insert(1, ".");
    const std::string power = std::to_string(std::abs(exponent));
    return out + digits + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return out + "0." + std::string(-exponent - 1, '0') + digits;
  if (exponent >= count - 1) return out + digits + std::string(exponent - count + 1, '0');
  return out + digits.insert(exponent + 1, ".");
}

template <class Float>
Result<Float> parse_float(std::string_view type, std::string_view text) {
  std::string_view word = trim(text);
  const bool negative = word.starts_with('-');
  if (negative || word.starts_with('+')) word.remove_prefix(1);
  constexpr Float kInfinity = std::numeric_limits<Float>::infinity();
  Float value{};
  if (equal_ignoring_case(word, "infinity") || equal_ignoring_case(word, "inf")) {
    value = kInfinity;
  } else if (equal_ignoring_case(word, "nan")) {
    return std::numeric_limits<Float>::quiet_NaN();
  } else {
    const char first = word.empty() ? 'x' : word[0];
    if (first != '.' && !(first >= '0' && first <= '9')) return bad_text(type, text);
    const char* const end = word.data() + word.size();
    const auto [stop, code] = std::from_chars(word.data(), end, value);
    if (code == std::errc::invalid_argument || stop != end) return bad_text(type, text);
    if (code != std::errc()) {
      return make_error(
          "22003", "\"" + std::string(text) + "\" is out of range for type " + std::string(type));
    }
  }
  return negative ? -value : value;
}

}  // namespace

std::string print_float8(double value) {
  return print_float(value, 15);
}
std::string print_float4(float value) {
  return print_float(value, 6);
}

namespace format_types {

Result<std::string> float8_from_text(std::string_view text) {
  const Result<double> value = parse_float<double>("double precision", text);
  if (!value) return value.error();
  std::string raw;
  append_u64(raw, std::bit_cast<std::uint64_t>(*value));
  return raw;
}

Result<std::string> float4_from_text(std::string_view text) {
  const Result<float> value = parse_float<float>("real", text);
  if (!value) return value.error();
  std::string raw;
  append_u32(raw, std::bit_cast<std::uint32_t>(*value));
  return raw;
}

}  // namespace format_types
}  // namespace shoal::wire
