// From one key type to another: what an assignment stores, and which value compares equal.
#include <cfloat>
#include <climits>
#include <cmath>

#include "keys/datetime.h"
#include "keys/numeric.h"
#include "keys/value.h"

namespace shoal::keys {
namespace {

bool is_integer_type(KeyType t) {
  return family_of(t) == KeyType::kInt8;
}
bool is_text_type(KeyType t) {
  return family_of(t) == KeyType::kText;
}

bool fits(KeyType type, std::int64_t n) {
  if (type == KeyType::kInt2) return n >= INT16_MIN && n <= INT16_MAX;
  if (type == KeyType::kInt4) return n >= INT32_MIN && n <= INT32_MAX;
  return true;
}

Error out_of_range(KeyType to) {
  std::string_view name =
      to == KeyType::kInt2 ? "smallint" : (to == KeyType::kInt4 ? "integer" : "bigint");
  return make_error("22003", fmt::format("{} out of range", name));
}

Error unknown_cast(KeyType from, KeyType to) {
  return refuse(Refusal::kKeyNeedsServer, fmt::format("the router does not convert {} to {}",
                                                      type_name(from), type_name(to)));
}

// Length in characters of UTF-8 text, and the byte where character n begins.
std::size_t byte_of_character(std::string_view text, std::size_t n) {
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && n-- == 0) return i;
  }
  return i;
}

Result<KeyValue> cut_text(KeyValue value, std::size_t characters) {
  std::string_view text = value.bytes();
  std::size_t end = byte_of_character(text, characters);
  if (end == text.size()) return value;
  if (text.find_first_not_of(' ', end) != std::string_view::npos) {
    return make_error(
        "22001", fmt::format("value too long for type {}({})",
                             value.type() == KeyType::kVarchar ? "character varying" : "character",
                             characters));
  }
  return KeyValue::of_bytes(value.type(), std::string(text.substr(0, end)));
}

Result<KeyValue> fit_numeric(const KeyValue& value, std::int32_t typmod) {
  std::int32_t precision = typmod >> 16 & 0xFFFF;
  std::int32_t scale = ((typmod & 0x7FF) ^ 1024) - 1024;  // eleven bits, signed since 15
  NumericParts parts = value.numeric();
  auto overflow = [&] {
    return make_error("22003", "numeric field overflow",
                      fmt::format("A field with precision {}, scale {} must round to an absolute "
                                  "value less than 10^{}.",
                                  precision, scale, precision - scale));
  };
  if (parts.sign == NumericParts::Sign::kNan) return value;
  if (!parts.finite()) return overflow();
  KeyValue rounded = round_numeric(parts, scale);
  NumericParts r = rounded.numeric();
  if (r.digits.empty()) return rounded;
  unsigned first = static_cast<unsigned char>(r.digits[0]) |
                   static_cast<unsigned>(static_cast<unsigned char>(r.digits[1])) << 8;
  std::int32_t before_point = r.weight * 4 + (first >= 1000  ? 4
                                              : first >= 100 ? 3
                                              : first >= 10  ? 2
                                                             : 1);
  if (before_point > precision - scale) return overflow();
  return rounded;
}

Result<KeyValue> integer_from_numeric(const NumericParts& parts, KeyType to) {
  if (!parts.finite()) {
    return make_error("0A000", parts.sign == NumericParts::Sign::kNan
                                   ? "cannot convert NaN to integer"
                                   : "cannot convert infinity to integer");
  }
  std::optional<std::int64_t> n = numeric_to_int64(round_numeric(parts, 0).numeric());
  if (!n || !fits(to, *n)) return out_of_range(to);
  return KeyValue::of_integer(to, *n);
}

// A float that is an integer below 2^53 is exact on both sides of the comparison.
std::optional<std::int64_t> exact_integer(double d) {
  if (!(std::fabs(d) < 9007199254740992.0) || d != std::floor(d)) return std::nullopt;
  return static_cast<std::int64_t>(d);
}

using Equal = Result<std::optional<KeyValue>>;

Equal equal_integer(const KeyValue& value, KeyType to) {
  std::optional<std::int64_t> n;
  if (is_integer_type(value.type())) {
    n = value.integer();
  } else if (value.type() == KeyType::kNumeric) {
    n = numeric_to_int64(value.numeric());
  } else if (family_of(value.type()) == KeyType::kFloat8) {
    double d = value.floating();
    // Beyond 2^53 the integer side is rounded to a float first: several integers may be equal.
    if (std::fabs(d) >= 9007199254740992.0 && std::isfinite(d)) {
      return unknown_cast(value.type(), to);
    }
    n = exact_integer(d);
  } else {
    return unknown_cast(value.type(), to);
  }
  if (!n || !fits(to, *n)) return std::optional<KeyValue>();
  return std::optional<KeyValue>(KeyValue::of_integer(to, *n));
}

}  // namespace

