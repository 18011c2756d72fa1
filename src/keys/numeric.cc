// numeric in base 10000 and its decimal texts.
#include "keys/numeric.h"

#include <climits>

namespace shoal::keys {
namespace {

using Sign = NumericParts::Sign;
constexpr int kDigits = 4;             // decimal digits of one base-10000 digit
constexpr int kMaxScale = 0x3FFF;      // NUMERIC_DSCALE_MASK
constexpr int kMaxWeight = INT16_MAX;  // NUMERIC_WEIGHT_MAX
constexpr int kMinWeight = INT16_MIN;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == y; });
}

Error bad_syntax(std::string_view text) {
  return make_error("22P02", fmt::format("invalid input syntax for type numeric: \"{}\"", text));
}

Error overflows() {
  return make_error("22003", "value overflows numeric format");
}

unsigned digit_at(std::string_view digits, std::size_t i) {
  return static_cast<unsigned char>(digits[2 * i]) |
         static_cast<unsigned>(static_cast<unsigned char>(digits[2 * i + 1])) << 8;
}

void push_digit(std::string& digits, unsigned digit) {
  digits.push_back(static_cast<char>(digit & 0xFF));
  digits.push_back(static_cast<char>(digit >> 8));
}

// The decimal digits of a finite value, without point: `point` digits stand before it (may be
// negative: so many zeros follow the point first).
struct Decimal {
  std::string digits;
  std::int64_t point = 0;
};

Decimal to_decimal(const NumericParts& parts) {
  Decimal d;
  for (std::size_t i = 0; i < parts.digits.size() / 2; ++i) {
    d.digits += fmt::format("{:04}", digit_at(parts.digits, i));
  }
  d.point = static_cast<std::int64_t>(parts.weight + 1) * kDigits;
  return d;
}

KeyValue from_decimal(Sign sign, std::string_view decimal, std::int64_t point, int scale) {
  // Align groups of four at the point.
  std::int64_t weight = point > 0 ? (point + 3) / kDigits - 1 : -((-point) / kDigits + 1);
  std::int64_t lead = (weight + 1) * kDigits - point;
  if (lead < 0) lead = 0;
  std::string aligned(static_cast<std::size_t>(lead), '0');
  aligned += decimal;
  aligned.append((kDigits - aligned.size() % kDigits) % kDigits, '0');
  std::string digits;
  for (std::size_t i = 0; i < aligned.size(); i += kDigits) {
    unsigned digit = 0;
    for (int j = 0; j < kDigits; ++j)
      digit = digit * 10 + static_cast<unsigned>(aligned[i + j] - '0');
    push_digit(digits, digit);
  }
  return numeric_of_digits(sign, static_cast<std::int32_t>(weight),
                           static_cast<std::uint16_t>(scale), std::move(digits));
}

std::optional<NumericParts::Sign> special(std::string_view text) {
  if (equal_ignoring_case(text, "nan")) return Sign::kNan;
  bool minus = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (equal_ignoring_case(text, "infinity") || equal_ignoring_case(text, "inf")) {
    return minus ? Sign::kMinusInfinity : Sign::kInfinity;
  }
  return std::nullopt;
}

int sign_rank(Sign sign) {
  switch (sign) {
    case Sign::kMinusInfinity:
      return 0;
    case Sign::kNegative:
      return 1;
    case Sign::kPositive:
      return 2;
    case Sign::kInfinity:
      return 3;
    case Sign::kNan:
      return 4;
  }
  return 4;
}

}  // namespace

KeyValue numeric_of_digits(Sign sign, std::int32_t weight, std::uint16_t scale,
                           std::string digits) {
  std::size_t first = 0;
  while (first < digits.size() && digits[first] == 0 && digits[first + 1] == 0) {
    first += 2;
    --weight;
  }
  std::size_t last = digits.size();
  while (last > first && digits[last - 1] == 0 && digits[last - 2] == 0) last -= 2;
  NumericParts parts;
  parts.sign = sign;
  parts.scale = scale;
  parts.digits = std::string_view(digits).substr(first, last - first);
  parts.weight = parts.digits.empty() ? 0 : weight;
  if (parts.digits.empty() && sign == Sign::kNegative) parts.sign = Sign::kPositive;
  return KeyValue::of_numeric(parts);
}

Result<KeyValue> numeric_from_text(std::string_view text, std::string_view whole) {
  if (auto sign = special(text)) return numeric_of_digits(*sign, 0, 0, {});
  Sign sign = Sign::kPositive;
  std::size_t i = 0;
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
    if (text[i] == '-') sign = Sign::kNegative;
    ++i;
  }
  std::string decimal;
  std::int64_t point = 0, scale = 0;
  bool after_point = false;
  for (; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      decimal.push_back(text[i]);
      after_point ? ++scale : ++point;
    } else if (text[i] == '.' && !after_point) {
      after_point = true;
    } else {
      break;
    }
  }
  if (decimal.empty()) return bad_syntax(whole);
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    // C's strtol reads the exponent, and that skips blanks.
    while (i < text.size() && (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r'))) ++i;
    bool minus = i < text.size() && text[i] == '-';
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (i == text.size()) return bad_syntax(whole);
    std::int64_t exponent = 0;
    for (; i < text.size() && is_digit(text[i]); ++i) {
      exponent = exponent * 10 + (text[i] - '0');
      if (exponent >= INT_MAX / 2) return overflows();
    }
    if (!is_digit(text[i - 1])) return bad_syntax(whole);
    if (minus) exponent = -exponent;
    point += exponent;
    scale = std::max<std::int64_t>(scale - exponent, 0);
  }
  if (i != text.size()) return bad_syntax(whole);
  // Zero has neither weight nor digits, however it was written.
  std::size_t first = decimal.find_first_not_of('0');
  if (scale > kMaxScale) return overflows();
  if (first == std::string::npos) {
    return numeric_of_digits(Sign::kPositive, 0, static_cast<std::uint16_t>(scale), {});
  }
  decimal.erase(0, first);
  point -= static_cast<std::int64_t>(first);
  std::int64_t weight = point > 0 ? (point + 3) / kDigits - 1 : -((-point) / kDigits + 1);
  if (weight > kMaxWeight || weight < kMinWeight) return overflows();
  return from_decimal(sign, decimal, point, static_cast<int>(scale));
}

