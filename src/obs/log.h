// Structured log: one event per change of state, one line of key=value.
//   2026-01-02T03:04:05.678Z info client.connected client=17 user="ada l"
// The sink and the clock are handed in; this room writes nowhere by itself. Never log a literal of
// a user's statement. A Logger may be used by any thread if its sink may.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace shoal::obs {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };
std::string_view level_name(Level level);

// One key=value. The value is printed at once, so a Field may outlive what it was made from.
struct Field {
  std::string_view key;  // static storage
  std::string value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <class T>
  requires(std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>)
      Field(std::string_view k, T v)
      : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, double v);
};

// Takes a whole line without its line feed.
using Sink = std::function<void(Level, std::string_view line)>;
// Milliseconds since 1970 UTC.
using WallClock = std::function<std::int64_t()>;

class Logger {
 public:
  // Drops everything.
  Logger() = default;
  // Without a clock, lines have no time (the sink may add its own).
  Logger(Sink sink, Level least = Level::kInfo, WallClock clock = {});

  // `name` is `thing.happened`, static text in lower case.
  void event(Level level, std::string_view name, std::initializer_list<Field> fields = {}) const;
  bool enabled(Level level) const { return sink_ && level >= least_; }

 private:
  Sink sink_;
  WallClock clock_;
  Level least_ = Level::kInfo;
};

// The line of one event without time and level: `name key=value ...`. Values are quoted when they
// are empty or hold blanks, quotes, '=' or control characters.
std::string print_event(std::string_view name, std::initializer_list<Field> fields);
// 2026-01-02T03:04:05.678Z
std::string print_time(std::int64_t milliseconds_since_1970);

}  // namespace shoal::obs
