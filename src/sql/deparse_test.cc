// Deparsing what planners make, quoting, and the check.
#include "sql/deparse.h"

#include <gtest/gtest.h>

#include "sql/parse.h"

namespace shoal::sql {
namespace {

SelectPtr query(std::string_view text) {
  auto parsed = parse(text, {});
  EXPECT_TRUE(parsed) << text;
  return std::move(std::get<SelectPtr>(parsed->front().node));
}

ExprPtr expr(std::string_view text) {
  return std::move(query("SELECT " + std::string(text))->targets[0].expr);
}

template <class T>
ExprPtr make(T node) {
  auto e = std::make_unique<Expr>();
  e->node = std::move(node);
  return e;
}

TEST(Deparse, quoting) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\b'c"), "E'a\\\\b''c'");
}

TEST(Deparse, words_that_only_newer_servers_reserve_are_quoted) {
  EXPECT_EQ(deparse(*query("SELECT system_user, json FROM json_table")),
            "SELECT \"system_user\", \"json\" FROM \"json_table\"");
}

TEST(Deparse, texts) {
  const struct {
    const char *in, *out;
  } rows[] = {
      {"a + b * c", "(\"a\" + (\"b\" * \"c\"))"},
      {"-5 - -5", "((-5) - (-5))"},
      {"OPERATOR(-) 5", "(OPERATOR(-) 5)"},
      {"NOT a AND b", "((NOT \"a\") AND \"b\")"},
      {"TRUE", "TRUE"},
      {"x'1F'", "x'1F'"},
      {"a::numeric(10,2)[]", "CAST(\"a\" AS \"pg_catalog\".\"numeric\"(10, 2)[])"},
      {"EXTRACT(year FROM a)", "\"pg_catalog\".\"extract\"('year', \"a\")"},
      {"a[1:2].b", "(\"a\")[1 : 2].\"b\""},
      {"a SIMILAR TO b ESCAPE c", "(\"a\" SIMILAR TO \"b\" ESCAPE \"c\")"},
      {"a NOT IN (1, 2)", "(\"a\" NOT IN (1, 2))"},
      {"a <> ALL (SELECT 1)", "(\"a\" <> ALL (SELECT 1))"},
      {"CURRENT_TIMESTAMP(3)", "CURRENT_TIMESTAMP(3)"},
      {"f(VARIADIC a)", "\"f\"(VARIADIC \"a\")"},
  };
  for (const auto& row : rows) EXPECT_EQ(deparse(*expr(row.in)), row.out);
}

TEST(Deparse, a_condition_added_by_a_planner_passes_the_check) {
  for (const char* where : {"a AND b", "a OR b", "a", "NOT a", "a AND b AND (c OR d)"}) {
    const SelectPtr s = query(std::string("SELECT 1 FROM t WHERE ") + where);
    BoolExpr both;
    both.args.push_back(std::move(s->where));
    both.args.push_back(expr("k = 42"));
    s->where = make(std::move(both));
    EXPECT_TRUE(deparse_checked(*s)) << where;
  }
}

TEST(Deparse, constants_made_by_a_planner_pass_the_check) {
  const SelectPtr s = query("SELECT 1");
  s->targets.clear();
  s->targets.push_back({make(Const{Const::Kind::kInteger, "-7"}), "a"});
  s->targets.push_back({make(Const{Const::Kind::kString, "it's \\ 'x'"}), "b\"c"});
  s->targets.push_back({make(Const{Const::Kind::kNull, ""}), ""});
  s->targets.push_back({make(Const{Const::Kind::kBool, "f"}), ""});
  s->targets.push_back({make(Const{Const::Kind::kFloat, "-1.5"}), ""});
  s->targets.push_back({make(Param{3}), ""});
  const auto text = deparse_checked(*s);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text,
            "SELECT (-7) AS \"a\", E'it''s \\\\ ''x''' AS \"b\"\"c\", NULL, FALSE, (-1.5), $3");
}

