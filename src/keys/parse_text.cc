// The input functions of the key types, as PostgreSQL's (src/backend/utils/adt) behave.
#include <cerrno>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdlib>

#include "keys/datetime.h"
#include "keys/numeric.h"
#include "keys/value.h"

namespace shoal::keys {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

// The name PostgreSQL's messages use.
std::string_view message_name(KeyType type) {
  switch (type) {
    case KeyType::kInt2:
      return "smallint";
    case KeyType::kInt4:
      return "integer";
    case KeyType::kInt8:
      return "bigint";
    case KeyType::kBool:
      return "boolean";
    case KeyType::kFloat4:
      return "real";
    case KeyType::kFloat8:
      return "double precision";
    default:
      return type_name(type);
  }
}

Error bad_syntax(KeyType type, std::string_view text) {
  return make_error(
      "22P02", fmt::format("invalid input syntax for type {}: \"{}\"", message_name(type), text));
}

Error out_of_range(KeyType type, std::string_view text) {
  return make_error(
      "22003", fmt::format("value \"{}\" is out of range for type {}", text, message_name(type)));
}

struct Bounds {
  std::int64_t min, max;
};

constexpr Bounds bounds_of(KeyType type) {
  if (type == KeyType::kInt2) return {INT16_MIN, INT16_MAX};
  if (type == KeyType::kInt4) return {INT32_MIN, INT32_MAX};
  return {INT64_MIN, INT64_MAX};
}

enum class Digits { kRead, kNotDigits, kTooLarge };

// Digits of a base up to a limit, with single underscores between them (PostgreSQL 16 and later).
// Passing the limit is found before what follows the digits is looked at, as PostgreSQL does.
Digits read_digits(std::string_view digits, unsigned base, bool underscores, std::uint64_t limit,
                   std::uint64_t* value) {
  *value = 0;
  bool last_was_digit = base != 10;  // 0x_2A is allowed, _1 is not
  bool any = false;
  for (char c : digits) {
    if (c == '_' && underscores && last_was_digit) {
      last_was_digit = false;
      continue;
    }
    int digit = hex_digit(c);
    if (digit < 0 || static_cast<unsigned>(digit) >= base) return Digits::kNotDigits;
    std::uint64_t next = 0;
    if (__builtin_mul_overflow(*value, std::uint64_t{base}, &next) ||
        __builtin_add_overflow(next, static_cast<std::uint64_t>(digit), &next) || next > limit) {
      return Digits::kTooLarge;
    }
    *value = next;
    last_was_digit = any = true;
  }
  return any && last_was_digit ? Digits::kRead : Digits::kNotDigits;
}

bool take_sign(std::string_view* rest) {
  bool minus = !rest->empty() && rest->front() == '-';
  if (!rest->empty() && (rest->front() == '-' || rest->front() == '+')) rest->remove_prefix(1);
  return minus;
}

Result<KeyValue> parse_integer(KeyType type, std::string_view text, int server_version_num) {
  std::string_view rest = trim(text);
  bool minus = take_sign(&rest);
  unsigned base = 10;
  bool modern = server_version_num >= 160000;
  if (modern && rest.size() > 2 && rest[0] == '0') {
    char mark = lower(rest[1]);
    base = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 10));
    if (base != 10) rest.remove_prefix(2);
  }
  std::uint64_t max = static_cast<std::uint64_t>(bounds_of(type).max);
  std::uint64_t magnitude = 0;
  switch (read_digits(rest, base, modern, max + 1, &magnitude)) {
    case Digits::kNotDigits:
      return bad_syntax(type, text);
    case Digits::kTooLarge:
      return out_of_range(type, text);
    case Digits::kRead:
      break;
  }
  if (magnitude > max && !minus) return out_of_range(type, text);
  return KeyValue::of_integer(type, static_cast<std::int64_t>(minus ? 0 - magnitude : magnitude));
}

