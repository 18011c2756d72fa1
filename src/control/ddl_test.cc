// Where statements go, as one line of text each.
#include "control/ddl.h"

#include <gtest/gtest.h>

#include "catalog/testing.h"
#include "sql/parse.h"

namespace shoal::control {
namespace {

// "home", "all", "home; others: <sql>", with "job", "-> follow" and "! catalog" behind; or SHnnnn.
std::string planned(const std::string& text, const catalog::Snapshot& snapshot) {
  auto parsed = sql::parse(text, sql::ParseLimits{});
  if (!parsed || parsed->size() != 1) return "not parsed";
  const auto plan = plan_ddl(parsed->front(), snapshot, {"public"});
  if (!plan) return plan.error().detail.substr(0, 6);
  std::string out;
  for (const DdlPlan::Step& s : plan->steps) {
    if (!out.empty()) out += "; ";
    if (!s.sql.empty())
      out += "others: " + s.sql;
    else
      out += s.shards.size() > 1 ? "all" : "home";
  }
  if (!plan->transactional) out += " job";
  for (const auto& f : plan->follow) {
    out += " -> " + f.function + "(";
    for (const std::string& a : f.arguments) out += (out.back() == '(' ? "" : ", ") + a;
    out += ")";
  }
  if (!plan->catalog_sql.empty()) out += " !";
  return out;
}

struct Case {
  const char* text;
  const char* expected;
};

void check(const std::vector<Case>& cases, const catalog::Snapshot& snapshot) {
  for (const Case& c : cases) EXPECT_EQ(planned(c.text, snapshot), c.expected) << c.text;
}

TEST(PlanDdl, tables) {
  check(
      {{"CREATE TABLE n (id int PRIMARY KEY)", "home"},
       {"CREATE TABLE n (c text REFERENCES country)", "home"},
       {"CREATE TABLE n AS SELECT * FROM note", "home"},
       {"CREATE TABLE n AS SELECT * FROM country", "home"},
       {"CREATE TABLE n AS SELECT * FROM note WHERE EXISTS (SELECT FROM orders)", "home"},
       {"CREATE TABLE n AS WITH orders AS (SELECT 1) SELECT * FROM orders", "home"},
       {"SELECT * INTO n FROM orders", "home"},
       {"SELECT * INTO n FROM note", "home"},
       {"CREATE TABLE n (LIKE orders)", "home"},
       {"CREATE TABLE n () INHERITS (orders)", "SH0203"},
       {"CREATE TABLE n PARTITION OF note DEFAULT", "home"},
       {"CREATE TABLE n PARTITION OF orders DEFAULT", "all !"},
       {"CREATE TABLE n PARTITION OF orders (UNIQUE (id)) DEFAULT", "SH0201"},
       {"CREATE TABLE n (t bigint, o bigint, FOREIGN KEY (t, o) REFERENCES orders)",
        "home -> shard_table(\"public\".\"n\", {\"t\"}, ints)"},
       {"CREATE TABLE n (t bigint, o bigint, FOREIGN KEY (o) REFERENCES orders (code))", "SH0202"},
       {"DROP TABLE note", "home !"},
       {"DROP TABLE orders, country", "all !"},
       {"DROP TABLE orders, note CASCADE",
        "home; others: DROP TABLE IF EXISTS \"orders\" CASCADE !"},
       {"DROP TABLE IF EXISTS nothing", "home !"},
       {"ALTER TABLE note ADD COLUMN x int", "home"},
       {"ALTER TABLE note ADD FOREIGN KEY (x) REFERENCES orders", "SH0202"},
       {"ALTER TABLE note ADD FOREIGN KEY (x) REFERENCES country", "home"},
       {"ALTER TABLE orders ADD COLUMN x int DEFAULT 0 CHECK (x > 0)", "all"},
       {"ALTER TABLE orders ADD COLUMN x bigserial", "SH0203"},
       {"ALTER TABLE orders ADD COLUMN x int GENERATED ALWAYS AS IDENTITY", "SH0203"},
       {"ALTER TABLE orders ADD COLUMN x int UNIQUE", "SH0201"},
       {"ALTER TABLE orders ADD UNIQUE (code)", "SH0201"},
       {"ALTER TABLE orders ADD UNIQUE (code, tenant_id)", "all"},
       {"ALTER TABLE country ADD UNIQUE (code)", "all"},
       {"ALTER TABLE orders ADD FOREIGN KEY (code) REFERENCES country", "all"},
       {"ALTER TABLE orders ADD FOREIGN KEY (code) REFERENCES note", "SH0202"},
       {"ALTER TABLE orders ADD FOREIGN KEY (tenant_id, id) REFERENCES orders", "all"},
       {"ALTER TABLE orders ADD FOREIGN KEY (id, tenant_id) REFERENCES orders", "SH0202"},
       {"ALTER TABLE country ADD FOREIGN KEY (code) REFERENCES orders", "SH0202"},
       {"ALTER TABLE orders DROP COLUMN tenant_id", "SH0203"},
       {"ALTER TABLE orders DROP COLUMN code", "all"},
       {"ALTER TABLE orders ALTER tenant_id TYPE text", "SH0203"},
       {"ALTER TABLE orders ALTER tenant_id DROP NOT NULL", "SH0203"},
       {"ALTER TABLE orders INHERIT note", "SH0203"},
       {"ALTER TABLE orders ATTACH PARTITION note DEFAULT", "SH0203"},
       {"ALTER TABLE app.orders ADD COLUMN x int UNIQUE", "home"},
       {"ALTER TABLE orders RENAME TO o2", "all"},
       {"ALTER TABLE orders RENAME COLUMN tenant_id TO t", "all !"},
       {"ALTER TABLE orders SET SCHEMA app", "all"},
       {"ALTER TABLE nothing ADD COLUMN x int", "home"}},
      *catalog::make_test_snapshot());
}

TEST(PlanDdl, what_hangs_on_tables) {
  check({{"CREATE INDEX ON orders (code)", "all"},
         {"CREATE INDEX CONCURRENTLY i ON orders (code)", "all job"},
         {"CREATE INDEX CONCURRENTLY i ON note (x)", "home job"},
         {"CREATE UNIQUE INDEX i ON orders (code)", "SH0201"},
         {"CREATE UNIQUE INDEX i ON orders (tenant_id, lower(code))", "all"},
         {"CREATE UNIQUE INDEX i ON country (code)", "all"},
         {"DROP INDEX orders_pkey", "all !"},
         {"DROP INDEX nothing", "home !"},
         {"ALTER INDEX orders_code_key RENAME TO x", "all !"},
         {"CREATE TRIGGER g BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION f()", "home"},
         {"CREATE TRIGGER g BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()", "SH0205"},
         {"CREATE TRIGGER g BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION app.lower()",
          "all"},
         {"DROP TRIGGER g ON orders", "all"},
         {"CREATE RULE r AS ON INSERT TO orders DO NOTHING", "SH0205"},
         {"CREATE POLICY p ON orders USING (tenant_id = 1)", "all"},
         {"CREATE POLICY p ON orders USING (EXISTS (SELECT FROM note))", "SH0205"},
         {"COMMENT ON TABLE orders IS 'x'", "all"},
         {"COMMENT ON COLUMN note.x IS 'x'", "home"},
         {"COMMENT ON COLUMN orders.id IS 'x'", "all"},
         {"GRANT SELECT ON orders, country TO app", "all"},
         {"GRANT SELECT ON note TO app", "home"},
         {"GRANT SELECT ON note, orders TO app", "SH0203"},
         {"GRANT SELECT ON ALL TABLES IN SCHEMA public TO app", "all"}},
        *catalog::make_test_snapshot());
}

TEST(PlanDdl, other_objects) {
  check({{"CREATE VIEW v AS SELECT * FROM orders JOIN country USING (code)", "all"},
         {"CREATE VIEW v AS SELECT * FROM orders, note", "home"},
         {"CREATE VIEW v AS SELECT * FROM big, orders", "all"},
         {"CREATE VIEW v AS SELECT * FROM pg_class", "home"},
         {"CREATE OR REPLACE VIEW big AS SELECT x FROM note",
          "home; others: DROP VIEW IF EXISTS \"big\""},
         {"DROP VIEW big", "all !"},
         {"CREATE MATERIALIZED VIEW m AS SELECT * FROM orders", "SH0203"},
         {"CREATE MATERIALIZED VIEW m AS SELECT * FROM note", "home"},
         {"CREATE SEQUENCE s2", "home"},
         {"CREATE SCHEMA x", "all"},
         {"CREATE SCHEMA x CREATE TABLE t (a int)", "SH0203"},
         {"DROP SCHEMA x CASCADE", "all !"},
         {"CREATE TYPE mood2 AS ENUM ('a')", "all"},
         {"ALTER TYPE mood ADD VALUE 'c'", "all"},
         {"CREATE DOMAIN d AS int", "all"},
         {"CREATE EXTENSION hstore", "all"},
         {"CREATE ROLE r", "home"},
         {"CREATE ROLE r PASSWORD 'clear'", "home"},
         {"CREATE PUBLICATION p FOR TABLE orders", "SH0203"},
         {"CREATE DATABASE d", "home job"},
         {"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app", "all"}},
        *catalog::make_test_snapshot());
}

TEST(PlanDdl, functions_are_made_elsewhere_where_they_can_be) {
  const auto snapshot = catalog::make_test_snapshot();
  const std::string out =
      planned("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", *snapshot);
  EXPECT_EQ(out.find("home; others: DO '"), 0u) << out;
  EXPECT_NE(out.find("AS ''''SELECT 1''''"), std::string::npos) << out;
}

TEST(PlanDdl, rules_decide_about_new_tables) {
  catalog::SnapshotBuilder builder;
  ASSERT_TRUE(catalog::add_test_cluster(builder));
  const auto rule = [&](const catalog::TestRow& row) {
    ASSERT_TRUE(builder.add_row(catalog::kQueryTableRules, row));
  };
  rule({"1", std::nullopt, std::nullopt, "tmp%", "single", std::nullopt});
  rule({"2", "tenant_id", std::nullopt, "%", "sharded", std::nullopt});
  rule({"3", std::nullopt, "app", "%_ref", "reference", std::nullopt});
  const auto snapshot = builder.finish().value();
  check({{"CREATE TABLE n (tenant_id int)", "home -> shard_table(\"public\".\"n\", tenant_id)"},
         {"CREATE TABLE tmp1 (tenant_id int)", "home"},
         {"CREATE TABLE app.x_ref (a int)", "home -> reference_table(\"app\".\"x_ref\")"},
         {"CREATE TABLE x_ref (a int)", "home"}},
        *snapshot);
}

}  // namespace
}  // namespace shoal::control
