// Grammar of what is read here:
//   time     := 1+digits ":" 2digits [":" 2digits ["." 1-6digits]]
//   zone     := ("+" | "-") 1+digits [":" 2digits [":" 2digits]]
//   interval := (number " " unit " "?)* [["+" | "-"] time]
#include "merge/time_text.h"

#include <cstddef>
#include <limits>

namespace shoal::merge {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMostHours = 2'562'047'787;  // the largest interval that int64 holds whole
constexpr std::size_t kLongestInterval = 100;       // characters; no interval prints longer

struct Reader {
  std::string_view rest;
  bool ok = true;

  bool literal(std::string_view word) {
    if (rest.substr(0, word.size()) != word) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  void expect(std::string_view word) { ok = literal(word) && ok; }
  // A run of digits, at least `least` and at most `most` of them.
  std::int64_t digits(std::size_t least, std::size_t most) {
    std::int64_t value = 0;
    std::size_t count = 0;
    for (; count < rest.size() && count < most && rest[count] >= '0' && rest[count] <= '9';
         ++count) {
      value = value * 10 + (rest[count] - '0');
    }
    ok = ok && count >= least;
    rest.remove_prefix(count);
    return value;
  }
  std::int64_t microseconds() {
    if (!literal(".")) return 0;
    const std::size_t before = rest.size();
    std::int64_t value = digits(1, 6);
    for (std::size_t width = before - rest.size(); width < 6; ++width) value *= 10;
    return value;
  }
  std::int64_t time(std::size_t most_hour_digits) {
    const std::int64_t hours = digits(1, most_hour_digits);
    expect(":");
    const std::int64_t minutes = digits(2, 2);
    const std::int64_t seconds = literal(":") ? digits(2, 2) : 0;
    ok = ok && minutes < 60 && seconds <= 60 && hours <= kMostHours;
    if (!ok) return 0;
    return ((hours * 60 + minutes) * 60 + seconds) * kSecond + microseconds();
  }
  // Seconds east of Greenwich.
  std::int32_t zone() {
    const bool west = literal("-");
    if (!west) expect("+");
    std::int64_t seconds = digits(1, 3) * 3600;
    if (literal(":")) seconds += digits(2, 2) * 60;
    if (literal(":")) seconds += digits(2, 2);
    return static_cast<std::int32_t>(west ? -seconds : seconds);
  }
  bool done() const { return ok && rest.empty(); }
};

bool read_unit(Reader& in, std::int64_t amount, Interval& out) {
  const auto unit = [&in](std::string_view one, std::string_view many) {
    return in.literal(many) || in.literal(one);
  };
  if (unit("year", "years"))
    out.months += amount * 12;
  else if (unit("mon", "mons"))
    out.months += amount;
  else if (unit("day", "days"))
    out.days += amount;
  else
    return false;
  return true;
}

}  // namespace

std::optional<TimeTz> parse_timetz(std::string_view text) {
  Reader in{text};
  TimeTz value;
  value.time = in.time(2);
  value.zone = -in.zone();
  if (!in.done()) return std::nullopt;
  return value;
}

std::optional<Interval> parse_interval(std::string_view text) {
  Interval out;
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  constexpr auto kLeast = std::numeric_limits<std::int32_t>::min();
  if (text == "infinity") return Interval{std::numeric_limits<std::int64_t>::max(), kMost, kMost};
  if (text == "-infinity") {
    return Interval{std::numeric_limits<std::int64_t>::min(), kLeast, kLeast};
  }
  Reader in{text};
  if (text.empty() || text.size() > kLongestInterval) return std::nullopt;
  while (in.ok && !in.rest.empty()) {
    Reader before = in;
    const bool negative = in.literal("-");
    if (!negative) in.literal("+");
    const std::int64_t amount = in.digits(1, 10);
    if (in.ok && in.literal(" ") && read_unit(in, amount * (negative ? -1 : 1), out)) {
      if (!in.rest.empty()) in.expect(" ");
      continue;
    }
    in = before;
    in.literal(negative ? "-" : "+");
    const std::int64_t time = in.time(10);
    out.time = negative ? -time : time;
    if (!in.done()) return std::nullopt;
  }
  if (!in.ok) return std::nullopt;
  return out;
}

}  // namespace shoal::merge
