// Prints log events; decides nothing about where they go.
#include "obs/log.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace shoal::obs {
namespace {

bool needs_quotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' ||
                  c == '\x7f';
         });
}

void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else if (c == '\t') {
      line += "\\t";
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      // Terminal control sequences of a hostile client must not reach an operator's screen.
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  line += '"';
}

struct Date {
  std::int64_t year;
  int month, day;
};

// Civil date from days since 1970-01-01: the calendar repeats every 400 years of 146097 days, and
// a year counted from March puts the leap day last.
Date make_date(std::int64_t days) {
  days += 719'468;  // from 0000-03-01
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t in_era = days - era * 146'097;
  const std::int64_t year = (in_era - in_era / 1'460 + in_era / 36'524 - in_era / 146'096) / 365;
  const std::int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
  const std::int64_t month = (5 * in_year + 2) / 153;  // 0 = March
  const int day = static_cast<int>(in_year - (153 * month + 2) / 5 + 1);
  const int civil_month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  return {year + era * 400 + (civil_month <= 2), civil_month, day};
}

}  // namespace

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "error";
}

Field::Field(std::string_view k, double v) : key(k), value(fmt::format("{}", v)) {}

Logger::Logger(Sink sink, Level least, WallClock clock)
    : sink_(std::move(sink)), clock_(std::move(clock)), least_(least) {}

void Logger::event(Level level, std::string_view name, std::initializer_list<Field> fields) const {
  if (!enabled(level)) return;
  std::string line = clock_ ? print_time(clock_()) + " " : std::string();
  line += level_name(level);
  line += ' ';
  line += print_event(name, fields);
  sink_(level, line);
}

std::string print_event(std::string_view name, std::initializer_list<Field> fields) {
  std::string line(name);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    if (needs_quotes(field.value)) {
      append_quoted(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

std::string print_time(std::int64_t milliseconds) {
  constexpr std::int64_t kDay = 86'400'000;
  std::int64_t days = milliseconds / kDay;
  std::int64_t rest = milliseconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const Date date = make_date(days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", date.year, date.month, date.day,
                     rest / 3'600'000, rest / 60'000 % 60, rest / 1'000 % 60, rest % 1'000);
}

}  // namespace shoal::obs
