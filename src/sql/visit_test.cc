// Walking, the questions over trees, and column names.
#include "sql/visit.h"

#include <gtest/gtest.h>

#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::sql {
namespace {

Statement only(std::string_view text) {
  auto parsed = parse(text, {});
  if (!parsed || parsed->size() != 1) {
    ADD_FAILURE() << text;
    Statement none;
    none.node = UnknownStatement{"failed"};
    return none;
  }
  return std::move(parsed->front());
}

SelectPtr query(std::string_view text) {
  Statement s = only(text);
  return std::move(std::get<SelectPtr>(s.node));
}

std::string print(const std::vector<TableUse>& uses) {
  std::string out;
  for (const TableUse& u : uses) {
    if (!out.empty()) out += ' ';
    if (!u.table->schema.empty()) out += u.table->schema + ".";
    out += u.table->name + ":" + std::to_string(u.depth);
    if (u.written) out += "!";
    if (u.cte) out += "?";
  }
  return out;
}

TEST(Visit, tables_of_a_statement) {
  const struct {
    const char *text, *expected;
  } rows[] = {
      {"SELECT 1", ""},
      {"SELECT * FROM a, s.b JOIN c ON true", "a:0 s.b:0 c:0"},
      {"SELECT (SELECT 1 FROM b) FROM a WHERE EXISTS (SELECT FROM c WHERE d IN (SELECT e FROM f))",
       "b:1 a:0 c:1 f:2"},
      {"SELECT * FROM (SELECT * FROM a) x, LATERAL (SELECT * FROM b) y", "a:1 b:1"},
      {"SELECT * FROM a UNION SELECT * FROM b ORDER BY (SELECT 1 FROM c)", "a:0 b:0 c:1"},
      {"WITH a AS (SELECT * FROM b) SELECT * FROM a, s.a", "b:1 a:0? s.a:0"},
      {"WITH a AS (SELECT * FROM a) SELECT * FROM a", "a:1 a:0?"},
      {"WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a", "a:1? a:0?"},
      {"WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM (SELECT * FROM b) x",
       "a:1? b:1?"},
      {"SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", "a:1? a:0"},
      {"INSERT INTO a SELECT * FROM b", "a:0! b:0"},
      {"WITH a AS (SELECT 1) INSERT INTO a SELECT * FROM a", "a:0! a:0?"},
      {"INSERT INTO a VALUES ((SELECT 1 FROM b)) ON CONFLICT (x) DO UPDATE SET y = (SELECT 1 FROM "
       "c) RETURNING (SELECT 1 FROM d)",
       "a:0! b:1 c:1 d:1"},
      {"UPDATE a SET x = (SELECT 1 FROM b) FROM c WHERE EXISTS (SELECT FROM d)",
       "a:0! b:1 c:0 d:1"},
      {"DELETE FROM a USING b WHERE x IN (SELECT 1 FROM c)", "a:0! b:0 c:1"},
      {"WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x", "a:1! b:0! x:0?"},
      {"MERGE INTO a USING (SELECT * FROM b) s ON true WHEN MATCHED THEN UPDATE SET x = (SELECT 1 "
       "FROM c)",
       "a:0! b:1 c:1"},
      {"SELECT * INTO a FROM b", "b:0 a:0!"},
      {"SELECT * FROM a FOR UPDATE OF a", "a:0"},
      {"SELECT * FROM a TABLESAMPLE system (1), f((SELECT 1 FROM b))", "a:0 b:1"},
      {"SELECT sum(x) FILTER (WHERE y IN (SELECT 1 FROM b)) OVER (ORDER BY (SELECT 1 FROM c)) FROM "
       "a",
       "b:1 c:1 a:0"},
      {"COPY a FROM STDIN", "a:0!"},
      {"COPY (SELECT * FROM a) TO STDOUT", "a:0"},
      {"TRUNCATE a, b", "a:0! b:0!"},
      {"EXPLAIN SELECT * FROM a", "a:0"},
      {"PREPARE p AS DELETE FROM a", "a:0!"},
      {"CREATE VIEW v AS SELECT * FROM a", "a:0"},
      {"DECLARE c CURSOR FOR SELECT * FROM a", "a:0"},
      {"CALL p((SELECT 1 FROM a))", "a:1"},
      {"BEGIN", ""},
  };
  for (const auto& row : rows) {
    const Statement s = only(row.text);
    EXPECT_EQ(print(tables(s)), row.expected) << row.text;
  }
}

TEST(Visit, calls_with_and_without_subqueries) {
  const SelectPtr s =
      query("SELECT f(g(x), (SELECT h(y))), CASE WHEN a THEN k() END FROM l() ORDER BY m()");
  EXPECT_EQ(all_calls(*s).size(), 6u);
  EXPECT_EQ(calls_in_block(*s->targets[0].expr).size(), 2u);
  EXPECT_EQ(all_calls(only("EXPLAIN UPDATE t SET a = f(g()) WHERE h()")).size(), 3u);
}

TEST(Visit, sublinks_are_found_wherever_they_hide) {
  for (const char* e :
       {"(SELECT 1)", "f((SELECT 1))", "CASE WHEN a THEN EXISTS (SELECT 1) END", "a IN (SELECT 1)",
        "ARRAY(SELECT 1)", "x[(SELECT 1)]", "sum(a) FILTER (WHERE (SELECT true))",
        "sum(a) OVER (ORDER BY (SELECT 1))", "ROW(1, (SELECT 2))", "a::int + (SELECT 1)"}) {
    EXPECT_TRUE(contains_sublink(*query(std::string("SELECT ") + e)->targets[0].expr)) << e;
  }
  EXPECT_FALSE(contains_sublink(*query("SELECT f(a, b) + 1")->targets[0].expr));
}

TEST(Visit, params_are_sorted_and_distinct) {
  const SelectPtr s = query("SELECT $3, $1 + $3 FROM t WHERE a IN (SELECT $7) LIMIT $2");
  EXPECT_EQ(params(*s), (std::vector<int>{1, 2, 3, 7}));
  EXPECT_EQ(max_param(*s), 7);
  EXPECT_EQ(max_param(*s->targets[0].expr), 3);
  EXPECT_EQ(max_param(*query("SELECT 1")), 0);
  EXPECT_EQ(params(only("EXECUTE p ($2)")), std::vector<int>{2});
}

TEST(Visit, a_tree_can_be_changed_in_place) {
  const SelectPtr s = query("SELECT a FROM t JOIN u ON t.k = u.k WHERE x IN (SELECT 1 FROM t)");
  walk(*s, [](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, RangeVar>) node.name += "_new";
    return true;
  });
  EXPECT_EQ(deparse(*s),
            "SELECT \"a\" FROM (\"t_new\" JOIN \"u_new\" ON (\"t\".\"k\" = \"u\".\"k\"))"
            " WHERE (\"x\" IN (SELECT 1 FROM \"t_new\"))");
}

