// Key types by name and oid, equality and order, and the output functions.
#include "keys/value.h"

#include <bit>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "keys/datetime.h"
#include "keys/numeric.h"

namespace shoal::keys {
namespace {

struct TypeRow {
  KeyType type;
  std::string_view name;
  std::uint32_t oid;  // pg_type.oid, fixed by PostgreSQL
  KeyType family;
};

constexpr TypeRow kTypes[] = {
    {KeyType::kInt2, "int2", 21, KeyType::kInt8},
    {KeyType::kInt4, "int4", 23, KeyType::kInt8},
    {KeyType::kInt8, "int8", 20, KeyType::kInt8},
    {KeyType::kText, "text", 25, KeyType::kText},
    {KeyType::kVarchar, "varchar", 1043, KeyType::kText},
    {KeyType::kBpchar, "bpchar", 1042, KeyType::kBpchar},
    {KeyType::kName, "name", 19, KeyType::kText},
    {KeyType::kUuid, "uuid", 2950, KeyType::kUuid},
    {KeyType::kDate, "date", 1082, KeyType::kDate},
    {KeyType::kTimestamp, "timestamp", 1114, KeyType::kTimestamp},
    {KeyType::kTimestamptz, "timestamptz", 1184, KeyType::kTimestamptz},
    {KeyType::kTime, "time", 1083, KeyType::kTime},
    {KeyType::kNumeric, "numeric", 1700, KeyType::kNumeric},
    {KeyType::kBool, "bool", 16, KeyType::kBool},
    {KeyType::kBytea, "bytea", 17, KeyType::kBytea},
    {KeyType::kOid, "oid", 26, KeyType::kOid},
    {KeyType::kFloat4, "float4", 700, KeyType::kFloat8},
    {KeyType::kFloat8, "float8", 701, KeyType::kFloat8},
};

constexpr const TypeRow& row(KeyType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

constexpr std::pair<std::string_view, KeyType> kAliases[] = {
    {"smallint", KeyType::kInt2},
    {"integer", KeyType::kInt4},
    {"int", KeyType::kInt4},
    {"bigint", KeyType::kInt8},
    {"character varying", KeyType::kVarchar},
    {"character", KeyType::kBpchar},
    {"char", KeyType::kBpchar},
    {"timestamp without time zone", KeyType::kTimestamp},
    {"timestamp with time zone", KeyType::kTimestamptz},
    {"time without time zone", KeyType::kTime},
    {"decimal", KeyType::kNumeric},
    {"boolean", KeyType::kBool},
    {"real", KeyType::kFloat4},
    {"double precision", KeyType::kFloat8},
};

std::strong_ordering compare_floats(double a, double b) {
  bool nan_a = std::isnan(a), nan_b = std::isnan(b);
  if (nan_a || nan_b) return nan_a <=> nan_b;
  return a < b ? std::strong_ordering::less
               : (a > b ? std::strong_ordering::greater : std::strong_ordering::equal);
}

// PostgreSQL's shortest exact form: plain digits while the exponent is at least -4 and below
// `fixed_digits`, scientific with at least two digits of exponent otherwise.
std::string shortest_text(std::string_view scientific, int fixed_digits) {
  bool minus = scientific.front() == '-';
  if (minus) scientific.remove_prefix(1);
  std::size_t e = scientific.find('e');
  std::string digits(1, scientific[0]);
  if (e > 1) digits += scientific.substr(2, e - 2);
  int exponent = 0;
  std::string_view power = scientific.substr(e + 1);
  if (power.front() == '+') power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string out = minus ? "-" : "";
  if (exponent < -4 || exponent >= fixed_digits) {
    out += digits[0];
    if (digits.size() > 1) out.append(1, '.').append(digits, 1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) {
    return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  std::size_t point = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() < point) digits.append(point - digits.size(), '0');
  out += digits.substr(0, point);
  if (digits.size() > point) out.append(1, '.').append(digits, point);
  return out;
}

// Digits after the first one of "d.ddde+XX", plus one.
int significant_digits(std::string_view scientific) {
  std::size_t e = scientific.find('e');
  std::string_view mantissa = scientific.substr(0, e);
  return static_cast<int>(
      std::count_if(mantissa.begin(), mantissa.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

// Whether the decimal is exactly the midpoint. The comparison as numbers may hide a difference in
// the last bit, so the midpoint's whole decimal expansion decides.
bool is_exactly(const std::string& decimal, long double midpoint) {
  if (std::strtold(decimal.c_str(), nullptr) != midpoint) return false;
  std::string whole = fmt::format("{:.800e}", midpoint);
  std::size_t digits = decimal.find('e'), all = whole.find('e');
  std::string padded = decimal.substr(0, digits);
  if (padded.find('.') == std::string::npos) padded += '.';
  padded.append(all - padded.size(), '0');
  return padded == whole.substr(0, all);
}

// Whether the decimal lies on the midpoint between the value and a neighbour. A midpoint has one
// bit more than the type; long double holds it.
template <class Float>
bool is_midpoint(const std::string& decimal, Float value) {
  for (Float towards :
       {-std::numeric_limits<Float>::infinity(), std::numeric_limits<Float>::infinity()}) {
    Float neighbour = std::nextafter(value, towards);
    if (std::isinf(neighbour)) continue;
    long double midpoint =
        (static_cast<long double>(value) + static_cast<long double>(neighbour)) / 2;
    if (is_exactly(decimal, midpoint)) return true;
  }
  return false;
}

template <class Float>
std::string float_text(Float value, int fixed_digits) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  char buffer[64];
  // PostgreSQL wants a number strictly between the midpoints to the neighbours, even where a
  // midpoint itself would be rounded back: then it shows a digit more.
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  for (int digits = significant_digits(text); is_midpoint(text, value); ++digits) {
    text = fmt::format("{:.{}e}", value, digits);
  }
  return shortest_text(text, fixed_digits);
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string uuid_text(std::string_view bytes) {
  std::string out = hex(bytes);
  if (bytes.size() != 16) return out;
  for (std::size_t at : {20u, 16u, 12u, 8u}) out.insert(at, 1, '-');
  return out;
}

}  // namespace

std::string_view type_name(KeyType type) {
  return row(type).name;
}
std::uint32_t oid_of(KeyType type) {
  return row(type).oid;
}
KeyType family_of(KeyType type) {
  return row(type).family;
}

std::optional<KeyType> key_type_of_oid(std::uint32_t oid) {
  for (const TypeRow& r : kTypes) {
    if (r.oid == oid) return r.type;
  }
  return std::nullopt;
}

std::optional<KeyType> key_type_of_name(std::string_view name) {
  for (const TypeRow& r : kTypes) {
    if (r.name == name) return r.type;
  }
  for (const auto& [alias, type] : kAliases) {
    if (alias == name) return type;
  }
  return std::nullopt;
}

KeyValue KeyValue::null(KeyType type) {
  KeyValue v;
  v.type_ = type;
  v.null_ = true;
  return v;
}

KeyValue KeyValue::of_integer(KeyType type, std::int64_t number) {
  KeyValue v;
  v.type_ = type;
  v.number_ = number;
  return v;
}

KeyValue KeyValue::of_bytes(KeyType type, std::string bytes) {
  KeyValue v;
  v.type_ = type;
  if (type == KeyType::kBpchar) bytes.erase(bytes.find_last_not_of(' ') + 1);
  v.bytes_ = std::move(bytes);
  return v;
}

KeyValue KeyValue::of_float(KeyType type, double number) {
  KeyValue v;
  v.type_ = type;
  v.number_ = std::bit_cast<std::int64_t>(number);
  return v;
}

KeyValue KeyValue::of_numeric(const NumericParts& parts) {
  KeyValue v;
  v.type_ = KeyType::kNumeric;
  std::uint64_t packed = static_cast<std::uint32_t>(parts.weight);
  packed |= static_cast<std::uint64_t>(parts.scale) << 32;
  packed |= static_cast<std::uint64_t>(parts.sign) << 48;
  v.number_ = static_cast<std::int64_t>(packed);
  v.bytes_ = std::string(parts.digits);
  return v;
}

double KeyValue::floating() const {
  return std::bit_cast<double>(number_);
}

NumericParts KeyValue::numeric() const {
  std::uint64_t packed = static_cast<std::uint64_t>(number_);
  NumericParts parts;
  parts.weight = static_cast<std::int32_t>(packed & 0xFFFFFFFF);
  parts.scale = static_cast<std::uint16_t>(packed >> 32 & 0xFFFF);
  parts.sign = static_cast<NumericParts::Sign>(packed >> 48);
  parts.digits = bytes_;
  return parts;
}

std::strong_ordering operator<=>(const KeyValue& a, const KeyValue& b) {
  if (auto c = family_of(a.type_) <=> family_of(b.type_); c != 0) return c;
  if (a.null_ || b.null_) return a.null_ <=> b.null_;
  switch (KeyValue::bytes_kind(a.type_)) {
    case KeyValue::Kind::kInteger:
      return a.number_ <=> b.number_;
    case KeyValue::Kind::kBytes: {
      int c = a.bytes_.compare(b.bytes_);  // char_traits<char> compares as unsigned bytes
      return c <=> 0;
    }
    case KeyValue::Kind::kFloat:
      return compare_floats(a.floating(), b.floating());
    case KeyValue::Kind::kNumeric:
      return compare_numeric(a.numeric(), b.numeric());
  }
  return std::strong_ordering::equal;
}

std::string to_text(const KeyValue& value) {
  switch (value.type()) {
    case KeyType::kInt2:
    case KeyType::kInt4:
    case KeyType::kInt8:
    case KeyType::kOid:
      return std::to_string(value.integer());
    case KeyType::kBool:
      return value.integer() != 0 ? "true" : "false";
    case KeyType::kText:
    case KeyType::kVarchar:
    case KeyType::kBpchar:
    case KeyType::kName:
      return std::string(value.bytes());
    case KeyType::kUuid:
      return uuid_text(value.bytes());
    case KeyType::kBytea:
      return "\\x" + hex(value.bytes());
    case KeyType::kDate:
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
    case KeyType::kTime:
      return datetime_to_text(value.type(), value.integer());
    case KeyType::kNumeric:
      return numeric_to_text(value.numeric());
    case KeyType::kFloat4:
      return float_text(static_cast<float>(value.floating()), 6);
    case KeyType::kFloat8:
      return float_text(value.floating(), 15);
  }
  return {};
}

std::string canonical_text(const KeyValue& value) {
  switch (value.type()) {
    case KeyType::kNumeric:
      return numeric_to_canonical_text(value.numeric());
    case KeyType::kFloat4:
    case KeyType::kFloat8:
      return float_text(value.floating() == 0 ? 0.0 : value.floating(), 15);
    default:
      return to_text(value);
  }
}

std::string canonical_text(std::span<const KeyValue> key) {
  if (key.size() == 1 && !key[0].is_null()) return canonical_text(key[0]);
  // As a row's text: ("a","b"), quotes and backslashes doubled, NULL empty.
  std::string out = "(";
  for (const KeyValue& value : key) {
    if (out.size() > 1) out += ',';
    if (value.is_null()) continue;
    out += '"';
    for (char c : canonical_text(value)) {
      if (c == '"' || c == '\\') out += c;
      out += c;
    }
    out += '"';
  }
  return out + ")";
}

}  // namespace shoal::keys
