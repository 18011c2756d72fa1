// Dispatch over the types, and the simple ones: integers, bool, text.
//   int2, int4, int8, oid := big-endian    bool := 0|1    text := its bytes
#include "wire/format.h"

#include <fmt/core.h>

#include <bit>
#include <charconv>

#include "wire/bytes.h"
#include "wire/format_types.h"

namespace shoal::wire {
namespace format_types {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower_case[i]) return false;
  }
  return true;
}

Error bad_text(std::string_view type, std::string_view text) {
  return make_error("22P02", fmt::format("invalid input syntax for type {}: \"{}\"", type, text));
}

Error out_of_range(std::string_view type, std::string_view text) {
  return make_error("22003", fmt::format("value \"{}\" is out of range for type {}", text, type));
}

Error bad_binary() {
  return make_error("22P03", "incorrect binary data format");
}

}  // namespace format_types

namespace {
using namespace format_types;

Error unsupported(std::uint32_t type_oid) {
  return make_error("0A000", fmt::format("no binary format is known here for type {}", type_oid));
}

template <class Integer>
Result<std::string> integer_from_text(std::string_view type, std::string_view text) {
  std::string_view digits = trim(text);
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  Integer value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || code == std::errc::invalid_argument || stop != end) {
    return bad_text(type, text);
  }
  if (code != std::errc()) return out_of_range(type, text);
  std::string raw;
  for (int shift = 8 * (int{sizeof value} - 1); shift >= 0; shift -= 8) {
    append_u8(raw, static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
  }
  return raw;
}

template <class Integer>
Result<std::string> integer_to_text(std::string_view raw) {
  if (raw.size() != sizeof(Integer)) return bad_binary();
  std::uint64_t bits = 0;
  for (const char c : raw) bits = bits << 8 | static_cast<unsigned char>(c);
  return std::to_string(static_cast<Integer>(bits));
}

Result<std::string> bool_from_text(std::string_view text) {
  const std::string_view word = trim(text);
  // Any unambiguous beginning of these words will do, as in PostgreSQL.
  for (const auto& [name, least, value] :
       {std::tuple<std::string_view, std::size_t, char>{"true", 1, 1},
        {"false", 1, 0},
        {"yes", 1, 1},
        {"no", 1, 0},
        {"on", 2, 1},
        {"off", 2, 0},
        {"1", 1, 1},
        {"0", 1, 0}}) {
    if (word.size() >= least && word.size() <= name.size() &&
        equal_ignoring_case(word, name.substr(0, word.size()))) {
      return std::string(1, value);
    }
  }
  return bad_text("boolean", text);
}

Result<std::string> bool_to_text(std::string_view raw) {
  if (raw.size() != 1) return bad_binary();
  return std::string(raw[0] != 0 ? "t" : "f");
}

bool is_text(std::uint32_t type_oid) {
  return type_oid == oid::kText || type_oid == oid::kVarchar || type_oid == oid::kBpchar ||
         type_oid == oid::kName || type_oid == oid::kUnknown;
}

}  // namespace

bool has_binary_format(std::uint32_t type_oid) {
  switch (type_oid) {
    case oid::kBool:
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
    case oid::kOid:
    case oid::kFloat4:
    case oid::kFloat8:
    case oid::kNumeric:
      return true;
    default:
      return is_text(type_oid);
  }
}

Result<std::string> binary_from_text(std::uint32_t type_oid, std::string_view text) {
  switch (type_oid) {
    case oid::kBool:
      return bool_from_text(text);
    case oid::kInt2:
      return integer_from_text<std::int16_t>("smallint", text);
    case oid::kInt4:
      return integer_from_text<std::int32_t>("integer", text);
    case oid::kInt8:
      return integer_from_text<std::int64_t>("bigint", text);
    case oid::kOid:
      return integer_from_text<std::uint32_t>("oid", text);
    case oid::kFloat4:
      return float4_from_text(text);
    case oid::kFloat8:
      return float8_from_text(text);
    case oid::kNumeric:
      return numeric_from_text(text);
    default:
      if (is_text(type_oid)) return std::string(text);
      return unsupported(type_oid);
  }
}

Result<std::string> text_from_binary(std::uint32_t type_oid, std::string_view raw) {
  switch (type_oid) {
    case oid::kBool:
      return bool_to_text(raw);
    case oid::kInt2:
      return integer_to_text<std::int16_t>(raw);
    case oid::kInt4:
      return integer_to_text<std::int32_t>(raw);
    case oid::kInt8:
      return integer_to_text<std::int64_t>(raw);
    case oid::kOid:
      return integer_to_text<std::uint32_t>(raw);
    case oid::kFloat4:
      if (raw.size() != 4) return bad_binary();
      return print_float4(std::bit_cast<float>(Cursor(raw).u32()));
    case oid::kFloat8:
      if (raw.size() != 8) return bad_binary();
      return print_float8(std::bit_cast<double>(Cursor(raw).u64()));
    case oid::kNumeric:
      return numeric_to_text(raw);
    default:
      if (is_text(type_oid)) return std::string(raw);
      return unsupported(type_oid);
  }
}

}  // namespace shoal::wire
