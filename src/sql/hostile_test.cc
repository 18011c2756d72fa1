// Texts that would overflow the stack or the memory of an unprotected parser, on a thread with the
// stack that parse.h states.
#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>

#include "sql/complexity.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::sql {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHOAL_TEST_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SHOAL_TEST_SANITIZED)
constexpr int kScale = 10;  // sanitizers make frames larger and everything slower
#else
constexpr int kScale = 1;
#endif

// Runs fn on a thread with kParseStackBytes of stack.
template <class Fn>
void on_deep_stack(Fn fn) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kParseStackBytes), 0);
  pthread_t thread;
  const auto run = [](void* f) -> void* {
    (*static_cast<Fn*>(f))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &fn), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

std::string repeat(std::string_view part, int times) {
  std::string out;
  out.reserve(part.size() * static_cast<std::size_t>(times));
  for (int i = 0; i < times; ++i) out += part;
  return out;
}

struct Text {
  const char* name;
  std::string text;
};

// Each nests without end; parse() may refuse or report a syntax error, never crash.
std::vector<Text> nested(int n) {
  return {
      {"sum", "SELECT 1" + repeat("+1", n)},
      {"minus", "SELECT " + repeat("- ", n) + "a"},
      {"plus and minus", "SELECT 1!=" + repeat("+-", n) + "1"},
      {"operator", "SELECT " + repeat("OPERATOR(-)", n) + "1"},
      {"not", "SELECT " + repeat("NOT ", n) + "a"},
      {"parentheses", "SELECT " + repeat("(", n) + "1" + repeat(")", n)},
      {"call", "SELECT " + repeat("f(", n) + "1" + repeat(")", n)},
      {"subquery", repeat("SELECT (", n) + "SELECT 1" + repeat(")", n)},
      {"from", repeat("SELECT * FROM (", n) + "SELECT 1" + repeat(") x", n)},
      {"with", repeat("WITH x AS (", n) + "SELECT 1" + repeat(") SELECT 1", n)},
      {"case", "SELECT " + repeat("CASE WHEN a THEN ", n) + "1" + repeat(" END", n)},
      {"case of end", "SELECT " + repeat("CASE WHEN t.end THEN ", n) + "1" + repeat(" END", n)},
      {"case in else", "SELECT " + repeat("CASE WHEN a THEN 1 ELSE ", n) + "1" + repeat(" END", n)},
      {"union", "SELECT 1" + repeat(" UNION SELECT 1", n)},
      {"except all", "SELECT 1, 2" + repeat(" EXCEPT ALL SELECT 1, 2", n)},
      {"right union", repeat("SELECT 1 UNION (", n) + "SELECT 1" + repeat(")", n)},
      {"join", "SELECT * FROM t" + repeat(" JOIN t ON a, b", n)},
      {"cross join", "SELECT * FROM t" + repeat(" CROSS JOIN t", n)},
      {"join of joins", "SELECT * FROM " + repeat("t JOIN ", n) + "t" + repeat(" ON true", n)},
      {"is", "SELECT a" + repeat(" IS TRUE", n)},
      {"isnull", "SELECT a" + repeat(" ISNULL", n)},
      {"between", "SELECT a" + repeat(" BETWEEN 1 AND 2 IS TRUE", n)},
      {"cast", "SELECT a" + repeat("::a", n)},
      {"collate", "SELECT a" + repeat(" COLLATE a", n)},
      {"time zone", "SELECT a" + repeat(" AT TIME ZONE a", n)},
      {"in", "SELECT " + repeat("a IN (", n) + "1" + repeat(")", n)},
      {"exists", "SELECT " + repeat("EXISTS (SELECT 1 WHERE ", n) + "a" + repeat(")", n)},
      {"array", "SELECT " + repeat("ARRAY[", n) + "1" + repeat("]", n)},
      {"subscript", "SELECT " + repeat("a[", n) + "1" + repeat("]", n)},
      {"row", "SELECT " + repeat("(1, ", n) + "1" + repeat(")", n)},
      {"or and", "SELECT " + repeat("(a OR b AND NOT (", n) + "1" + repeat("))", n)},
      {"field and", "SELECT a.and" + repeat(" + a.and", n)},
      {"comma field", "SELECT a." + repeat("b.", n) + "b"},
      {"window", "SELECT " + repeat("f() OVER (ORDER BY ", n) + "1" + repeat(")", n)},
      {"aggregate", "SELECT " + repeat("f(a ORDER BY ", n) + "1" + repeat(")", n)},
      {"coalesce", "SELECT " + repeat("COALESCE(a, ", n) + "1" + repeat(")", n)},
      {"like", "SELECT a" + repeat(" || b LIKE c", n)},
      {"grouping sets", "SELECT 1 GROUP BY " + repeat("GROUPING SETS (", n) + "a" + repeat(")", n)},
      {"explain", repeat("EXPLAIN ", n) + "SELECT 1"},
      {"open only", "SELECT " + repeat("(", n)},
      {"close only", "SELECT " + repeat(")", n)},
      {"brackets", "SELECT " + repeat("[", n)},
      {"case only", "SELECT " + repeat("CASE ", n)},
      {"comments", "SELECT " + repeat("/*", n)},
      {"comment after comment", "SELECT " + repeat("/**/", n) + " 1"},
      {"spaced comments", "SELECT " + repeat("/* */ ", n) + " 1"},
      {"closed comments", "SELECT " + repeat("/*", n) + repeat("*/", n) + " 1"},
      {"dollar quotes", "SELECT " + repeat("$a$ ", n)},
      {"semicolons", repeat(";", n)},
      {"create view", "CREATE VIEW v AS " + repeat("SELECT (", n) + "SELECT 1" + repeat(")", n)},
      {"check", "CREATE TABLE t (a int CHECK (" + repeat("a+", n) + "a > 0))"},
      {"join using alias", "SELECT * FROM " + repeat("(", n) + "t CROSS JOIN t" + repeat(")", n)},
  };
}