// strtoul's reading: 64 bits, a sign is allowed, and what is a 32-bit negative number then wraps.
Result<KeyValue> parse_oid(std::string_view text) {
  std::string_view rest = trim(text);
  bool minus = take_sign(&rest);
  std::uint64_t magnitude = 0;
  switch (read_digits(rest, 10, false, UINT64_MAX, &magnitude)) {
    case Digits::kNotDigits:
      return bad_syntax(KeyType::kOid, text);
    case Digits::kTooLarge:
      return out_of_range(KeyType::kOid, text);
    case Digits::kRead:
      break;
  }
  std::uint64_t wide = minus ? 0 - magnitude : magnitude;
  auto oid = static_cast<std::uint32_t>(wide);
  auto extended = static_cast<std::uint64_t>(static_cast<std::int32_t>(oid));
  if (wide != oid && wide != extended) return out_of_range(KeyType::kOid, text);
  return KeyValue::of_integer(KeyType::kOid, oid);
}

Result<KeyValue> parse_bool(std::string_view text) {
  std::string word;
  for (char c : trim(text)) word.push_back(lower(c));
  auto starts = [&](std::string_view whole, std::size_t at_least) {
    return word.size() >= at_least && whole.substr(0, word.size()) == word;
  };
  if (starts("true", 1) || starts("yes", 1) || starts("on", 2) || word == "1") {
    return KeyValue::of_integer(KeyType::kBool, 1);
  }
  if (starts("false", 1) || starts("no", 1) || starts("off", 2) || word == "0") {
    return KeyValue::of_integer(KeyType::kBool, 0);
  }
  return bad_syntax(KeyType::kBool, text);
}

// Braces around the whole, a hyphen after any group of four digits; no blanks.
Result<KeyValue> parse_uuid(std::string_view text) {
  std::string_view rest = text;
  bool braces = !rest.empty() && rest[0] == '{';
  if (braces) rest.remove_prefix(1);
  std::string bytes;
  for (int i = 0; i < 16; ++i) {
    if (rest.size() < 2 || hex_digit(rest[0]) < 0 || hex_digit(rest[1]) < 0) {
      return bad_syntax(KeyType::kUuid, text);
    }
    bytes.push_back(static_cast<char>(hex_digit(rest[0]) * 16 + hex_digit(rest[1])));
    rest.remove_prefix(2);
    if (!rest.empty() && rest[0] == '-' && i % 2 == 1 && i < 15) rest.remove_prefix(1);
  }
  if (braces) {
    if (rest.empty() || rest[0] != '}') return bad_syntax(KeyType::kUuid, text);
    rest.remove_prefix(1);
  }
  if (!rest.empty()) return bad_syntax(KeyType::kUuid, text);
  return KeyValue::of_bytes(KeyType::kUuid, std::move(bytes));
}

Result<KeyValue> parse_bytea_hex(std::string_view text) {
  std::string bytes;
  std::string_view rest = text.substr(2);
  auto bad_digit = [](std::string_view at) {  // names the whole character, in UTF-8
    std::size_t n = 1;
    while (n < at.size() && (static_cast<unsigned char>(at[n]) & 0xC0) == 0x80) ++n;
    return make_error("22023", fmt::format("invalid hexadecimal digit: \"{}\"", at.substr(0, n)));
  };
  while (!rest.empty()) {
    char c = rest[0];
    if (hex_digit(c) < 0 && !is_space(c)) return bad_digit(rest);
    rest.remove_prefix(1);
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
    if (hex_digit(c) < 0) return bad_digit(std::string_view(&c, 1));
    if (rest.empty()) {
      return make_error("22023", "invalid hexadecimal data: odd number of digits");
    }
    if (hex_digit(rest[0]) < 0) return bad_digit(rest);
    bytes.push_back(static_cast<char>(hex_digit(c) * 16 + hex_digit(rest[0])));
    rest.remove_prefix(1);
  }
  return KeyValue::of_bytes(KeyType::kBytea, std::move(bytes));
}

Result<KeyValue> parse_bytea(std::string_view text) {
  if (text.substr(0, 2) == "\\x") return parse_bytea_hex(text);
  std::string bytes;
  auto octal = [&](std::size_t i, char max) {
    return i < text.size() && text[i] >= '0' && text[i] <= max;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes.push_back('\\');
      ++i;
    } else if (octal(i + 1, '3') && octal(i + 2, '7') && octal(i + 3, '7')) {
      int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      bytes.push_back(static_cast<char>(value));
      i += 3;
    } else {
      return make_error("22P02", "invalid input syntax for type bytea");
    }
  }
  return KeyValue::of_bytes(KeyType::kBytea, std::move(bytes));
}

