// Reading time with time zone and intervals from the text that PostgreSQL writes under
// IntervalStyle postgres. Text of another style is an error, never a guess.
// Pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal::merge {

struct TimeTz {
  std::int64_t time = 0;  // microseconds since midnight
  std::int32_t zone = 0;  // seconds west of Greenwich, as in the binary form
};
struct Interval {
  std::int64_t time = 0;  // microseconds
  std::int64_t days = 0, months = 0;
};

std::optional<TimeTz> parse_timetz(std::string_view text);
std::optional<Interval> parse_interval(std::string_view text);

}  // namespace shoal::merge
