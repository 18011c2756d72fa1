// date, time, timestamp and timestamptz in their ISO spellings, which mean the same under every
// DateStyle. Other spellings that PostgreSQL reads are refused with SH0705.
// Thread rule: pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "keys/value.h"

namespace shoal::keys {

inline constexpr std::int64_t kMicrosPerDay = 86'400'000'000;
inline constexpr std::int32_t kMinDate = -2451545;    // 4714-11-24 BC
inline constexpr std::int32_t kEndDate = 2145031949;  // 5874898-01-01, the first that is too late
inline constexpr std::int64_t kMinTimestamp = -211813488000000000;
inline constexpr std::int64_t kEndTimestamp = 9223371331200000000;  // 294277-01-01

Result<KeyValue> datetime_from_text(KeyType type, std::string_view trimmed, std::string_view whole,
                                    const ParseSettings& settings);
std::string datetime_to_text(KeyType type, std::int64_t number);

// Rounds microseconds to `digits` decimal digits of a second, halves away from zero.
std::int64_t round_micros(std::int64_t micros, int digits);

}  // namespace shoal::keys
