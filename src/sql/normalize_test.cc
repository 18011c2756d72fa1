// Keys and literals.
#include "sql/normalize.h"

#include <gtest/gtest.h>

#include "sql/corpus_test.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::sql {
namespace {

Normalized run(std::string_view text, bool standard_strings = true) {
  Normalized n;
  normalize(text, standard_strings, n);
  return n;
}

std::string printed(const Normalized& n) {
  std::string out = n.key;
  for (const Literal& l : n.literals) {
    out += fmt::format(" | {}{}@{}", "ins"[static_cast<int>(l.kind)], l.text, l.position);
  }
  return out;
}

struct Row {
  const char* text;
  const char* expected;
};

TEST(Normalize, keys_and_literals) {
  const Row rows[] = {
      {"SELECT 1", "SELECT ?i | i1@7"},
      {"  SELECT\n\t1 ;  ", "SELECT ?i | i1@10"},
      {"SELECT a FROM t WHERE b = 'x' AND c = 1.5",
       "SELECT a FROM t WHERE b = ?s AND c = ?n | s'x'@26 | n1.5@38"},
      {"SELECT -5, - 5, a-5", "SELECT -?i, - ?i, a-?i | i5@8 | i5@13 | i5@18"},
      {"SELECT 'it''s', ''", "SELECT ?s, ?s | s'it''s'@7 | s''@16"},
      {"SELECT 1/* c */+2 -- d", "SELECT ?i +?i | i1@7 | i2@16"},
      {"SELECT a/**/b", "SELECT a b"},
      {"SELECT \"1\", \"a'1'\"", "SELECT \"1\", \"a'1'\""},
      {"SELECT /* 5 'x' */ a -- 7\n, b", "SELECT a , b"},
      {"SELECT a1, _2, a$3", "SELECT a1, _2, a$3"},
      {"SELECT $1, $22", "SELECT $1, $22"},
      {"SELECT 1e5, .5, 5., 1.5E-3",
       "SELECT ?n, ?n, ?n, ?n | n1e5@7 | n.5@12 | n5.@16 | n1.5E-3@20"},
      {"SELECT 2147483647, 2147483648, 2147483649",
       "SELECT ?i, 2147483648, ?l | i2147483647@7 | n2147483649@31"},
      {"SELECT 9223372036854775807, 9223372036854775808, 9223372036854775809",
       "SELECT ?l, 9223372036854775808, ?n | n9223372036854775807@7 | n9223372036854775809@49"},
      {"SELECT E'a\\'5', b'1', X'1F'", "SELECT E'a\\'5', b'1', X'1F'"},
      {"SELECT interval '1 day', date '2020-01-01'",
       "SELECT interval ?s, date ?s | s'1 day'@16 | s'2020-01-01'@30"},
      {"SELECT a::numeric(10, 2), b::varchar(5)::int[3]",
       "SELECT a::numeric(10, 2), b::varchar(5)::int[3]"},
      {"SELECT CAST(a AS s.t(7)), CAST(5 AS float(24))",
       "SELECT CAST(a AS s.t(7)), CAST(?i AS float(24)) | i5@31"},
      {"SELECT timestamp(3) '2020', CURRENT_TIME(2)",
       "SELECT timestamp(3) ?s, CURRENT_TIME(2) | s'2020'@20"},
      {"SELECT f(10), a[1], ARRAY[2]", "SELECT f(?i), a[?i], ARRAY[?i] | i10@9 | i1@16 | i2@26"},
      {"SELECT a ? 'k', b ?| c, d ??e", "SELECT a ?? ?s, b ??| c, d ????e | s'k'@11"},
      {"WITH x AS (SELECT 5) SELECT 6", "WITH x AS (SELECT ?i) SELECT ?i | i5@18 | i6@28"},
      {"SELECT 'a' -- x\n", "SELECT ?s | s'a'@7"},
      {"SELECT 'a\\'", "SELECT ?s | s'a\\'@7"},
  };
  for (const Row& row : rows) {
    const Normalized n = run(row.text);
    EXPECT_EQ(printed(n), row.expected);
    EXPECT_TRUE(n.cacheable) << row.text;
    EXPECT_FALSE(n.multiple) << row.text;
  }
}

TEST(Normalize, what_is_odd_is_not_cacheable) {
  for (const char* text : {"",
                           "  ",
                           "-- only a comment",
                           "BEGIN",
                           "SET a = 1",
                           "EXPLAIN SELECT 1",
                           "SELECT 'open",
                           "SELECT \"open",
                           "SELECT /* open",
                           "SELECT $$x$$",
                           "SELECT $a$x$a$",
                           "SELECT $a$ open",
                           "SELECT U&'x'",
                           "SELECT u&\"x\"",
                           "SELECT N'x'",
                           "SELECT 'a'\n'b'",
                           "SELECT 1a",
                           "SELECT 1..2",
                           "SELECT $1a",
                           "SELECT 1; SELECT 2",
                           "; SELECT 1",
                           "SELECT \x01",
                           "SELECT \\d",
                           "SELECT 1\v",
                           "COPY t FROM STDIN",
                           "SELECT 0x1F",
                           "SELECT 1_000"}) {
    EXPECT_FALSE(run(text).cacheable) << text;
  }
}

TEST(Normalize, several_statements_are_told) {
  EXPECT_TRUE(run("SELECT 1; SELECT 2").multiple);
  EXPECT_FALSE(run("SELECT 1;;  -- x").multiple);
  EXPECT_FALSE(run("SELECT ';', \";\" /* ; */").multiple);
}

TEST(Normalize, a_hint_is_found_before_and_behind) {
  EXPECT_EQ(run("/* shoal: key=42 */ SELECT 1").hint, "key=42");
  EXPECT_EQ(run("/*shoal:key='a b'*/SELECT 1").hint, "key='a b'");
  EXPECT_EQ(run("SELECT 1 /* shoal: key=42 */").hint, "key=42");
  EXPECT_EQ(run("SELECT 1; /* shoal: key=42 */").hint, "key=42");
  EXPECT_EQ(run("/* app */ -- /* shoal: no */\n/* shoal: key=1 */ /* b */ SELECT 1").hint, "key=1");
  EXPECT_EQ(run("SELECT /* shoal: key=42 */ 1").hint, "");
  EXPECT_EQ(run("/* shoals: x */ SELECT ' /* shoal: key=1 */'").hint, "");
  EXPECT_EQ(run("/* Shoal: x */ SELECT 1").hint, "x");
  EXPECT_EQ(run("-- shoal: key=42\nSELECT 1").hint, "key=42");
  const Normalized two = run("/* shoal: key=1 */ SELECT 1 /* shoal: key=2 */");
  EXPECT_EQ(two.hint, "key=1");
  EXPECT_FALSE(two.cacheable);
  EXPECT_EQ(run("/* shoal: key=1 */ SELECT 1").key, run("SELECT 1").key);
}

std::string hint(std::string_view text, bool standard_strings = true) {
  const auto found = find_hint(text, standard_strings);
  if (!found) return found.error().detail;
  if (!*found) return "none";
  const Hint& h = **found;
  return (h.key ? "key " + *h.key : "") + (h.shard ? "shard " + *h.shard : "");
}

TEST(Normalize, a_hint_is_read_wherever_it_stands) {
  EXPECT_EQ(hint("SELECT 1"), "none");
  EXPECT_EQ(hint("SELECT '/* shoal: key=1 */' /* key=2 */"), "none");
  EXPECT_EQ(hint("SELECT $$ /* shoal: key=1 */ $$, \"/* shoal: key=1 */\""), "none");
  EXPECT_EQ(hint("/* shoal: key=42 */ SELECT 1"), "key 42");
  EXPECT_EQ(hint("SELECT /*shoal:key=42*/ 1"), "key 42");
  EXPECT_EQ(hint("SELECT 1 -- SHOAL: KEY = a-b"), "key a-b");
  EXPECT_EQ(hint("SELECT 1 /* shoal: key='it''s, so', shard = s1 */"), "key it's, soshard s1");
  EXPECT_EQ(hint("SELECT '\\' /* shoal: key=1 */"), "key 1");
}

TEST(Normalize, a_hint_that_is_not_understood_is_refused) {
  for (const char* text :
       {"/* shoal: */ SELECT 1", "/* shoal: key */ SELECT 1", "/* shoal: key= */ SELECT 1",
        "/* shoal: tenant=1 */ SELECT 1", "/* shoal: key=1 key=2 */ SELECT 1",
        "/* shoal: key=1, */ SELECT 1", "/* shoal: key=1, key=2 */ SELECT 1",
        "/* shoal: key='1 */ SELECT 1", "/* shoal: key=o'x */ SELECT 1",
        "/* shoal: key=1 */ SELECT 1 /* shoal: key=1 */", "/* shoal: key=1 or more */ SELECT 1"}) {
    EXPECT_EQ(hint(text).substr(0, 6), "SH0303") << text;
  }
  EXPECT_EQ(hint("SELECT '\\' /* shoal: key=1 */", false).substr(0, 6), "SH0303");
}

TEST(Normalize, a_backslash_matters_only_without_standard_strings) {
  EXPECT_TRUE(run("SELECT 'a\\b'").cacheable);
  EXPECT_FALSE(run("SELECT 'a\\b'", false).cacheable);
  EXPECT_TRUE(run("SELECT 'ab', E'a\\b'", false).cacheable);
}

TEST(Normalize, storage_is_reused_and_reset) {
  Normalized n;
  normalize("/* shoal: key=1 */ SELECT 'a'; SELECT 2", true, n);
  normalize("SELECT a", true, n);
  EXPECT_EQ(printed(n), "SELECT a");
  EXPECT_TRUE(n.cacheable);
  EXPECT_FALSE(n.multiple);
  EXPECT_EQ(n.hint, "");
}

TEST(Normalize, string_values) {
  EXPECT_EQ(string_value("'abc'"), "abc");
  EXPECT_EQ(string_value("''"), "");
  EXPECT_EQ(string_value("'it''s'''"), "it's'");
  EXPECT_EQ(string_value("'a\\b'"), "a\\b");
}

// ---- what the key promises ---------------------------------------------------------------------

bool is_constant_of(const Const& c, const Literal& l) {
  switch (l.kind) {
    case Literal::Kind::kString:
      return c.kind == Const::Kind::kString && c.text == string_value(l.text);
    case Literal::Kind::kInteger: {
      const std::string digits = std::to_string(std::stoll(std::string(l.text)));
      return c.kind == Const::Kind::kInteger && (c.text == digits || c.text == "-" + digits);
    }
    case Literal::Kind::kNumeric:
      return c.kind == Const::Kind::kFloat &&
             (c.text == l.text || c.text == "-" + std::string(l.text));
  }
  return false;
}

// The constants of a statement by location, of the kinds that can be literals.
std::multimap<int, const Const*> constants(const Statement& s) {
  std::multimap<int, const Const*> out;
  for_each_root(s, [&out](const auto& root) {
    walk(root, [&out](const auto& node) {
      if constexpr (std::is_same_v<std::decay_t<decltype(node)>, Expr>) {
        if (const Const* c = std::get_if<Const>(&node.node)) out.emplace(node.location, c);
      }
      return true;
    });
  });
  return out;
}

TEST(Normalize, every_literal_is_the_constant_of_its_location) {
  int literals = 0;
  for (const std::string& text : corpus()) {
    const Normalized n = run(text);
    if (!n.cacheable) continue;
    const auto parsed = parse(text, {});
    ASSERT_TRUE(parsed) << text;
    const auto all = constants(parsed->front());
    for (const Literal& l : n.literals) {
      ++literals;
      const auto [begin, end] = all.equal_range(l.position);
      EXPECT_TRUE(begin != end) << text << "\nno constant at " << l.position << ": " << l.text;
      for (auto c = begin; c != end; ++c) {
        EXPECT_TRUE(is_constant_of(*c->second, l)) << text << "\n"
                                                   << l.text << " " << c->second->text;
      }
    }
  }
  EXPECT_GT(literals, 300);
}

// Blanks the constants at the literals' places, so that what remains must be equal.
void blank(Statement& s, const Normalized& n) {
  std::vector<int> places;
  for (const Literal& l : n.literals) places.push_back(l.position);
  std::visit(
      [&](auto& tree) {
        if constexpr (requires { same(*tree, *tree); }) {
          walk(*tree, [&](auto& node) {
            if constexpr (std::is_same_v<std::decay_t<decltype(node)>, Expr>) {
              Const* c = std::get_if<Const>(&node.node);
              if (c != nullptr && std::binary_search(places.begin(), places.end(), node.location)) {
                const bool number = c->kind != Const::Kind::kString;
                c->text = number && c->text.substr(0, 1) == "-" ? "-" : "+";
              }
            }
            return true;
          });
        }
      },
      s.node);
}

std::string other_value(const Literal& l) {
  switch (l.kind) {
    case Literal::Kind::kInteger:
      return "1234567";
    case Literal::Kind::kNumeric:
      return l.text.find_first_of(".eE") == l.text.npos && l.text.size() < 20 ? "7777777777"
                                                                              : "3.25e1";
    case Literal::Kind::kString:
      return "'other ''value'";
  }
  return {};
}

TEST(Normalize, equal_keys_mean_equal_trees_but_for_the_constants) {
  for (const std::string& text : corpus()) {
    const Normalized n = run(text);
    if (!n.cacheable) continue;
    std::string changed;
    std::size_t at = 0;
    for (const Literal& l : n.literals) {
      changed += text.substr(at, static_cast<std::size_t>(l.position) - at) + other_value(l);
      at = static_cast<std::size_t>(l.position) + l.text.size();
    }
    changed += text.substr(at);
    const Normalized m = run(changed);
    ASSERT_EQ(n.key, m.key) << text << "\n" << changed;
    auto a = parse(text, {});
    auto b = parse(changed, {});
    ASSERT_TRUE(a && b) << changed;
    blank(a->front(), n);
    blank(b->front(), m);
    std::visit(
        [&](const auto& tree) {
          using T = std::decay_t<decltype(tree)>;
          if constexpr (requires { same(*tree, *tree); }) {
            EXPECT_TRUE(same(*tree, *std::get<T>(b->front().node))) << text << "\n" << changed;
          }
        },
        a->front().node);
  }
}

}  // namespace
}  // namespace shoal::sql
