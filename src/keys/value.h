// A shard key's value in its column's type: owned and canonical, so that values which PostgreSQL's
// default equality calls equal compare equal here. Text and binary input follow PostgreSQL's input
// and receive functions; what only a server can read (a date in words, a time zone by name) is
// refused with SH0705, so that a caller can ask a server to convert it (needs_server).
// Thread rule: plain values.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shoal::keys {

enum class KeyType : std::uint8_t {
  kInt2,
  kInt4,
  kInt8,
  kText,
  kVarchar,
  kBpchar,
  kName,
  kUuid,
  kDate,
  kTimestamp,
  kTimestamptz,
  kTime,
  kNumeric,
  kBool,
  kBytea,
  kOid,
  kFloat4,
  kFloat8,
};

// The type's SQL name ("integer" is "int4"), its pg_type oid, and the other direction of both.
std::string_view type_name(KeyType type);
std::uint32_t oid_of(KeyType type);
std::optional<KeyType> key_type_of_oid(std::uint32_t builtin_type_oid);
std::optional<KeyType> key_type_of_name(std::string_view name);  // also bigint, integer, ...

// Types whose values PostgreSQL compares and hashes as one: int2/int4/int8; text/varchar/name.
// A family is named by its widest member.
KeyType family_of(KeyType type);

struct ParseSettings {
  enum class DateOrder : std::uint8_t { kMdy, kDmy, kYmd } date_order = DateOrder::kMdy;
  std::string time_zone = "UTC";    // the session's TimeZone
  int server_version_num = 150000;  // 160000 and later read 0x2A and 1_000 as integers
};

// numeric as PostgreSQL stores it: base-10000 digits without zero digits at either end.
struct NumericParts {
  enum class Sign : std::uint8_t { kPositive, kNegative, kNan, kInfinity, kMinusInfinity };
  Sign sign = Sign::kPositive;
  std::uint16_t scale = 0;  // decimal digits shown after the point
  std::int32_t weight = 0;  // of the first digit: value = sum digits[i] * 10000^(weight - i)
  std::string_view digits;  // two bytes each, low byte first
  bool finite() const { return sign == Sign::kPositive || sign == Sign::kNegative; }
};

// Equality and order are those of the type's default operator class; text, varchar, name and bpchar
// are ordered by bytes (COLLATE "C"). NULL equals NULL and sorts last. Comparing across families
// orders by family and is of no meaning to SQL.
class KeyValue {
 public:
  static KeyValue null(KeyType type);
  // int2/4/8, oid, bool, date (days since 2000-01-01), time (microseconds), timestamp, timestamptz
  // (microseconds since 2000-01-01); the number must fit the type.
  static KeyValue of_integer(KeyType type, std::int64_t number);
  // text, varchar, name, bpchar (trailing blanks are dropped), bytea, uuid (16 bytes).
  static KeyValue of_bytes(KeyType type, std::string bytes);
  static KeyValue of_float(KeyType type, double number);
  static KeyValue of_numeric(const NumericParts& parts);

  KeyType type() const { return type_; }
  bool is_null() const { return null_; }
  bool is_integer() const { return bytes_kind(type_) == Kind::kInteger; }
  std::int64_t integer() const { return number_; }   // of the types of of_integer
  std::string_view bytes() const { return bytes_; }  // of the types of of_bytes; views *this
  double floating() const;                           // of float4 and float8
  NumericParts numeric() const;                      // views *this

  friend bool operator==(const KeyValue& a, const KeyValue& b) { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(const KeyValue& a, const KeyValue& b);

 private:
  enum class Kind : std::uint8_t { kInteger, kBytes, kFloat, kNumeric };
  static constexpr Kind bytes_kind(KeyType type) {
    switch (type) {
      case KeyType::kText:
      case KeyType::kVarchar:
      case KeyType::kBpchar:
      case KeyType::kName:
      case KeyType::kUuid:
      case KeyType::kBytea:
        return Kind::kBytes;
      case KeyType::kFloat4:
      case KeyType::kFloat8:
        return Kind::kFloat;
      case KeyType::kNumeric:
        return Kind::kNumeric;
      default:
        return Kind::kInteger;
    }
  }
  KeyType type_ = KeyType::kInt8;
  bool null_ = false;
  std::int64_t number_ = 0;  // float: the bits of the double; numeric: sign, scale and weight
  std::string bytes_;        // numeric: the digits
};

// The type's input function. Errors carry PostgreSQL's SQLSTATE and message; SH0705 see above.
Result<KeyValue> parse_text(KeyType type, std::string_view text,
                            const ParseSettings& settings = {});

// The type's receive function over the bytes of one parameter or column.
Result<KeyValue> parse_binary(KeyType type, std::span<const std::byte> data);
Result<KeyValue> parse_binary(KeyType type, std::string_view data);

// True when the router can't read the text but a server can.
bool needs_server(const Error& error);

// What an assignment to a column of this typmod stores: blanks beyond n of varchar(n) and char(n)
// are cut (22001 when more than blanks is lost), numeric(p,s) and time(p) are rounded. A comparison
// does not do this. -1 = no typmod.
Result<KeyValue> apply_typmod(KeyValue value, std::int32_t typmod);

// The value as another type's, by assignment cast: within integers and numeric (22003 out of range,
// fractions are rounded), within text types, date to timestamp. Others: SH0705.
Result<KeyValue> cast_for_assignment(const KeyValue& value, KeyType to);

// The one value of type `to` that compares equal to `value`; nullopt when there is none, and an
// error (SH0705) when the router does not know how PostgreSQL compares the two types.
Result<std::optional<KeyValue>> equal_value(const KeyValue& value, KeyType to);

// PostgreSQL's output with DateStyle ISO, TimeZone UTC, extra_float_digits 1, bytea_output hex.
std::string to_text(const KeyValue& value);

// The same text for equal values of one family and no others (numeric without trailing zeros, no
// -0): the name of a value in pins and logs.
std::string canonical_text(const KeyValue& value);
std::string canonical_text(std::span<const KeyValue> key);  // composite: one text, unambiguous

}  // namespace shoal::keys