TEST(Visit, walk_stops_where_it_is_told) {
  const SelectPtr s = query("SELECT a, (SELECT b) FROM t");
  int columns = 0;
  walk(*s, [&](const auto& node) {
    using T = std::decay_t<decltype(node)>;
    if constexpr (std::is_same_v<T, Select>) return &node == s.get();
    if constexpr (std::is_same_v<T, Expr>) columns += std::holds_alternative<ColumnRef>(node.node);
    return true;
  });
  EXPECT_EQ(columns, 1);
}

TEST(Visit, direct_children_of_a_chosen_kind) {
  const SelectPtr s = query("SELECT a, f(b) FROM t WHERE c ORDER BY d LIMIT 1");
  int expressions = 0;
  for_each_child(*s, [&](const Expr&) { ++expressions; });
  EXPECT_EQ(expressions, 5);
}

TEST(OutputName, as_postgresql_names_columns) {
  const struct {
    const char *target, *name;
  } rows[] = {
      {"a", "a"},
      {"t.a", "a"},
      {"a AS b", "b"},
      {"*", ""},
      {"t.*", ""},
      {"1", "?column?"},
      {"'x'", "?column?"},
      {"NULL", "?column?"},
      {"$1", "?column?"},
      {"TRUE", "?column?"},
      {"a + b", "?column?"},
      {"-a", "?column?"},
      {"a IS NULL", "?column?"},
      {"NOT a", "?column?"},
      {"f(x)", "f"},
      {"s.f(x)", "f"},
      {"count(*)", "count"},
      {"a::int", "a"},
      {"1::int", "int4"},
      {"'x'::s.t", "t"},
      {"CAST(a + b AS text)", "text"},
      {"date '2020-01-01'", "date"},
      {"interval '1' day", "interval"},
      {"f(x)::int", "f"},
      {"a COLLATE \"C\"", "a"},
      {"CASE WHEN a THEN b END", "case"},
      {"CASE WHEN a THEN b ELSE c END", "c"},
      {"CASE WHEN a THEN b ELSE 1 END", "case"},
      {"CASE WHEN a THEN b ELSE 1::int END", "case"},
      {"COALESCE(a, b)", "coalesce"},
      {"GREATEST(a)", "greatest"},
      {"LEAST(a)", "least"},
      {"NULLIF(a, b)", "nullif"},
      {"ARRAY[1]", "array"},
      {"ARRAY(SELECT 1)", "array"},
      {"ROW(1)", "row"},
      {"(1, 2)", "row"},
      {"EXISTS (SELECT 1)", "exists"},
      {"(SELECT a FROM t)", "a"},
      {"(SELECT 1)", "?column?"},
      {"(SELECT 1 AS x)", "x"},
      {"(SELECT max(a) FROM t)", "max"},
      {"(VALUES (1))", "column1"},
      {"(SELECT * FROM t)", ""},
      {"(SELECT a UNION SELECT b)", "a"},
      {"a IN (SELECT 1)", "?column?"},
      {"EXTRACT(year FROM a)", "extract"},
      {"a AT TIME ZONE 'x'", "timezone"},
      {"TRIM(a)", "btrim"},
      {"CURRENT_DATE", "current_date"},
      {"USER", "user"},
      {"CURRENT_TIMESTAMP(3)", "current_timestamp"},
      {"(a).b", "b"},
      {"a[1]", "a"},
      {"(f(x)).y[1]", "y"},
      {"(f(x))[1]", "f"},
      {"(a).*", ""},
      {"sum(a) OVER ()", "sum"},
      {"POSITION('a' IN b)", "position"},
      {"a LIKE 'x'", "?column?"},
  };
  for (const auto& row : rows) {
    const SelectPtr s = query(std::string("SELECT ") + row.target + " FROM t");
    EXPECT_EQ(output_name(s->targets[0]), row.name) << row.target;
    // Deparsing keeps the name.
    const SelectPtr again = query(deparse(*s));
    EXPECT_EQ(output_name(again->targets[0]), row.name) << row.target;
  }
}

}  // namespace
}  // namespace shoal::sql
