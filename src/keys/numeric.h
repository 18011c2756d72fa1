// numeric: from text and wire form to NumericParts and back, and the arithmetic that keys need.
// Limits are PostgreSQL's: weight in 16 bits, scale up to 16383.
// Thread rule: pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "keys/value.h"

namespace shoal::keys {

// NumericParts that owns its digits.
struct NumericOwned {
  NumericParts parts;
  std::string digits;
  NumericParts view() const {
    NumericParts p = parts;
    p.digits = digits;
    return p;
  }
};

// What numeric_in does with text from which outer blanks were removed (NaN and infinities, too).
Result<KeyValue> numeric_from_text(std::string_view trimmed, std::string_view whole);
KeyValue numeric_from_integer(std::int64_t number);

// Drops zero digits at both ends and adjusts the weight; zero gets weight 0.
KeyValue numeric_of_digits(NumericParts::Sign sign, std::int32_t weight, std::uint16_t scale,
                           std::string digits);

std::string numeric_to_text(const NumericParts& parts);            // with its scale
std::string numeric_to_canonical_text(const NumericParts& parts);  // as few digits as possible

std::strong_ordering compare_numeric(const NumericParts& a, const NumericParts& b);

// Rounds half away from zero to `scale` decimal digits (may be negative).
KeyValue round_numeric(const NumericParts& parts, std::int32_t scale);

// The decimal digits of the integer part's magnitude when there is no fraction; nullopt otherwise.
std::optional<std::string> integral_digits(const NumericParts& parts);
// The value when it is an integer that fits.
std::optional<std::int64_t> numeric_to_int64(const NumericParts& parts);

}  // namespace shoal::keys