// Trees that no text has: the check must find each of them.
TEST(Deparse, a_tree_without_a_text_is_an_error) {
  const SelectPtr s = query("SELECT 1");
  const auto fails = [&](ExprPtr e) {
    s->targets[0].expr = std::move(e);
    const auto text = deparse_checked(*s);
    EXPECT_FALSE(text) << *text;
    if (!text) {
      EXPECT_EQ(text.error().sqlstate, "XX000");
    }
  };
  fails(make(Const{Const::Kind::kInteger, "99999999999"}));  // would be kFloat
  fails(make(Const{Const::Kind::kFloat, "5"}));              // would be kInteger
  fails(make(Const{Const::Kind::kInteger, "1; DROP TABLE t"}));
  fails(make(ColumnRef{{""}, false}));
  fails(make(ColumnRef{{std::string(70, 'x')}, false}));  // would be cut at 63 bytes
  fails(make(RowExpr{{}, false}));
  Operator unknown;
  unknown.name = {"+ 1 +"};
  unknown.left = expr("a");
  unknown.right = expr("b");
  fails(make(std::move(unknown)));
  Operator any;  // = ANY ((SELECT ...)) would be a subquery
  any.form = Operator::Form::kAny;
  any.name = {"="};
  any.left = expr("a");
  any.right = expr("(SELECT b)");
  fails(make(std::move(any)));
}

TEST(Deparse, same_looks_at_every_part) {
  const char* texts[] = {
      "SELECT a",
      "SELECT b",
      "SELECT a AS b",
      "SELECT DISTINCT a",
      "SELECT a FROM t",
      "SELECT a FROM ONLY t",
      "SELECT a FROM s.t",
      "SELECT a FROM t AS x",
      "SELECT a FROM t AS x (y)",
      "SELECT a FROM t WHERE b",
      "SELECT a FROM t LIMIT 1",
      "SELECT a FROM t LIMIT 2",
      "SELECT a FROM t OFFSET 1",
      "SELECT a FROM t ORDER BY a FETCH FIRST 1 ROWS WITH TIES",
      "SELECT a FROM t FOR UPDATE",
      "SELECT a FROM t FOR SHARE",
      "SELECT a FROM t FOR UPDATE NOWAIT",
      "SELECT a FROM t GROUP BY a",
      "SELECT a FROM t GROUP BY DISTINCT a",
      "SELECT a INTO x FROM t",
      "SELECT a INTO TEMP x FROM t",
      "SELECT a FROM t ORDER BY a",
      "SELECT a FROM t ORDER BY a DESC",
      "SELECT a FROM t ORDER BY a NULLS FIRST",
      "WITH x AS (SELECT 1) SELECT a",
      "WITH RECURSIVE x AS (SELECT 1) SELECT a",
      "WITH x AS MATERIALIZED (SELECT 1) SELECT a",
      "SELECT 1 UNION SELECT 2",
      "SELECT 1 UNION ALL SELECT 2",
      "SELECT 1 EXCEPT SELECT 2",
      "VALUES (1)",
      "VALUES (1), (2)",
      "SELECT f(a)",
      "SELECT f(DISTINCT a)",
      "SELECT f(VARIADIC a)",
      "SELECT f(a ORDER BY b)",
      "SELECT f(a) FILTER (WHERE b)",
      "SELECT f(a) OVER ()",
      "SELECT f(a) OVER w",
      "SELECT f(*)",
      "SELECT f(a) OVER (ROWS 1 PRECEDING)",
      "SELECT f(a) OVER (ROWS 2 PRECEDING)",
      "SELECT f(a) OVER (RANGE 1 PRECEDING)",
  };
  for (const char* a : texts) {
    for (const char* b : texts) {
      EXPECT_EQ(same(*query(a), *query(b)), std::string_view(a) == b) << a << " | " << b;
    }
  }
}

}  // namespace
}  // namespace shoal::sql
