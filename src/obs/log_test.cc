// Claims about log lines: what is quoted, what is dropped, how time is printed.
#include "obs/log.h"

#include <gtest/gtest.h>

#include <vector>

namespace shoal::obs {
namespace {

TEST(LogTest, values_are_quoted_only_where_a_reader_needs_it) {
  EXPECT_EQ(print_event("client.connected", {{"client", 17}, {"user", "ada l"}, {"tls", true}}),
            "client.connected client=17 user=\"ada l\" tls=true");
  EXPECT_EQ(print_event("a.b", {{"empty", ""}, {"eq", "a=b"}, {"plain", "a,b"}}),
            "a.b empty=\"\" eq=\"a=b\" plain=a,b");
  EXPECT_EQ(print_event("a.b", {{"x", 1.5}, {"n", -3}, {"big", 18446744073709551615u}}),
            "a.b x=1.5 n=-3 big=18446744073709551615");
}

TEST(LogTest, control_characters_cannot_forge_a_line_or_reach_a_terminal) {
  EXPECT_EQ(print_event("a.b", {{"user", "x\nerror forged \"q\" \\ \x1b[31m\t\r\x7f"}}),
            "a.b user=\"x\\nerror forged \\\"q\\\" \\\\ \\x1b[31m\\t\\r\\x7f\"");
}

TEST(LogTest, events_below_the_least_level_never_reach_the_sink) {
  std::vector<std::string> lines;
  const Logger log([&](Level, std::string_view line) { lines.emplace_back(line); }, Level::kWarning,
                   [] { return std::int64_t{1'767'323'045'678}; });
  log.event(Level::kInfo, "pool.grown");
  log.event(Level::kError, "server.lost", {{"shard", "s1"}});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "2026-01-02T03:04:05.678Z error server.lost shard=s1");
  EXPECT_FALSE(log.enabled(Level::kInfo));
  Logger().event(Level::kError, "nobody.listens");
}

TEST(LogTest, a_logger_without_a_clock_prints_no_time) {
  std::string last;
  Logger([&](Level, std::string_view line) { last = line; }).event(Level::kInfo, "a.b");
  EXPECT_EQ(last, "info a.b");
}

TEST(LogTest, times_follow_the_gregorian_calendar) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {951'782'400'000, "2000-02-29T00:00:00.000Z"},
      {951'868'800'000, "2000-03-01T00:00:00.000Z"},
      {4'107'542'399'999, "2100-02-28T23:59:59.999Z"},
      {4'107'542'400'000, "2100-03-01T00:00:00.000Z"},
      {1'735'689'599'000, "2024-12-31T23:59:59.000Z"},
  };
  for (const auto& [milliseconds, text] : cases) EXPECT_EQ(print_time(milliseconds), text);
}

}  // namespace
}  // namespace shoal::obs
