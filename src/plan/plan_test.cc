// Statements and their plans, as the lines that EXPLAIN (ROUTE) prints (without the blocks), one
// case for each way that routers of this kind went wrong. {5} stands for the shard of tenant 5.
#include <gtest/gtest.h>

#include "plan/make_plan.h"
#include "route/testing.h"
#include "sql/parse.h"

namespace shoal::plan {
namespace {

using route::test_shard_of;

struct Planned {
  std::unique_ptr<sql::Statement> statement;
  Plan plan;
};

const catalog::Snapshot& snapshot() {
  static const catalog::SnapshotPtr s = route::make_test_cluster();
  return *s;
}

Plan make(const std::string& text, const route::SessionFacts& session = {},
          std::vector<route::Parameter> params = {}) {
  auto parsed = sql::parse(text, sql::ParseLimits{});
  if (!parsed) {
    Plan bad;
    bad.node = parsed.error();
    return bad;
  }
  return make_plan({parsed->front(), snapshot(), session, params, 7});
}

std::string lines(const Plan& plan) {
  std::string out;
  for (const std::string& line : explain_route(plan, snapshot())) {
    if (line.compare(0, 2, "  ") == 0 || line.find("   block") != std::string::npos) continue;
    if (line.compare(0, 6, "hint: ") == 0 || line.compare(0, 9, "message: ") == 0) continue;
    if (!out.empty()) out += "\n";
    out += line;
  }
  return out;
}

std::string expand(std::string expected) {
  for (auto at = expected.find('{'); at != std::string::npos; at = expected.find('{')) {
    const auto end = expected.find('}', at);
    expected.replace(at, end - at + 1, test_shard_of(std::atoi(expected.substr(at + 1).c_str())));
  }
  return expected;
}

struct Case {
  const char* name;
  const char* sql;
  const char* expected;  // the first lines
};

void check(const std::vector<Case>& cases, const route::SessionFacts& session = {}) {
  for (const Case& c : cases) {
    const std::string expected = expand(c.expected);
    std::string got = lines(make(c.sql, session));
    if (std::count(expected.begin(), expected.end(), '\n') <
        std::count(got.begin(), got.end(), '\n')) {
      std::size_t end = 0;
      for (auto n = std::count(expected.begin(), expected.end(), '\n') + 1; n > 0; --n) {
        end = got.find('\n', end) + 1;
      }
      got.resize(end - 1);
    }
    EXPECT_EQ(got, expected) << c.name << ": " << c.sql;
  }
}

TEST(Plan, one_shard) {
  check({
      {"by key", "SELECT * FROM orders WHERE tenant_id = 5",
       "route: one shard ({5})\nreason: tenant_id = 5"},
      {"by quoted key", "SELECT * FROM orders WHERE tenant_id = '5'",
       "route: one shard ({5})\nreason: tenant_id = '5'"},
      {"no table", "SELECT 1", "route: one shard (s1)\nreason: no table"},
      {"a single table", "SELECT * FROM note",
       "route: one shard (s1)\nreason: tables of the home shard"},
      {"a reference table", "SELECT * FROM ref",
       "route: one shard (s1)\nreason: reference tables only"},
      {"an unknown table could be a view over shards", "SELECT * FROM nothing", "refused: 42P01"},
      {"an unknown table beside a sharded one", "SELECT * FROM nothing, orders", "refused: 42P01"},
      {"an unknown column", "SELECT nothing FROM orders", "refused: 42703"},
      {"LIMIT on one shard",
       "SELECT * FROM orders WHERE tenant_id = 5 ORDER BY id LIMIT 3 OFFSET 2",
       "route: one shard ({5})"},
      {"aggregates on one shard", "SELECT count(*), avg(x) FROM orders WHERE tenant_id = 5",
       "route: one shard ({5})"},
      {"system columns on one shard", "SELECT ctid FROM orders WHERE tenant_id = 5",
       "route: one shard ({5})"},
      {"system columns over several", "SELECT ctid FROM orders", "refused: SH0004"},
      {"row locks on one shard", "SELECT * FROM orders WHERE tenant_id = 5 FOR UPDATE SKIP LOCKED",
       "route: one shard ({5})"},
      {"row locks over several", "SELECT * FROM orders FOR UPDATE", "route: 4 shards"},
      {"row locks over several with LIMIT", "SELECT * FROM orders LIMIT 1 FOR UPDATE",
       "refused: SH0005"},
      {"row locks over several with SKIP LOCKED", "SELECT * FROM orders FOR UPDATE SKIP LOCKED",
       "refused: SH0005"},
      {"SELECT INTO", "SELECT * INTO n FROM orders", "refused: SH0203"},
  });
}

TEST(Plan, one_shard_plans_are_reused_for_other_values) {
  const Plan literal = make("SELECT * FROM orders WHERE tenant_id = 5 AND id = 7 LIMIT 3");
  ASSERT_TRUE(literal.reuse);
  EXPECT_EQ(literal.reuse->literal_location, 39);
  EXPECT_EQ(literal.reuse->param, 0);
  EXPECT_TRUE(literal.shaping_literals.empty());
  EXPECT_FALSE(literal.depends_on_params);

  const route::Parameter five{Oid{23}, false, false, "5"};
  const Plan param =
      make("SELECT * FROM orders WHERE id = $2 AND tenant_id = $1", {}, {five, five});
  ASSERT_TRUE(param.reuse);
  EXPECT_EQ(param.reuse->param, 1);
  EXPECT_FALSE(param.depends_on_params);

  const auto reusable = [](const char* text) { return make(text).reuse.has_value(); };
  EXPECT_TRUE(
      reusable("SELECT * FROM orders o JOIN users u USING (tenant_id) WHERE u.tenant_id = 5"));
  EXPECT_TRUE(reusable("UPDATE orders SET x = 3 WHERE tenant_id = 5"));
  EXPECT_TRUE(reusable("DELETE FROM orders WHERE tenant_id = 5 AND id = 3"));
  EXPECT_TRUE(reusable("INSERT INTO users (tenant_id, id) VALUES (5, 3)"));
  // Two constants, which happen to lie on one shard.
  EXPECT_FALSE(reusable("SELECT 1 FROM ranges a, ranges b WHERE a.z = 150 AND b.z = 160"));
  // Right only because the constant lies on home.
  EXPECT_FALSE(reusable("SELECT 1 FROM ranges r, note n WHERE r.z = 50"));
  EXPECT_FALSE(reusable("SELECT 1 FROM orders WHERE tenant_id = -5"));
  EXPECT_FALSE(reusable("SELECT 1 FROM orders WHERE tenant_id IN (5)"));
  EXPECT_FALSE(reusable("SELECT 1 FROM orders WHERE tenant_id = NULL"));
  EXPECT_FALSE(reusable("UPDATE orders SET tenant_id = 5 WHERE tenant_id = 5"));
  EXPECT_FALSE(reusable("SELECT 1 FROM v_orders"));
  EXPECT_FALSE(reusable("SELECT 1 FROM note"));
}

TEST(Plan, what_was_looked_at_shapes_the_plan) {
  const auto shaping = [](const char* text) { return make(text).shaping_literals.size(); };
  EXPECT_EQ(shaping("SELECT 1 FROM ranges a, ranges b WHERE a.z = 150 AND b.z = 160 AND a.x = 3"),
            2U);
  EXPECT_EQ(shaping("SELECT x FROM orders ORDER BY 1"), 1U);
  EXPECT_EQ(shaping("SELECT x FROM orders WHERE x = 3 ORDER BY x LIMIT 5"), 2U);
  EXPECT_EQ(shaping("SELECT x FROM orders WHERE x = 3"), 0U);
}

TEST(Plan, writes_by_key) {
  check({
      {"UPDATE", "UPDATE orders SET x = 1 WHERE tenant_id = 5", "route: one shard ({5})"},
      {"UPDATE everywhere", "UPDATE orders SET x = 1", "route: 4 shards"},
      {"UPDATE with a linked table",
       "UPDATE orders o SET x = u.k FROM users u WHERE u.tenant_id = o.tenant_id",
       "route: 4 shards"},
      {"UPDATE with a table not linked",
       "UPDATE orders o SET x = u.k FROM users u WHERE u.id = o.id", "refused: SH0105"},
      {"a left join hidden in FROM",
       "UPDATE orders o SET x = 1 FROM ref r LEFT JOIN users u ON u.tenant_id = r.k WHERE r.k = "
       "o.tenant_id",
       "refused: SH0105"},
      {"the target's condition in another table's name",
       "UPDATE orders o SET x = 1 FROM users u WHERE u.tenant_id = 5", "refused: SH0105"},
      {"UPDATE of the key", "UPDATE orders SET tenant_id = 6 WHERE tenant_id = 5",
       "refused: SH0101"},
      {"UPDATE of the key to itself", "UPDATE orders SET tenant_id = tenant_id WHERE id = 5",
       "route: 4 shards"},
      {"UPDATE of the key to what it is",
       "UPDATE orders SET tenant_id = 5, x = 2 WHERE tenant_id = 5", "route: one shard ({5})"},
      {"now() on one shard", "UPDATE orders SET created = now() WHERE tenant_id = 5",
       "route: one shard ({5})"},
      {"random() per row", "UPDATE orders SET x = random() WHERE x = 1", "route: 4 shards"},
      {"nextval over shards", "UPDATE orders SET x = nextval('orders_id_seq')", "refused: SH0105"},
      {"DELETE", "DELETE FROM orders WHERE tenant_id = 5 RETURNING *", "route: one shard ({5})"},
      {"DELETE everywhere", "DELETE FROM orders WHERE x = 1", "route: 4 shards"},
      {"DELETE with USING",
       "DELETE FROM orders o USING lines l WHERE l.tenant_id = o.tenant_id AND o.tenant_id = 5",
       "route: one shard ({5})"},
      {"DELETE by a subquery",
       "DELETE FROM orders WHERE tenant_id IN (SELECT tenant_id FROM users WHERE flag)",
       "route: 4 shards"},
      {"DELETE by a subquery not linked", "DELETE FROM orders WHERE id IN (SELECT id FROM users)",
       "refused: SH0105"},
      {"a trigger", "UPDATE triggered SET x = 1 WHERE tenant_id = 5", "refused: SH0205"},
      {"a single table by a sharded one", "DELETE FROM note USING orders o WHERE o.id = note.id",
       "refused: SH0105"},
      {"a single table", "DELETE FROM note WHERE id = 5", "route: one shard (s1)"},
  });
}

TEST(Plan, data_modifying_with_queries_go_to_one_shard) {
  check({
      {"over several shards", "WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d",
       "refused: SH0105"},
      {"on one shard",
       "WITH d AS (DELETE FROM orders WHERE tenant_id = 5 RETURNING *) SELECT * FROM d",
       "route: one shard ({5})\nreason: tenant_id = 5"},
      {"on two shards",
       "WITH d AS (DELETE FROM ranges WHERE z = 50 RETURNING x) SELECT * FROM d, ranges r WHERE "
       "r.z = 150",
       "refused: SH0105"},
      {"a condition in one part only",
       "WITH d AS (DELETE FROM ranges WHERE z = 50) SELECT * FROM ranges", "refused: SH0105"},
      {"nobody reads it", "WITH d AS (DELETE FROM orders) SELECT 1", "refused: SH0105"},
      {"moved rows",
       "WITH d AS (DELETE FROM lines WHERE tenant_id = 5 RETURNING tenant_id, order_id) INSERT "
       "INTO users (tenant_id, id) SELECT tenant_id, order_id FROM d",
       "route: one shard ({5})"},
      {"moved rows with another column as key",
       "WITH d AS (DELETE FROM lines WHERE tenant_id = 5 RETURNING tenant_id, order_id) INSERT "
       "INTO users (tenant_id, id) SELECT order_id, tenant_id FROM d",
       "refused: SH0105"},
      {"inserted rows",
       "WITH i AS (INSERT INTO lines VALUES (5, 1, 2) RETURNING order_id) SELECT * FROM i JOIN "
       "orders o ON o.id = i.order_id WHERE o.tenant_id = 5",
       "route: one shard ({5})"},
      {"inserted rows of another shard",
       "WITH i AS (INSERT INTO ranges VALUES (50, 1) RETURNING x) UPDATE ranges SET x = 1 WHERE z "
       "= 150",
       "refused: SH0105"},
      {"the key is changed",
       "WITH u AS (UPDATE lines SET tenant_id = 6 WHERE tenant_id = 5 RETURNING 1) SELECT * FROM u",
       "refused: SH0101"},
      {"a single table on home",
       "WITH d AS (DELETE FROM ranges WHERE z = 50 RETURNING x) INSERT INTO note (id) SELECT x "
       "FROM d",
       "route: one shard (s1)"},
      {"a single table elsewhere",
       "WITH d AS (DELETE FROM note RETURNING x) UPDATE ranges SET x = 1 WHERE z = 150",
       "refused: SH0105"},
      {"a reference table",
       "WITH d AS (DELETE FROM ref RETURNING x) UPDATE ranges SET x = 1 WHERE z = 150",
       "refused: SH0105"},
  });
}

TEST(Plan, merge_statements) {
  check({
      {"linked",
       "MERGE INTO users t USING lines s ON t.tenant_id = s.tenant_id AND t.id = s.order_id WHEN "
       "MATCHED THEN UPDATE SET k = s.qty WHEN NOT MATCHED THEN INSERT (tenant_id, id) VALUES "
       "(s.tenant_id, s.order_id)",
       "route: 4 shards"},
      {"not linked",
       "MERGE INTO users t USING lines s ON t.id = s.order_id WHEN MATCHED THEN DELETE",
       "refused: SH0106"},
      {"another column feeds the key",
       "MERGE INTO users t USING lines s ON t.tenant_id = s.tenant_id WHEN NOT MATCHED THEN INSERT "
       "(tenant_id, id) VALUES (s.order_id, 1)",
       "refused: SH0106"},
      {"a constant feeds the key",
       "MERGE INTO users t USING lines s ON t.tenant_id = s.tenant_id WHEN NOT MATCHED THEN INSERT "
       "(tenant_id, id) VALUES (5, 1)",
       "refused: SH0106"},
      {"constants on one shard",
       "MERGE INTO users t USING (VALUES (5, 1)) s(a, b) ON t.tenant_id = 5 AND t.id = s.b WHEN "
       "NOT MATCHED THEN INSERT (tenant_id, id) VALUES (5, 1) WHEN MATCHED THEN UPDATE SET k = 2",
       "route: one shard ({5})"},
      {"constants of two shards",
       "MERGE INTO ranges t USING (VALUES (50, 1)) s(a, b) ON t.z = 50 WHEN NOT MATCHED THEN "
       "INSERT (z, x) VALUES (150, 1)",
       "refused: SH0106"},
      {"a reference source",
       "MERGE INTO users t USING ref s ON t.tenant_id = s.k WHEN NOT MATCHED THEN INSERT "
       "(tenant_id) VALUES (s.k)",
       "refused: SH0106"},
      {"the key is changed",
       "MERGE INTO users t USING lines s ON t.tenant_id = s.tenant_id WHEN MATCHED THEN UPDATE SET "
       "tenant_id = 3",
       "refused: SH0101"},
      {"a serial column",
       "MERGE INTO orders t USING lines s ON t.tenant_id = s.tenant_id WHEN NOT MATCHED THEN "
       "INSERT (tenant_id, x, created) VALUES (s.tenant_id, 1, NULL)",
       "refused: SH0106"},
      {"into a reference table",
       "MERGE INTO ref t USING lines s ON t.k = s.qty WHEN MATCHED THEN DELETE", "refused: SH0106"},
      {"single tables", "MERGE INTO note t USING note s ON t.id = s.id WHEN MATCHED THEN DELETE",
       "route: one shard (s1)"},
  });
}

TEST(Plan, scope_filters_every_sharded_relation) {
  route::SessionFacts session;
  session.scope_key = "150";
  check(
      {
          {"WHERE", "SELECT x FROM ranges",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: SELECT \"x\" FROM \"ranges\" "
           "WHERE (\"ranges\".\"z\" OPERATOR(\"pg_catalog\".=) '150')"},
          {"beside another condition", "SELECT x FROM ranges r WHERE x = 1 OR x = 2",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: SELECT \"x\" FROM \"ranges\" "
           "AS \"r\" WHERE ((\"r\".\"z\" OPERATOR(\"pg_catalog\".=) '150') AND ((\"x\" = 1) OR "
           "(\"x\" = 2)))"},
          {"another key gives nothing", "SELECT x FROM ranges WHERE z = 250",
           "route: one shard (s1)\nreason: shoal.key = '150'\ntext: SELECT \"x\" FROM \"ranges\" "
           "WHERE ((\"ranges\".\"z\" OPERATOR(\"pg_catalog\".=) '150') AND (\"z\" = 250))"},
          {"the nullable side", "SELECT 1 FROM ref LEFT JOIN ranges r ON r.x = ref.x",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: SELECT 1 FROM (\"ref\" LEFT "
           "JOIN \"ranges\" AS \"r\" ON ((\"r\".\"z\" OPERATOR(\"pg_catalog\".=) '150') AND "
           "(\"r\".\"x\" = \"ref\".\"x\")))"},
          {"USING", "SELECT 1 FROM ref LEFT JOIN ranges r USING (x)",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: SELECT 1 FROM (\"ref\" LEFT "
           "JOIN (SELECT * FROM \"ranges\" WHERE (\"z\" OPERATOR(\"pg_catalog\".=) '150')) AS "
           "\"r\" USING (\"x\"))"},
          {"subqueries", "SELECT (SELECT count(*) FROM ranges) FROM ref",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: SELECT (SELECT \"count\"(*) "
           "FROM \"ranges\" WHERE (\"ranges\".\"z\" OPERATOR(\"pg_catalog\".=) '150')) FROM "
           "\"ref\""},
          {"WITH", "WITH q AS (SELECT * FROM ranges) SELECT * FROM q a, q b",
           "route: one shard (s2)"},
          {"UPDATE", "UPDATE ranges SET x = 1",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: UPDATE \"ranges\" SET \"x\" = "
           "1 WHERE (\"ranges\".\"z\" OPERATOR(\"pg_catalog\".=) '150')"},
          {"DELETE", "DELETE FROM ranges r WHERE x = 1",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: DELETE FROM \"ranges\" AS "
           "\"r\" WHERE ((\"r\".\"z\" OPERATOR(\"pg_catalog\".=) '150') AND (\"x\" = 1))"},
          {"INSERT fills in", "INSERT INTO ranges (x) VALUES (1), (2)",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: INSERT INTO \"ranges\" (\"x\", "
           "\"z\") VALUES (1, '150'), (2, '150')"},
          {"INSERT checks", "INSERT INTO ranges VALUES (150, 2)", "route: one shard (s2)"},
          {"INSERT of another key", "INSERT INTO ranges VALUES (151, 2)", "refused: SH0307"},
          {"INSERT of an expression", "INSERT INTO ranges VALUES (150 + 0, 2)", "refused: SH0307"},
          {"INSERT .. SELECT fills in", "INSERT INTO ranges (x) SELECT x FROM ref",
           "route: row by row\nreason: shoal.key = '150'\nsource route: one shard (s1)\nsource "
           "reason: reference tables only\nsource text: SELECT \"x\", CAST('150' AS "
           "\"pg_catalog\".\"int4\") FROM \"ref\""},
          {"COPY", "COPY ranges TO STDOUT", "route: 1 shards"},
          {"COPY FROM", "COPY ranges FROM STDIN", "route: row by row"},
          {"TRUNCATE", "TRUNCATE ranges", "refused: SH0307"},
          {"a view", "SELECT id FROM v_all",
           "route: one shard (s2)\nreason: shoal.key = '150'\ntext: SELECT \"id\" FROM (SELECT "
           "\"orders\".\"tenant_id\" AS \"t\", \"orders\".\"id\" FROM \"public\".\"orders\" WHERE "
           "(\"orders\".\"tenant_id\" OPERATOR(\"pg_catalog\".=) '150')) AS \"v_all\"(\"t\", "
           "\"id\")"},
          {"single tables", "SELECT * FROM note",
           "route: one shard (s1)\nreason: tables of the home shard"},
          {"a composite key", "SELECT * FROM pairs", "refused: SH0307"},
          {"a data-modifying WITH", "WITH d AS (DELETE FROM ranges RETURNING *) SELECT * FROM d",
           "refused: SH0307"},
          {"another type", "SELECT * FROM money", "route: one shard (s1)"},
      },
      session);
  session.scope_key = "abc";
  check({{"no value of the key", "SELECT * FROM ranges", "refused: SH0307"}}, session);
}

TEST(Plan, reference_writes) {
  check({
      {"constants", "UPDATE ref SET x = 1 WHERE k = 2",
       "route: all copies\nreason: reference table ref\nshards: s1, s2, s3, s4\ncopies: the same "
       "text on each"},
      {"DELETE", "DELETE FROM country WHERE code = 'x'", "route: all copies"},
      {"random()", "UPDATE ref SET x = random()",
       "route: all copies\nreason: reference table ref\nshards: s1, s2, s3, s4\ncopies: rows of "
       "the home shard applied by \"k\""},
      {"random() without a primary key", "UPDATE country SET name = random()::text",
       "refused: SH0107"},
      {"by a sharded table", "UPDATE ref SET x = o.x FROM orders o WHERE o.id = ref.k",
       "refused: SH0107"},
      {"by another reference table may match twice",
       "UPDATE ref SET x = 1 FROM country c WHERE c.name = 'a'",
       "route: all copies\nreason: reference table ref\nshards: s1, s2, s3, s4\ncopies: rows of "
       "the home shard applied by \"k\""},
      {"INSERT", "INSERT INTO ref VALUES (1, 2, 3)", "route: all copies"},
      {"INSERT of gathered rows", "INSERT INTO ref (k, x) SELECT tenant_id, x FROM orders",
       "route: row by row"},
  });
}

TEST(Plan, inserts) {
  check({
      {"one row", "INSERT INTO users (tenant_id, id) VALUES (5, 1)", "route: one shard ({5})"},
      {"without a column list", "INSERT INTO users VALUES (5, 1, 'a')", "route: one shard ({5})"},
      {"the key quoted", "INSERT INTO users (id, tenant_id) VALUES (1, '5')",
       "route: one shard ({5})"},
      {"the key as a fraction is rounded", "INSERT INTO users (id, tenant_id) VALUES (1, 4.6)",
       "route: one shard ({5})"},
      {"the key NULL", "INSERT INTO users (id, tenant_id) VALUES (1, NULL)",
       "route: one shard (s1)\nreason: no shard takes a NULL key"},
      {"the key left out", "INSERT INTO users (id) VALUES (1)",
       "route: one shard (s1)\nreason: no shard takes a NULL key"},
      {"the key too large", "INSERT INTO users (tenant_id) VALUES (3000000000)", "refused: 22003"},
      {"a column that does not exist", "INSERT INTO users (tenant_id, nothing) VALUES (5, 1)",
       "refused: 42703"},
      {"too many values", "INSERT INTO lines VALUES (5, 1, 2, 3)", "refused: 42601"},
      {"two rows of one shard",
       "INSERT INTO users (tenant_id, id) VALUES (5, 1), (5, 2) RETURNING id",
       "route: one shard ({5})"},
      {"rows of two shards",
       "INSERT INTO ranges (z, x) VALUES (50, 1), (150, $1), (60, 3) RETURNING x",
       "route: 2 shards\nreason: 3 rows by shard key\nshards: s1, s2\n"
       "text on s1: INSERT INTO \"ranges\" (\"z\", \"x\") VALUES (50, 1), (60, 3) RETURNING \"x\"\n"
       "text on s2: INSERT INTO \"ranges\" (\"z\", \"x\") VALUES (150, $1) RETURNING \"x\""},
      {"a serial column is home's to fill",
       "INSERT INTO orders (tenant_id, x, created) VALUES (5, 1, NULL) RETURNING id",
       "route: row by row"},
      {"a key that must be computed", "INSERT INTO users (tenant_id, id) VALUES (abs(5), 1)",
       "route: row by row"},
      {"a key that is an expression", "INSERT INTO users (tenant_id, id) VALUES (2 + 3, 1)",
       "route: row by row\nreason: values are computed on the home shard, then placed row by "
       "row\nsource route: one shard (s1)\nsource reason: values computed on the home "
       "shard\nsource text: VALUES ((2 + 3), 1)"},
      {"several expressions", "INSERT INTO users (tenant_id, id) VALUES (2 + 3, 1), (1.5 + 1, 2)",
       "route: row by row"},
      {"a serial column of several rows",
       "INSERT INTO orders (tenant_id, created) VALUES (5, '2024-01-01'), ('6', NULL)",
       "route: row by row\nreason: values are computed on the home shard, then placed row by "
       "row\nsource route: one shard (s1)\nsource reason: values computed on the home shard\n"
       "source text: VALUES (5, CAST('2024-01-01' AS \"pg_catalog\".\"timestamptz\"), "
       "CAST(\"pg_catalog\".\"nextval\"(CAST('\"public\".\"orders_id_seq\"' AS "
       "\"pg_catalog\".\"regclass\")) AS \"pg_catalog\".\"int8\")), (CAST('6' AS "
       "\"pg_catalog\".\"int4\"), CAST(NULL AS \"pg_catalog\".\"timestamptz\"), "
       "CAST(\"pg_catalog\".\"nextval\"(CAST('\"public\".\"orders_id_seq\"' AS "
       "\"pg_catalog\".\"regclass\")) AS \"pg_catalog\".\"int8\"))"},
      {"a serial column and ON CONFLICT",
       "INSERT INTO orders (tenant_id) VALUES (5) ON CONFLICT (tenant_id, id) DO NOTHING",
       "route: row by row"},
      {"a serial column of gathered rows", "INSERT INTO orders (tenant_id) SELECT x FROM orders",
       "route: row by row\nreason: the rows of the source are gathered, then placed row by "
       "row\nsource route: gather"},
      {"a subquery over a sharded table",
       "INSERT INTO users (tenant_id, id) VALUES (5, (SELECT max(id) FROM orders))",
       "route: row by row\nreason: subqueries among the values are gathered, then the rows placed "
       "one by one\nsource route: gather"},
      {"a subquery over the same shard",
       "INSERT INTO users (tenant_id, id) VALUES (5, (SELECT max(id) FROM orders WHERE tenant_id = "
       "5))",
       "route: one shard ({5})"},
      {"a subquery over another shard",
       "INSERT INTO ranges VALUES (50, (SELECT max(x) FROM ranges WHERE z = 150))",
       "route: row by row\nreason: subqueries among the values are gathered, then the rows placed "
       "one by one\nsource route: one shard (s2)"},
      {"a WITH list before values that are computed",
       "WITH m AS (SELECT max(id) AS x FROM orders) INSERT INTO users (tenant_id, id) "
       "SELECT x, 1 FROM m",
       "route: row by row\nreason: the rows of the source are gathered, then placed row by "
       "row\nsource route: gather"},
      {"the time beside several rows",
       "INSERT INTO users (tenant_id, id) VALUES (5, 1), (6, 1), (7, 1), (8, 1) RETURNING now()",
       "refused: SH0007"},
      {"a subquery over a single table",
       "INSERT INTO ranges VALUES (150, (SELECT max(x) FROM note))", "route: row by row"},
      {"a sequence in the text", "INSERT INTO ranges VALUES (150, nextval('orders_id_seq'))",
       "route: row by row"},
      {"pushed down", "INSERT INTO users (id, tenant_id) SELECT id, tenant_id FROM orders",
       "route: 4 shards\nreason: the source has the target's shard key"},
      {"pushed down to one shard",
       "INSERT INTO users (id, tenant_id) SELECT id, tenant_id FROM orders WHERE tenant_id = 5",
       "route: one shard ({5})"},
      {"gathered: another column feeds the key",
       "INSERT INTO users (tenant_id, id) SELECT x, id FROM orders", "route: row by row"},
      {"gathered: from a single table", "INSERT INTO users (tenant_id, id) SELECT k, x FROM note",
       "route: row by row"},
      {"into a single table", "INSERT INTO note (id, k) SELECT x, tenant_id FROM orders",
       "route: row by row"},
      {"ON CONFLICT with the key",
       "INSERT INTO users (tenant_id, id) VALUES (5, 1) ON CONFLICT (tenant_id, id) DO UPDATE SET "
       "tenant_id = excluded.tenant_id, k = 2",
       "route: one shard ({5})"},
      {"ON CONFLICT without the key",
       "INSERT INTO users (tenant_id, id) VALUES (5, 1) ON CONFLICT (id) DO NOTHING",
       "refused: 42P10"},
      {"ON CONFLICT that moves the row",
       "INSERT INTO users (tenant_id, id) VALUES (5, 1) ON CONFLICT (tenant_id, id) DO UPDATE SET "
       "tenant_id = 6",
       "refused: SH0101"},
      {"ON CONFLICT by constraint",
       "INSERT INTO users (tenant_id, id) VALUES (5, 1) ON CONFLICT ON CONSTRAINT users_pkey DO "
       "NOTHING",
       "route: one shard ({5})"},
      {"into a single table by constants", "INSERT INTO note VALUES (1, 2, 3)",
       "route: one shard (s1)"},
      {"a trigger", "INSERT INTO triggered VALUES (5, 1)", "refused: SH0205"},
  });
}

TEST(Plan, copy_and_whole_tables) {
  check({
      {"COPY FROM", "COPY users FROM STDIN",
       "route: row by row\nreason: sharded table users\nshards: s1, s2, s3, s4"},
      {"COPY FROM without the key", "COPY users (id, name) FROM STDIN", "refused: 23502"},
      {"COPY FROM without a serial column", "COPY orders (tenant_id, x) FROM STDIN",
       "route: row by row\nreason: sharded table orders\nshards: s1, s2, s3, s4"},
      {"COPY FROM into a reference table", "COPY ref FROM STDIN", "route: all copies"},
      {"COPY FROM into a single table", "COPY note FROM STDIN", "route: one shard (s1)"},
      {"COPY TO", "COPY users TO STDOUT", "route: 4 shards"},
      {"COPY of a query", "COPY (SELECT * FROM users WHERE tenant_id = 5) TO STDOUT",
       "route: one shard ({5})"},
      {"COPY of a query over shards", "COPY (SELECT * FROM users) TO STDOUT", "route: 4 shards"},
      {"COPY of an ordered query", "COPY (SELECT * FROM users ORDER BY 1) TO STDOUT",
       "route: gather"},
      {"COPY with a file", "COPY users TO '/tmp/x'", "refused: SH0008"},
      {"TRUNCATE", "TRUNCATE users", "route: 4 shards"},
      {"TRUNCATE single", "TRUNCATE note", "route: one shard (s1)"},
      {"TRUNCATE of both kinds", "TRUNCATE note, users", "route: 4 shards"},
      {"LOCK of both kinds", "LOCK TABLE note, users", "refused: SH0105"},
      {"LOCK", "LOCK TABLE users", "route: 4 shards"},
      {"VACUUM", "VACUUM users", "route: 4 shards"},
      {"DO of plain code", "DO 'BEGIN END'", "route: one shard (s1)"},
      {"DO in another language", "DO LANGUAGE x 'BEGIN END'", "refused: SH0003"},
  });
}

TEST(Plan, a_session_bound_to_a_shard_goes_there) {
  route::SessionFacts session;
  session.shard = "s3";
  check({{"anything", "SELECT ctid FROM orders",
          "route: one shard (s3)\nreason: shoal.shard = 's3'"}},
        session);
  session.shard = "s9";
  check({{"nowhere", "SELECT 1", "refused: SH0501"}}, session);
}

TEST(Plan, fanout_can_be_forbidden) {
  route::SessionFacts session;
  session.fanout = route::Fanout::kDeny;
  check({{"several shards", "SELECT * FROM orders", "refused: SH0006"},
         {"a write", "DELETE FROM orders", "refused: SH0006"},
         {"one shard", "SELECT * FROM orders WHERE tenant_id = 5", "route: one shard ({5})"}},
        session);
}

TEST(Plan, parameters_without_types_are_asked_for) {
  const route::Parameter untyped{Oid{0}, false, false, "5"};
  EXPECT_TRUE(std::holds_alternative<NeedTypes>(
      make("SELECT * FROM orders WHERE tenant_id = $1", {}, {untyped}).node));
  EXPECT_TRUE(
      std::holds_alternative<Scatter>(make("SELECT * FROM orders WHERE tenant_id = $1").node));
}

TEST(Plan, scatters) {
  check({
      {"concatenated", "SELECT x FROM orders WHERE x > 3",
       "route: 4 shards\nreason: sharded table orders\nshards: s1, s2, s3, s4\ntext: as it "
       "came\nmerge: concatenate"},
      {"ordered", "SELECT x, id FROM orders ORDER BY id DESC, x",
       "route: 4 shards\nreason: sharded table orders\nshards: s1, s2, s3, s4\n"
       "text: SELECT \"x\", \"id\" FROM \"orders\" ORDER BY \"id\" DESC, \"x\"\nmerge: merge by "
       "column 2 desc 1"},
      {"ordered by what is not in the output",
       "SELECT x FROM orders ORDER BY id NULLS FIRST LIMIT 3 OFFSET 2",
       "route: 4 shards\nreason: sharded table orders\nshards: s1, s2, s3, s4\n"
       "text: SELECT \"x\", \"id\" AS \"shoal_sort_1\" FROM \"orders\" ORDER BY \"id\" NULLS FIRST "
       "LIMIT 5\nmerge: merge by column 2 nulls first; skip 2; at most 3 rows; hide 1 columns"},
      {"LIMIT alone", "SELECT x FROM orders LIMIT 3 OFFSET 2",
       "route: 4 shards\nreason: sharded table orders\nshards: s1, s2, s3, s4\n"
       "text: SELECT \"x\" FROM \"orders\" LIMIT 5\nmerge: skip 2; at most 3 rows"},
  });
}

TEST(Plan, order_is_merged_only_where_it_is_certain) {
  check({
      {"by an aggregate",
       "SELECT tenant_id, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
       "route: 4 shards\nreason: sharded table orders, grouped by the shard key\nshards: s1, s2, "
       "s3, s4\n"
       "text: SELECT \"tenant_id\", \"count\"(*) FROM \"orders\" GROUP BY 1 ORDER BY 2 DESC LIMIT "
       "3\nmerge: merge by column 2 desc; at most 3 rows"},
      {"by a timestamp: compared in binary", "SELECT created FROM orders ORDER BY created",
       "route: 4 shards\nreason: sharded table orders\nshards: s1, s2, s3, s4\n"
       "text: SELECT \"created\", \"created\" AS \"shoal_sort_1\" FROM \"orders\" ORDER BY "
       "\"created\"\nmerge: merge by column 2; hide 1 columns"},
      {"by an expression", "SELECT x FROM orders ORDER BY x + 1", "route: gather"},
      {"by text under C", "SELECT note FROM orders ORDER BY note", "route: 4 shards"},
      {"by text under another collation", "SELECT name FROM ci ORDER BY name", "route: gather"},
      {"by text with an explicit collation", "SELECT note FROM orders ORDER BY note COLLATE \"C\"",
       "route: gather"},
      {"WITH TIES", "SELECT x FROM orders ORDER BY x FETCH FIRST 3 ROWS WITH TIES",
       "route: gather"},
      {"LIMIT of an expression", "SELECT x FROM orders ORDER BY x LIMIT 1 + 1", "route: gather"},
      {"LIMIT NULL", "SELECT x FROM orders ORDER BY x LIMIT NULL", "route: 4 shards"},
      {"a set operation",
       "SELECT tenant_id FROM orders UNION ALL SELECT tenant_id FROM users ORDER BY 1",
       "route: 4 shards"},
  });
}

TEST(Plan, aggregates_are_combined_only_where_it_is_exact) {
  check({
      {"count", "SELECT count(*) FROM orders",
       "route: 4 shards\nreason: partial aggregates of each shard\nshards: s1, s2, s3, s4\ntext: "
       "as it came\nmerge: combine one row: count"},
      {"sum, min, max, bool_and", "SELECT sum(x), min(id), max(note), bool_and(x > 3) FROM orders",
       "route: 4 shards\nreason: partial aggregates of each shard\nshards: s1, s2, s3, s4\ntext: "
       "as it came\nmerge: combine one row: sum min max bool_and"},
      {"FILTER", "SELECT count(*) FILTER (WHERE tenant_id = 5) FROM orders", "route: 4 shards"},
      {"avg", "SELECT avg(x) FROM orders", "route: gather"},
      {"sum of numeric", "SELECT sum(amount) FROM users", "route: gather"},
      {"sum of an expression", "SELECT sum(x * 2) FROM orders", "route: gather"},
      {"an expression of aggregates", "SELECT sum(x) / count(*) FROM orders", "route: gather"},
      {"count(DISTINCT key)", "SELECT count(DISTINCT tenant_id) FROM orders", "route: 4 shards"},
      {"count(DISTINCT x)", "SELECT count(DISTINCT x) FROM orders", "route: gather"},
      {"a sum over USING of two widths",
       "SELECT sum(tenant_id) FROM lines RIGHT JOIN orders USING (tenant_id)", "route: 4 shards"},
      {"two DISTINCTs", "SELECT count(DISTINCT tenant_id), count(DISTINCT x) FROM orders",
       "route: gather"},
      {"string_agg", "SELECT string_agg(note, ',' ORDER BY id) FROM orders", "route: gather"},
      {"HAVING", "SELECT x, count(*) FROM orders GROUP BY x HAVING count(*) > 1", "route: gather"},
      {"groups", "SELECT x, count(*) FROM orders GROUP BY x ORDER BY count(*) DESC, x LIMIT 2",
       "route: 4 shards\nreason: partial groups of each shard\nshards: s1, s2, s3, s4\n"
       "text: SELECT \"x\", \"count\"(*) FROM \"orders\" GROUP BY \"x\"\nmerge: combine groups: "
       "group count; merge by column 2 desc 1; at most 2 rows"},
      {"groups by a column that is not shown", "SELECT count(*) FROM orders GROUP BY x",
       "route: 4 shards\nreason: partial groups of each shard\nshards: s1, s2, s3, s4\n"
       "text: SELECT \"count\"(*), \"x\" AS \"shoal_group_1\" FROM \"orders\" GROUP BY "
       "\"x\"\nmerge: combine groups: count group; hide 1 columns"},
      {"groups of numerics", "SELECT amount, count(*) FROM users GROUP BY amount", "route: gather"},
      {"groups by an expression", "SELECT count(*) FROM orders GROUP BY x % 2", "route: gather"},
      {"GROUPING SETS", "SELECT x, count(*) FROM orders GROUP BY ROLLUP (x)", "route: gather"},
      {"a join that is not linked", "SELECT count(*) FROM orders o JOIN users u ON u.id = o.id",
       "route: gather"},
      {"a subselect with a LIMIT", "SELECT count(*) FROM (SELECT * FROM orders LIMIT 3) q",
       "route: gather"},
      {"DISTINCT", "SELECT DISTINCT x, note FROM orders ORDER BY note DESC LIMIT 3",
       "route: 4 shards\nreason: distinct rows of each shard\nshards: s1, s2, s3, s4\n"
       "text: SELECT DISTINCT \"x\", \"note\" FROM \"orders\" ORDER BY 2 DESC, 1 LIMIT 3\nmerge: "
       "merge by column 2 desc 1; drop equal rows; at most 3 rows"},
      {"DISTINCT of an expression", "SELECT DISTINCT x + 1 FROM orders", "route: gather"},
  });
}

TEST(Plan, pulls) {
  check({
      {"needed columns and simple conditions only",
       "SELECT avg(o.x) FROM orders o JOIN note n ON n.k = o.id WHERE o.x > 3 AND o.note = "
       "n.x::text AND n.x = 1",
       "route: gather\nreason: a join is not on the shard key\n"
       "pull shoal_pull_7_1 from s1, s2, s3, s4: SELECT \"o\".\"id\", \"o\".\"x\", \"o\".\"note\" "
       "FROM \"public\".\"orders\" AS \"o\" WHERE (\"o\".\"x\" > 3)\n"
       "finish: SELECT \"avg\"(\"o\".\"x\") FROM (\"shoal_pull_7_1\" AS \"o\" JOIN "
       "\"public\".\"note\" AS \"n\" ON (\"n\".\"k\" = \"o\".\"id\")) WHERE ((\"o\".\"x\" > 3) AND "
       "(\"o\".\"note\" = CAST(\"n\".\"x\" AS \"text\")) AND (\"n\".\"x\" = 1))"},
  });
}

}  // namespace
}  // namespace shoal::plan