Result<KeyValue> apply_typmod(KeyValue value, std::int32_t typmod) {
  if (typmod < 0 || value.is_null()) return value;
  switch (value.type()) {
    case KeyType::kVarchar:
    case KeyType::kBpchar:
      if (typmod < 4) return value;
      return cut_text(std::move(value), static_cast<std::size_t>(typmod - 4));
    case KeyType::kNumeric:
      if (typmod < 4) return value;
      return fit_numeric(value, typmod - 4);
    case KeyType::kTime:
      return KeyValue::of_integer(value.type(), round_micros(value.integer(), typmod));
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz: {
      std::int64_t micros = value.integer();
      if (micros == INT64_MAX || micros == INT64_MIN) return value;
      return KeyValue::of_integer(value.type(), round_micros(micros, typmod));
    }
    default:
      return value;
  }
}

Result<KeyValue> cast_for_assignment(const KeyValue& value, KeyType to) {
  KeyType from = value.type();
  if (value.is_null()) return KeyValue::null(to);
  if (from == to) return value;
  if (is_integer_type(from) && is_integer_type(to)) {
    if (!fits(to, value.integer())) return out_of_range(to);
    return KeyValue::of_integer(to, value.integer());
  }
  if (is_integer_type(from) && to == KeyType::kNumeric)
    return numeric_from_integer(value.integer());
  if (from == KeyType::kNumeric && is_integer_type(to)) {
    return integer_from_numeric(value.numeric(), to);
  }
  bool textual = (is_text_type(from) || from == KeyType::kBpchar) &&
                 (is_text_type(to) || to == KeyType::kBpchar);
  if (textual) {
    if (to == KeyType::kName) return parse_text(to, value.bytes());
    return KeyValue::of_bytes(to, std::string(value.bytes()));
  }
  bool infinite =
      from == KeyType::kDate && (value.integer() == INT32_MAX || value.integer() == INT32_MIN);
  if (from == KeyType::kDate && to == KeyType::kTimestamp) {
    if (infinite) {
      return KeyValue::of_integer(to, value.integer() == INT32_MAX ? INT64_MAX : INT64_MIN);
    }
    if (value.integer() >= kEndTimestamp / kMicrosPerDay) {
      return make_error("22008", "date out of range for timestamp");
    }
    return KeyValue::of_integer(to, value.integer() * kMicrosPerDay);
  }
  return unknown_cast(from, to);
}

Result<std::optional<KeyValue>> equal_value(const KeyValue& value, KeyType to) {
  KeyType from = value.type();
  if (value.is_null()) return std::optional<KeyValue>();
  if (from == to) return std::optional<KeyValue>(value);
  if (is_integer_type(to)) return equal_integer(value, to);
  if (to == KeyType::kNumeric && is_integer_type(from)) {
    return std::optional<KeyValue>(numeric_from_integer(value.integer()));
  }
  if (is_text_type(from) && is_text_type(to)) {
    if (to == KeyType::kName && value.bytes().size() > 63) return std::optional<KeyValue>();
    return std::optional<KeyValue>(KeyValue::of_bytes(to, std::string(value.bytes())));
  }
  // text = char(n) compares as text, with the blanks of char(n) removed.
  if (is_text_type(from) && to == KeyType::kBpchar) {
    std::string_view text = value.bytes();
    if (!text.empty() && text.back() == ' ') return std::optional<KeyValue>();
    return std::optional<KeyValue>(KeyValue::of_bytes(to, std::string(text)));
  }
  if (from == KeyType::kBpchar && is_text_type(to)) {
    return std::optional<KeyValue>(KeyValue::of_bytes(to, std::string(value.bytes())));
  }
  if (family_of(from) == KeyType::kFloat8 && family_of(to) == KeyType::kFloat8) {
    if (to == KeyType::kFloat8)
      return std::optional<KeyValue>(KeyValue::of_float(to, value.floating()));
    if (std::isfinite(value.floating()) && std::fabs(value.floating()) > FLT_MAX) {
      return std::optional<KeyValue>();
    }
    float narrow = static_cast<float>(value.floating());
    bool exact = static_cast<double>(narrow) == value.floating() || std::isnan(narrow);
    if (!exact) return std::optional<KeyValue>();
    return std::optional<KeyValue>(KeyValue::of_float(to, narrow));
  }
  return unknown_cast(from, to);
}

}  // namespace shoal::keys
