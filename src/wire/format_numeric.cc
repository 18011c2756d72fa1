// numeric between text and binary.
//   numeric := ndigits:i16 weight:i16 sign:u16 dscale:u16 ndigits*(digit:i16)
// Digits are base 10000; the first stands for digit * 10000^weight. dscale is the number of decimal
// digits printed after the point. Sign: 0 plus, 4000 minus, C000 NaN, D000 and F000 the infinities.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "wire/bytes.h"
#include "wire/format_types.h"

namespace shoal::wire::format_types {
namespace {

constexpr std::uint16_t kPlus = 0x0000, kMinus = 0x4000, kNan = 0xC000, kInfinity = 0xD000,
                        kMinusInfinity = 0xF000;
constexpr long kMaxScale = 16'383;          // NUMERIC_DSCALE_MAX
constexpr long kMaxDigitsBefore = 131'072;  // what weight can express

std::string special(std::uint16_t sign) {
  std::string raw;
  append_u32(raw, 0);
  append_u16(raw, sign);
  append_u16(raw, 0);
  return raw;
}

// A literal cut into its parts: digits hold no point; the value is digits * 10^-scale.
struct Literal {
  bool negative = false;
  std::string digits;
  long scale = 0;
};

enum class Cut { kOk, kBad, kOverflow };

Cut cut_literal(std::string_view word, Literal& out) {
  if (word.starts_with('-') || word.starts_with('+')) {
    out.negative = word[0] == '-';
    word.remove_prefix(1);
  }
  bool point = false;
  std::size_t i = 0;
  for (; i < word.size(); ++i) {
    if (word[i] == '.' && !point) {
      point = true;
    } else if (word[i] >= '0' && word[i] <= '9') {
      out.digits.push_back(word[i]);
      out.scale += point;
    } else {
      break;
    }
  }
  if (out.digits.empty()) return Cut::kBad;
  if (i == word.size()) return Cut::kOk;
  if (word[i] != 'e' && word[i] != 'E') return Cut::kBad;
  std::string_view power = word.substr(i + 1);
  if (power.size() > 1 && power[0] == '+' && power[1] != '-') power.remove_prefix(1);
  int exponent = 0;
  const char* const end = power.data() + power.size();
  const auto [stop, code] = std::from_chars(power.data(), end, exponent);
  if (code == std::errc::invalid_argument || stop != end || power.empty()) return Cut::kBad;
  constexpr int kMaxExponent = 1 << 30;
  if (code != std::errc() || exponent >= kMaxExponent || exponent <= -kMaxExponent) {
    return Cut::kOverflow;
  }
  out.scale -= exponent;
  return Cut::kOk;
}

}  // namespace

Result<std::string> numeric_from_text(std::string_view text) {
  const std::string_view word = trim(text);
  if (equal_ignoring_case(word, "nan")) return special(kNan);
  for (const std::string_view name : {"infinity", "inf"}) {
    if (equal_ignoring_case(word, name)) return special(kInfinity);
    if (word.empty() || !equal_ignoring_case(word.substr(1), name)) continue;
    if (word[0] == '+') return special(kInfinity);
    if (word[0] == '-') return special(kMinusInfinity);
  }
  Literal literal;
  const Cut cut = cut_literal(word, literal);
  if (cut == Cut::kBad) return bad_text("numeric", text);
  const Error overflow = make_error("22003", "value overflows numeric format");
  if (cut == Cut::kOverflow || literal.scale > kMaxScale) return overflow;

  const long dscale = std::max(literal.scale, 0L);
  const std::size_t first = literal.digits.find_first_not_of('0');
  std::string digits = first == std::string::npos ? "" : literal.digits.substr(first);
  const long before = static_cast<long>(digits.size()) - literal.scale;
  if (!digits.empty() && before > kMaxDigitsBefore) return overflow;
  // Fill up with zeros on both sides, so that the point falls between two groups of four.
  if (literal.scale < 0) digits.append(digits.empty() ? 0 : -literal.scale, '0');
  digits.append((4 - dscale % 4) % 4, '0');
  const long after_groups = (dscale + 3) / 4;
  digits.insert(0, (4 - digits.size() % 4) % 4, '0');

  std::vector<std::uint16_t> groups;
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    std::uint16_t group = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 4, group);
    groups.push_back(group);
  }
  long weight = static_cast<long>(groups.size()) - after_groups - 1;
  while (!groups.empty() && groups.back() == 0) groups.pop_back();
  const auto lead = std::find_if(groups.begin(), groups.end(), [](auto g) { return g != 0; });
  weight -= lead - groups.begin();
  groups.erase(groups.begin(), lead);
  if (groups.empty()) weight = 0;

  std::string raw;
  append_u16(raw, static_cast<std::uint16_t>(groups.size()));
  append_u16(raw, static_cast<std::uint16_t>(weight));
  append_u16(raw, literal.negative && !groups.empty() ? kMinus : kPlus);
  append_u16(raw, static_cast<std::uint16_t>(dscale));
  for (const std::uint16_t group : groups) append_u16(raw, group);
  return raw;
}

Result<std::string> numeric_to_text(std::string_view raw) {
  Cursor in(raw);
  const long count = in.u16();
  const long weight = in.i16();
  const std::uint16_t sign = in.u16();
  const long dscale = in.u16();
  Cursor groups(in.bytes(static_cast<std::size_t>(count) * 2));
  if (!in.done()) return bad_binary();
  if (sign == kNan) return std::string("NaN");
  if (sign == kInfinity) return std::string("Infinity");
  if (sign == kMinusInfinity) return std::string("-Infinity");
  if ((sign != kPlus && sign != kMinus) || dscale > kMaxScale) return bad_binary();

  std::string before, after;
  for (long i = 0; i < count; ++i) {
    const std::uint16_t group = groups.u16();
    if (group > 9999) return bad_binary();
    const long power = weight - i;
    if (power < -1) after.resize(std::max<std::size_t>(after.size(), (-power - 1) * 4), '0');
    (power >= 0 ? before : after) += fmt::format("{:04}", group);
  }
  // Groups that were left out because they are zero.
  if (weight >= count) before.append((weight - count + 1) * 4, '0');
  const std::size_t lead = before.find_first_not_of('0');
  before = lead == std::string::npos ? "0" : before.substr(lead);
  after.resize(static_cast<std::size_t>(dscale), '0');
  if (dscale > 0) before += "." + after;
  // Digits behind dscale are cut off, and what is left may be zero, which has no sign.
  const bool negative = sign == kMinus && before.find_first_not_of("0.") != std::string::npos;
  return negative ? "-" + before : before;
}

}  // namespace shoal::wire::format_types