KeyValue numeric_from_integer(std::int64_t number) {
  std::uint64_t magnitude =
      number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::string decimal = std::to_string(magnitude);
  return from_decimal(number < 0 ? Sign::kNegative : Sign::kPositive, decimal,
                      static_cast<std::int64_t>(decimal.size()), 0);
}

std::string numeric_to_text(const NumericParts& parts) {
  switch (parts.sign) {
    case Sign::kNan:
      return "NaN";
    case Sign::kInfinity:
      return "Infinity";
    case Sign::kMinusInfinity:
      return "-Infinity";
    case Sign::kPositive:
    case Sign::kNegative:
      break;
  }
  Decimal d = to_decimal(parts);
  std::string out = parts.sign == Sign::kNegative ? "-" : "";
  auto digit = [&](std::int64_t place) {  // place 0 is the first before-point digit's index
    return place < 0 || place >= static_cast<std::int64_t>(d.digits.size())
               ? '0'
               : d.digits[static_cast<std::size_t>(place)];
  };
  std::int64_t from = 0;
  while (from < d.point && digit(from) == '0') ++from;
  if (from >= d.point) out += '0';
  for (std::int64_t i = from; i < d.point; ++i) out += digit(i);
  if (parts.scale > 0) out += '.';
  for (std::int64_t i = 0; i < parts.scale; ++i) out += digit(d.point + i);
  return out;
}

std::string numeric_to_canonical_text(const NumericParts& parts) {
  if (!parts.finite()) return numeric_to_text(parts);
  NumericParts wide = parts;
  std::int64_t fraction =
      (static_cast<std::int64_t>(parts.digits.size() / 2) - parts.weight - 1) * kDigits;
  wide.scale = static_cast<std::uint16_t>(std::clamp<std::int64_t>(fraction, 0, UINT16_MAX));
  std::string out = numeric_to_text(wide);
  if (wide.scale > 0) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out;
}

std::strong_ordering compare_numeric(const NumericParts& a, const NumericParts& b) {
  if (a.sign != b.sign) return sign_rank(a.sign) <=> sign_rank(b.sign);
  if (!a.finite()) return std::strong_ordering::equal;
  bool zero_a = a.digits.empty(), zero_b = b.digits.empty();
  std::strong_ordering magnitude = std::strong_ordering::equal;
  if (zero_a || zero_b) {
    magnitude = zero_b <=> zero_a;
  } else if (a.weight != b.weight) {
    magnitude = a.weight <=> b.weight;
  } else {
    std::size_t common = std::min(a.digits.size(), b.digits.size()) / 2;
    for (std::size_t i = 0; i < common && magnitude == 0; ++i) {
      magnitude = digit_at(a.digits, i) <=> digit_at(b.digits, i);
    }
    if (magnitude == 0) magnitude = a.digits.size() <=> b.digits.size();
  }
  return a.sign == Sign::kNegative ? 0 <=> magnitude : magnitude;
}

KeyValue round_numeric(const NumericParts& parts, std::int32_t scale) {
  std::uint16_t shown = static_cast<std::uint16_t>(std::clamp(scale, 0, kMaxScale));
  if (!parts.finite()) return KeyValue::of_numeric(parts);
  Decimal d = to_decimal(parts);
  std::int64_t keep = d.point + scale;  // so many leading digits stay
  if (keep < 0) return numeric_of_digits(Sign::kPositive, 0, shown, {});
  if (keep >= static_cast<std::int64_t>(d.digits.size())) {
    NumericParts same = parts;
    same.scale = shown;
    return KeyValue::of_numeric(same);
  }
  bool up = d.digits[static_cast<std::size_t>(keep)] >= '5';
  d.digits.resize(static_cast<std::size_t>(keep));
  if (up) {
    std::size_t i = d.digits.size();
    while (i > 0 && d.digits[i - 1] == '9') d.digits[--i] = '0';
    if (i > 0) {
      ++d.digits[i - 1];
    } else {
      d.digits.insert(d.digits.begin(), '1');
      ++d.point;
    }
  }
  if (d.digits.empty()) return numeric_of_digits(Sign::kPositive, 0, shown, {});
  return from_decimal(parts.sign, d.digits, d.point, shown);
}

std::optional<std::string> integral_digits(const NumericParts& parts) {
  if (!parts.finite()) return std::nullopt;
  if (static_cast<std::int64_t>(parts.digits.size() / 2) > parts.weight + 1) return std::nullopt;
  NumericParts whole = parts;
  whole.scale = 0;
  whole.sign = Sign::kPositive;
  return numeric_to_text(whole);
}

std::optional<std::int64_t> numeric_to_int64(const NumericParts& parts) {
  if (parts.weight > 5) return std::nullopt;  // 10000^5 > 2^63
  std::optional<std::string> digits = integral_digits(parts);
  if (!digits || digits->size() > 19) return std::nullopt;
  std::uint64_t magnitude = 0;
  for (char c : *digits) magnitude = magnitude * 10 + static_cast<unsigned>(c - '0');
  bool negative = parts.sign == Sign::kNegative;
  if (magnitude > static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

}  // namespace shoal::keys