TEST(Hostile, nesting_is_refused_or_parsed_but_never_overflows_the_stated_stack) {
  on_deep_stack([] {
    for (const int n : {100, 1'000, 1'490, 5'000, 60'000 / kScale}) {
      for (const Text& c : nested(n)) {
        const auto parsed = parse(c.text, {});
        if (!parsed && parsed.error().sqlstate != "42601") {
          EXPECT_TRUE(parsed.error().sqlstate == "54001" || parsed.error().sqlstate == "54000")
              << c.name << n << " " << parsed.error().message;
        }
        if (n == 100 && parsed && parsed->size() == 1) {
          if (const auto* s = std::get_if<SelectPtr>(&parsed->front().node)) {
            EXPECT_TRUE(deparse_checked(**s)) << c.name;
          }
        }
      }
    }
  });
}

TEST(Hostile, a_depth_of_1500_is_really_allowed) {
  on_deep_stack([] {
    const auto sum = parse("SELECT 1" + repeat("+1", 1'400), {});
    EXPECT_TRUE(sum);
    const auto unions = parse("SELECT 1" + repeat(" UNION ALL SELECT 1", 1'400), {});
    EXPECT_TRUE(unions);
    EXPECT_TRUE(parse("SELECT " + repeat("(", 1'400) + "1" + repeat(")", 1'400), {}));
    EXPECT_TRUE(deparse_checked(*std::get<SelectPtr>(sum->front().node)));
  });
}

// The stated stack carries 24,000 levels of the kinds that need most of it.
TEST(Hostile, the_stated_stack_carries_the_stated_depth) {
  if (kScale > 1) GTEST_SKIP() << "sanitizers make frames larger";
  on_deep_stack([] {
    ParseLimits limits;
    limits.depth = static_cast<int>(kParseStackBytes / kParseStackPerLevel);
    limits.bytes = 64u << 20;
    for (const int n : {4'000, 6'000, 12'000, 23'000}) {
      for (const Text& c : nested(n)) {
        const auto parsed = parse(c.text, limits);
        EXPECT_TRUE(parsed || parsed.error().sqlstate != "XX000") << c.name;
      }
    }
  });
}

TEST(Hostile, wide_statements_work) {
  on_deep_stack([] {
    const int rows = 100'000 / kScale;
    const auto values = parse("INSERT INTO t VALUES (1, 'a')" + repeat(", (2, 'b')", rows - 1), {});
    ASSERT_TRUE(values) << values.error().detail;
    EXPECT_EQ(std::get<std::unique_ptr<Insert>>(values->front().node)->source->values.size(),
              static_cast<std::size_t>(rows));
    const auto in = parse("SELECT * FROM t WHERE a IN (1" + repeat(", 2", rows / 2) + ")", {});
    ASSERT_TRUE(in);
    EXPECT_TRUE(parse("SELECT * FROM t WHERE a = 1" + repeat(" OR a = 2 AND b = 3", rows / 2), {}));
    EXPECT_TRUE(parse("SELECT 1" + repeat(", now() - interval '1 day' + 2", rows / 2), {}));
    EXPECT_TRUE(
        parse("INSERT INTO t VALUES " + repeat("(-1, now() - $1::int), ", rows / 5) + "(1)", {}));
    EXPECT_TRUE(parse("SELECT CASE a" + repeat(" WHEN 1 + 1 THEN 2 + 2", rows / 5) + " END", {}));
    EXPECT_TRUE(parse(repeat("SELECT 1;", rows / 2), {}));
  });
}

TEST(Hostile, too_many_bytes_are_refused) {
  const auto parsed = parse("SELECT '" + std::string(5u << 20, 'x') + "'", {});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().detail.substr(0, 6), "SH0601");
}

// The parser copies the source of SET (a, b) = for each column, so nested ones multiply.
TEST(Hostile, nested_multiple_assignments_do_not_multiply) {
  std::string text = "SELECT 1, 2";
  for (int i = 0; i < 30; ++i) {
    text = "WITH x AS (UPDATE t SET (a, b) = (" + text + ")) SELECT 1";
  }
  const auto parsed = parse(text, {});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().detail.substr(0, 6), "SH0602");
  const auto one = parse("UPDATE t SET (a, b, c) = (SELECT 1, 2, 3), (d, e) = ((f(1)), 2)", {});
  EXPECT_TRUE(one);
  EXPECT_GT(estimate_complexity(text, 1500).copied_bytes, 1e9);
}

TEST(Hostile, many_bytes_below_many_levels_are_refused_quickly) {
  on_deep_stack([] {
    const std::string text = "SELECT " + repeat("(a + ", 700) + "f(1" + repeat(", 1", 1'000'000) +
                             ")" + repeat(")", 700);
    const auto begin = std::chrono::steady_clock::now();
    const auto parsed = parse(text, {});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().detail.substr(0, 6), "SH0602");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  });
}

}  // namespace
}  // namespace shoal::sql