// name keeps 63 bytes and never half a character.
Result<KeyValue> parse_name(std::string_view text) {
  constexpr std::size_t kMaxBytes = 63;
  std::size_t n = std::min(text.size(), kMaxBytes);
  if (n < text.size()) {
    while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
  }
  return KeyValue::of_bytes(KeyType::kName, std::string(text.substr(0, n)));
}

std::optional<double> special_float(std::string_view text) {
  std::string word;
  for (char c : text) word.push_back(lower(c));
  double sign = 1;
  if (!word.empty() && (word[0] == '-' || word[0] == '+')) {
    if (word[0] == '-') sign = -1;
    word.erase(0, 1);
  }
  if (word == "nan") return std::nan("");
  if (word == "infinity" || word == "inf") return sign * HUGE_VAL;
  return std::nullopt;
}

// real keeps the blanks before the number in its message, double precision does not.
Error out_of_float_range(KeyType type, std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (type == KeyType::kFloat8) text = trim(text);
  return make_error("22003",
                    fmt::format("\"{}\" is out of range for type {}", text, message_name(type)));
}

Result<KeyValue> parse_float(KeyType type, std::string_view text) {
  std::string_view trimmed = trim(text);
  if (std::optional<double> special = special_float(trimmed)) {
    return KeyValue::of_float(type, *special);
  }
  std::string number(trimmed);
  bool numeral = !number.empty();
  for (char c : number) {
    numeral = numeral && (is_digit(c) || c == '.' || c == '+' || c == '-' || c == 'e' || c == 'E');
  }
  // C's strtod also reads hexadecimal numbers and NaNs with a payload; PostgreSQL passes them on.
  if (!numeral && number.find_first_of("xX(") != std::string::npos) {
    return refuse(Refusal::kKeyNeedsServer, "a float in hexadecimal");
  }
  if (!numeral) return bad_syntax(type, text);
  char* end = nullptr;
  errno = 0;
  bool narrow = type == KeyType::kFloat4;
  double value = narrow ? static_cast<double>(std::strtof(number.c_str(), &end))
                        : std::strtod(number.c_str(), &end);
  if (end != number.c_str() + number.size()) return bad_syntax(type, text);
  if (errno == ERANGE && (value == 0 || std::isinf(value))) return out_of_float_range(type, text);
  return KeyValue::of_float(type, value);
}

}  // namespace

Result<KeyValue> parse_text(KeyType type, std::string_view text, const ParseSettings& settings) {
  if (text.find('\0') != std::string_view::npos) {
    return make_error("22021", "invalid byte sequence for encoding \"UTF8\": 0x00");
  }
  switch (type) {
    case KeyType::kInt2:
    case KeyType::kInt4:
    case KeyType::kInt8:
      return parse_integer(type, text, settings.server_version_num);
    case KeyType::kText:
    case KeyType::kVarchar:
    case KeyType::kBpchar:
      return KeyValue::of_bytes(type, std::string(text));
    case KeyType::kName:
      return parse_name(text);
    case KeyType::kUuid:
      return parse_uuid(text);
    case KeyType::kDate:
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
    case KeyType::kTime:
      return datetime_from_text(type, trim(text), text, settings);
    case KeyType::kNumeric:
      if (settings.server_version_num >= 160000 &&
          text.find_first_of("_xXoObB") != std::string_view::npos) {
        return refuse(Refusal::kKeyNeedsServer, "a numeric with underscores or in another base");
      }
      return numeric_from_text(trim(text), text);
    case KeyType::kBool:
      return parse_bool(text);
    case KeyType::kBytea:
      return parse_bytea(text);
    case KeyType::kOid:
      return parse_oid(text);
    case KeyType::kFloat4:
    case KeyType::kFloat8:
      return parse_float(type, text);
  }
  return refuse(Refusal::kKeyType);
}

bool needs_server(const Error& error) {
  return error.detail.substr(0, 6) == "SH0705";
}

}  // namespace shoal::keys
