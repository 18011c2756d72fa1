// Calendar arithmetic, the ISO readers and the writers of dates and times.
#include "keys/datetime.h"

#include <climits>
#include <cmath>
#include <cstdlib>

namespace shoal::keys {
namespace {

struct Civil {
  std::int64_t year;  // astronomical: 0 is 1 BC
  int month, day;
};

// Days since 2000-01-01 in the proleptic Gregorian calendar, counted in eras of 400 years.
std::int64_t days_from_civil(const Civil& c) {
  std::int64_t y = c.month <= 2 ? c.year - 1 : c.year;
  std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  std::int64_t year_of_era = y - era * 400;
  std::int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
  std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 730425;
}

Civil civil_from_days(std::int64_t days) {
  days += 730425;
  std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  std::int64_t doe = days - era * 146097;
  std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  std::int64_t mp = (5 * doy + 2) / 153;
  int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  return {year, month, static_cast<int>(doy - (153 * mp + 2) / 5 + 1)};
}

int days_in_month(std::int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A cursor over the text; each take_* consumes only what it recognises.
struct Cursor {
  std::string_view rest;
  bool done() const { return rest.empty(); }
  bool take(char c) {
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  // Between min and max digits and no further one.
  std::optional<int> take_digits(std::size_t min, std::size_t max) {
    std::size_t n = 0;
    while (n < rest.size() && is_digit(rest[n])) ++n;
    if (n < min || n > max) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < n; ++i) value = value * 10 + (rest[i] - '0');
    rest.remove_prefix(n);
    return value;
  }
};

struct DateTime {
  std::int64_t days = 0;
  std::int64_t micros = 0;                 // of the day; may reach or pass 24 hours
  std::optional<std::int64_t> utc_offset;  // seconds east
};

enum class Outcome { kRead, kOutOfRange, kUnknown };

Outcome read_date(Cursor& in, std::int64_t* days) {
  std::optional<int> year = in.take_digits(4, 7);
  if (!year || !in.take('-')) return Outcome::kUnknown;
  std::optional<int> month = in.take_digits(1, 2);
  if (!month || !in.take('-')) return Outcome::kUnknown;
  std::optional<int> day = in.take_digits(1, 2);
  if (!day) return Outcome::kUnknown;
  std::int64_t y = *year;
  if (in.rest.size() >= 3 && in.rest.substr(in.rest.size() - 3) == " BC") {
    in.rest.remove_suffix(3);
    if (y == 0) return Outcome::kOutOfRange;
    y = 1 - y;
  } else if (y == 0) {
    return Outcome::kOutOfRange;
  }
  if (*month < 1 || *month > 12 || *day < 1 || *day > days_in_month(y, *month)) {
    return Outcome::kOutOfRange;
  }
  *days = days_from_civil({y, *month, *day});
  return Outcome::kRead;
}

Outcome read_time(Cursor& in, std::int64_t* micros) {
  std::optional<int> hour = in.take_digits(2, 2);
  if (!hour || !in.take(':')) return Outcome::kUnknown;
  std::optional<int> minute = in.take_digits(2, 2);
  if (!minute) return Outcome::kUnknown;
  int second = 0;
  std::int64_t fraction = 0;
  if (in.take(':')) {
    std::optional<int> s = in.take_digits(2, 2);
    if (!s) return Outcome::kUnknown;
    second = *s;
    if (!in.rest.empty() && in.rest[0] == '.') {
      std::size_t n = 1;
      while (n < in.rest.size() && is_digit(in.rest[n])) ++n;
      if (n == 1) return Outcome::kUnknown;
      // PostgreSQL rounds the fraction as a double; digits beyond the sixth show how.
      std::string text = "0" + std::string(in.rest.substr(0, std::min<std::size_t>(n, 40)));
      fraction = static_cast<std::int64_t>(std::rint(std::strtod(text.c_str(), nullptr) * 1e6));
      in.rest.remove_prefix(n);
    }
  }
  if (*minute > 59 || second > 60) return Outcome::kOutOfRange;
  if (*hour > 24 || (*hour == 24 && (*minute > 0 || second > 0 || fraction > 0))) {
    return Outcome::kOutOfRange;
  }
  std::int64_t seconds = (*hour * 60 + *minute) * 60 + second;
  *micros = seconds * 1'000'000 + fraction;
  return *micros > kMicrosPerDay ? Outcome::kOutOfRange : Outcome::kRead;
}

// "Z", "UTC", "+02", "+0200", "+02:00", "+02:00:30", after an optional blank.
Outcome read_zone(Cursor& in, std::optional<std::int64_t>* offset) {
  if (in.done()) return Outcome::kRead;
  Cursor zone = in;
  zone.take(' ');
  if (zone.rest == "Z" || zone.rest == "z" || zone.rest == "UTC" || zone.rest == "utc") {
    *offset = 0;
    in.rest = {};
    return Outcome::kRead;
  }
  bool east = zone.take('+');
  if (!east && !zone.take('-')) return Outcome::kUnknown;
  int hour = 0, minute = 0, second = 0;
  if (std::optional<int> packed = Cursor(zone).take_digits(4, 4)) {
    zone.take_digits(4, 4);
    hour = *packed / 100;
    minute = *packed % 100;
  } else {
    std::optional<int> h = zone.take_digits(2, 2);
    if (!h) return Outcome::kUnknown;
    hour = *h;
    if (zone.take(':')) {
      std::optional<int> m = zone.take_digits(2, 2);
      if (!m) return Outcome::kUnknown;
      minute = *m;
      if (zone.take(':')) {
        std::optional<int> s = zone.take_digits(2, 2);
        if (!s) return Outcome::kUnknown;
        second = *s;
      }
    }
  }
  if (!zone.done() || hour > 15 || minute > 59 || second > 59) return Outcome::kUnknown;
  std::int64_t seconds = (hour * 60 + minute) * 60 + second;
  *offset = east ? seconds : -seconds;
  in.rest = {};
  return Outcome::kRead;
}

bool is_utc(std::string_view zone) {
  for (std::string_view name : {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/UCT", "Zulu"}) {
    if (zone == name) return true;
  }
  return false;
}

Error out_of_range(std::string_view text) {
  return make_error("22008", fmt::format("date/time field value out of range: \"{}\"", text));
}

Error ask_server(KeyType type, std::string_view text) {
  return refuse(Refusal::kKeyNeedsServer,
                fmt::format("\"{}\" as {} is not in ISO form with a numeric time zone, and its "
                            "meaning depends on the server",
                            text, type_name(type)));
}

Result<KeyValue> timestamp_of(KeyType type, const DateTime& dt, std::string_view whole,
                              const ParseSettings& settings) {
  std::int64_t offset = 0;
  if (type == KeyType::kTimestamptz) {
    if (!dt.utc_offset && !is_utc(settings.time_zone)) return ask_server(type, whole);
    offset = dt.utc_offset.value_or(0);
  }
  // Days beyond the timestamp range would overflow below; PostgreSQL calls both out of range.
  if (dt.days < kMinDate - 1 || dt.days > kEndTimestamp / kMicrosPerDay + 1) {
    return make_error("22008", fmt::format("timestamp out of range: \"{}\"", whole));
  }
  __extension__ using Wide = __int128;
  Wide micros = static_cast<Wide>(dt.days) * kMicrosPerDay + dt.micros -
                static_cast<Wide>(offset) * 1'000'000;
  if (micros < kMinTimestamp || micros >= kEndTimestamp) {
    return make_error("22008", fmt::format("timestamp out of range: \"{}\"", whole));
  }
  return KeyValue::of_integer(type, static_cast<std::int64_t>(micros));
}

std::string date_text(std::int64_t days, bool* before_christ) {
  Civil c = civil_from_days(days);
  *before_christ = c.year <= 0;
  return fmt::format("{:04}-{:02}-{:02}", *before_christ ? 1 - c.year : c.year, c.month, c.day);
}

std::string time_text(std::int64_t micros) {
  std::int64_t seconds = micros / 1'000'000;
  std::string out =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (std::int64_t fraction = micros % 1'000'000; fraction != 0) {
    out += fmt::format(".{:06}", fraction);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out;
}

}  // namespace

Result<KeyValue> datetime_from_text(KeyType type, std::string_view text, std::string_view whole,
                                    const ParseSettings& settings) {
  bool wide = type != KeyType::kDate;
  std::string word;
  for (char c : text.substr(0, 10)) {
    word.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  if (type != KeyType::kTime && (word == "infinity" || word == "-infinity")) {
    bool plus = word[0] == 'i';
    if (!wide) return KeyValue::of_integer(type, plus ? INT32_MAX : INT32_MIN);
    return KeyValue::of_integer(type, plus ? INT64_MAX : INT64_MIN);
  }
  Cursor in{text};
  DateTime dt;
  Outcome outcome = Outcome::kRead;
  if (type == KeyType::kTime) {
    outcome = read_time(in, &dt.micros);
  } else {
    outcome = read_date(in, &dt.days);
    if (outcome == Outcome::kRead && wide && !in.done()) {
      outcome = in.take('T') || in.take(' ') ? read_time(in, &dt.micros) : Outcome::kUnknown;
      if (outcome == Outcome::kRead) outcome = read_zone(in, &dt.utc_offset);
    }
  }
  // What follows a field that is out of range was not looked at, so the text may be another one's.
  if (outcome == Outcome::kUnknown || (outcome == Outcome::kRead && !in.done())) {
    return ask_server(type, whole);
  }
  if (outcome == Outcome::kOutOfRange) {
    return in.done() ? out_of_range(whole) : ask_server(type, whole);
  }
  switch (type) {
    case KeyType::kTime:
      return KeyValue::of_integer(type, dt.micros);
    case KeyType::kDate:
      if (dt.days < kMinDate || dt.days >= kEndDate) {
        return make_error("22008", fmt::format("date out of range: \"{}\"", whole));
      }
      return KeyValue::of_integer(type, dt.days);
    default:
      return timestamp_of(type, dt, whole, settings);
  }
}

std::string datetime_to_text(KeyType type, std::int64_t number) {
  if (type == KeyType::kTime) return time_text(number);
  bool date = type == KeyType::kDate;
  if (number == (date ? INT32_MAX : INT64_MAX)) return "infinity";
  if (number == (date ? INT32_MIN : INT64_MIN)) return "-infinity";
  std::int64_t days = number, micros = 0;
  if (!date) {
    days = number / kMicrosPerDay;
    micros = number % kMicrosPerDay;
    if (micros < 0) {
      micros += kMicrosPerDay;
      --days;
    }
  }
  bool before_christ = false;
  std::string out = date_text(days, &before_christ);
  if (!date) out += " " + time_text(micros);
  if (type == KeyType::kTimestamptz) out += "+00";
  if (before_christ) out += " BC";
  return out;
}

std::int64_t round_micros(std::int64_t micros, int digits) {
  if (digits >= 6 || digits < 0) return micros;
  std::int64_t unit = 1;
  for (int i = digits; i < 6; ++i) unit *= 10;
  std::int64_t half = unit / 2;
  return micros >= 0 ? (micros + half) / unit * unit : -((-micros + half) / unit * unit);
}

}  // namespace shoal::keys
