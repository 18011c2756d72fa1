// Schema changes: one line of a table each.
#include <gtest/gtest.h>

#include "sql/parse.h"

namespace shoal::sql {
namespace {

std::string name_of(const RangeVar& r) {
  return (r.schema.empty() ? "" : r.schema + ".") + r.name;
}

std::string print(const DdlConstraint& c) {
  static constexpr const char* kKinds[] = {"primary",   "unique",  "foreign",  "check",
                                           "exclusion", "notnull", "identity", "generated",
                                           "default",   "other"};
  std::string out = kKinds[static_cast<int>(c.kind)];
  if (!c.name.empty()) out += ":" + c.name;
  out += "(";
  for (std::size_t i = 0; i < c.columns.size(); ++i) out += (i ? "," : "") + c.columns[i];
  out += ")";
  if (c.references) {
    out += "->" + name_of(*c.references) + "(";
    for (std::size_t i = 0; i < c.referenced_columns.size(); ++i) {
      out += (i ? "," : "") + c.referenced_columns[i];
    }
    out += ")";
  }
  if (!c.using_index.empty()) out += " index " + c.using_index;
  return out;
}

std::string print(const Ddl& d) {
  std::string out = d.verb + " " + d.object;
  for (const RangeVar& r : d.names) out += " " + name_of(r);
  for (const auto& name : d.other_names) {
    out += " '";
    for (std::size_t i = 0; i < name.size(); ++i) out += (i ? "." : "") + name[i];
    out += "'";
  }
  if (d.relation) out += " on " + name_of(*d.relation);
  const std::pair<bool, const char*> flags[] = {{d.temporary, "temporary"},
                                                {d.concurrently, "concurrently"},
                                                {d.if_not_exists, "if-not-exists"},
                                                {d.missing_ok, "missing-ok"},
                                                {d.cascade, "cascade"},
                                                {d.unique, "unique"},
                                                {d.like, "like"},
                                                {d.query != nullptr, "query"},
                                                {d.login_role_password, "password"},
                                                {d.partitioned, "partitioned"},
                                                {d.partition_of, "partition-of"},
                                                {d.only, "only"}};
  for (const auto& [set, word] : flags) {
    if (set) out += std::string(" ") + word;
  }
  for (const auto& c : d.index_columns) out += " [" + c + "]";
  for (const DdlColumn& c : d.columns) {
    out += " " + c.name + ":" + (c.type.names.empty() ? "" : c.type.names.back());
    if (c.serial) out += "!";
    for (const auto& constraint : c.constraints) out += "/" + print(constraint);
  }
  for (const auto& c : d.constraints) out += " " + print(c);
  for (const auto& r : d.parents) out += " parent " + name_of(r);
  for (std::size_t i = 0; i < d.alter_actions.size(); ++i) {
    out += " {" + d.alter_actions[i] +
           (d.altered_columns[i].empty() ? "" : " " + d.altered_columns[i]) + "}";
  }
  if (!d.owner_sequence.empty()) out += " owned " + d.owner_sequence;
  if (!d.old_name.empty()) out += " old " + d.old_name;
  if (!d.new_name.empty()) out += " new " + d.new_name;
  return out;
}

struct Row {
  const char* text;
  const char* expected;
};

void expect_rows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    const auto parsed = parse(row.text, {});
    ASSERT_TRUE(parsed) << row.text << " " << parsed.error().message;
    const Ddl* d = std::get_if<Ddl>(&parsed->front().node);
    ASSERT_NE(d, nullptr) << row.text << " kind " << parsed->front().node.index();
    EXPECT_EQ(print(*d), row.expected) << row.text;
  }
}

TEST(Ddl, tables) {
  expect_rows({
      {"CREATE TABLE s.t (id bigserial PRIMARY KEY, k int NOT NULL, n text DEFAULT 'x' UNIQUE, "
       "PRIMARY KEY (k, id))",
       "CREATE TABLE s.t id:bigserial!/primary(id) k:int4/notnull(k) n:text/default(n)/unique(n) "
       "primary(k,id)"},
      {"CREATE TEMP TABLE IF NOT EXISTS t (a int GENERATED ALWAYS AS IDENTITY, b int GENERATED "
       "ALWAYS AS (a) STORED)",
       "CREATE TABLE t temporary if-not-exists a:int4/identity(a) b:int4/generated(b)"},
      {"CREATE TABLE t (a int REFERENCES u (b) ON DELETE CASCADE, CONSTRAINT f FOREIGN KEY (a, c) "
       "REFERENCES s.v (d, e), CHECK (a > 0))",
       "CREATE TABLE t a:int4/foreign(a)->u(b) foreign:f(a,c)->s.v(d,e) check()"},
      {"CREATE TABLE t (LIKE u INCLUDING ALL)", "CREATE TABLE t like"},
      {"CREATE TABLE t (a int) INHERITS (s.p, q)", "CREATE TABLE t a:int4 parent s.p parent q"},
      {"CREATE TABLE t (a int) PARTITION BY HASH (a)", "CREATE TABLE t partitioned a:int4"},
      {"CREATE TABLE t PARTITION OF p FOR VALUES IN (1)", "CREATE TABLE t partition-of parent p"},
      {"CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =, b WITH &&))",
       "CREATE TABLE t a:int4 exclusion(a,b)"},
      {"CREATE TABLE t AS SELECT 1", "CREATE TABLE t query"},
      {"CREATE TEMP TABLE t AS SELECT 1", "CREATE TABLE t temporary query"},
      {"CREATE MATERIALIZED VIEW m AS SELECT 1", "CREATE MATERIALIZED VIEW m query"},
      {"CREATE VIEW v (a) AS SELECT 1", "CREATE VIEW v query"},
      {"CREATE FOREIGN TABLE f (a int) SERVER s", "CREATE FOREIGN TABLE f a:int4"},
      {"DROP TABLE IF EXISTS a, s.b CASCADE", "DROP TABLE a s.b missing-ok cascade"},
      {"DROP VIEW v", "DROP VIEW v"},
      {"DROP MATERIALIZED VIEW m", "DROP MATERIALIZED VIEW m"},
      {"DROP SEQUENCE s.q", "DROP SEQUENCE s.q"},
  });
}

TEST(Ddl, alter_table) {
  expect_rows({
      {"ALTER TABLE s.t ADD COLUMN a int NOT NULL, DROP COLUMN b CASCADE",
       "ALTER TABLE s.t cascade a:int4/notnull(a) {ADD COLUMN a} {DROP COLUMN b}"},
      {"ALTER TABLE ONLY t ADD CONSTRAINT c UNIQUE (a, b)",
       "ALTER TABLE t only unique:c(a,b) {ADD CONSTRAINT}"},
      {"ALTER TABLE t ADD PRIMARY KEY USING INDEX i",
       "ALTER TABLE t primary() index i {ADD CONSTRAINT}"},
      {"ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u",
       "ALTER TABLE t foreign(a)->u() {ADD CONSTRAINT}"},
      {"ALTER TABLE t ALTER COLUMN a TYPE bigint USING a::bigint",
       "ALTER TABLE t a:int8 {ALTER COLUMN TYPE a}"},
      {"ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL",
       "ALTER TABLE t {SET NOT NULL a} {DROP NOT NULL b}"},
      {"ALTER TABLE t ALTER a SET DEFAULT 5", "ALTER TABLE t {ALTER COLUMN DEFAULT a}"},
      {"ALTER TABLE t ALTER a SET STATISTICS 5", "ALTER TABLE t {SET STATISTICS a}"},
      {"ALTER TABLE t ALTER a SET STORAGE PLAIN", "ALTER TABLE t {SET STORAGE a}"},
      {"ALTER TABLE t DROP CONSTRAINT IF EXISTS c",
       "ALTER TABLE t if-not-exists {DROP CONSTRAINT c}"},
      {"ALTER TABLE t VALIDATE CONSTRAINT c", "ALTER TABLE t {VALIDATE CONSTRAINT c}"},
      {"ALTER TABLE t OWNER TO bob", "ALTER TABLE t {OWNER TO}"},
      {"ALTER TABLE t SET (fillfactor = 70)", "ALTER TABLE t {SET}"},
      {"ALTER TABLE t SET TABLESPACE x", "ALTER TABLE t {SET TABLESPACE x}"},
      {"ALTER TABLE t SET LOGGED", "ALTER TABLE t {SET LOGGED}"},
      {"ALTER TABLE t ENABLE TRIGGER x", "ALTER TABLE t {ENABLE TRIGGER x}"},
      {"ALTER TABLE t DISABLE TRIGGER ALL", "ALTER TABLE t {DISABLE TRIGGER ALL}"},
      {"ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE t {ENABLE ROW LEVEL SECURITY}"},
      {"ALTER TABLE t FORCE ROW LEVEL SECURITY", "ALTER TABLE t {FORCE ROW LEVEL SECURITY}"},
      {"ALTER TABLE t REPLICA IDENTITY FULL", "ALTER TABLE t {REPLICA IDENTITY}"},
      {"ALTER TABLE t ATTACH PARTITION s.p FOR VALUES IN (1)",
       "ALTER TABLE t s.p {ATTACH PARTITION}"},
      {"ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
       "ALTER TABLE t p concurrently {DETACH PARTITION}"},
      {"ALTER TABLE t INHERIT p", "ALTER TABLE t parent p {INHERIT}"},
      {"ALTER TABLE t NO INHERIT p", "ALTER TABLE t parent p {NO INHERIT}"},
      {"ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY",
       "ALTER TABLE t identity() {ADD IDENTITY a}"},
      {"ALTER TABLE IF EXISTS t RENAME TO u", "RENAME TABLE t missing-ok new u"},
      {"ALTER TABLE t RENAME COLUMN a TO b", "RENAME COLUMN on t old a new b"},
      {"ALTER TABLE t RENAME CONSTRAINT a TO b", "RENAME CONSTRAINT on t old a new b"},
      {"ALTER INDEX i RENAME TO j", "RENAME INDEX i new j"},
      {"ALTER TABLE t SET SCHEMA s", "ALTER TABLE t {SET SCHEMA} new s"},
      {"ALTER VIEW v ALTER a SET DEFAULT 1", "ALTER VIEW v {ALTER COLUMN DEFAULT a}"},
      {"ALTER INDEX i SET (fillfactor = 70)", "ALTER INDEX i {SET}"},
  });
}

TEST(Ddl, indexes_and_sequences) {
  expect_rows({
      {"CREATE INDEX i ON s.t (a, lower(b), c DESC)", "CREATE INDEX s.i on s.t [a] [] [c]"},
      {"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a) INCLUDE (b) WHERE c",
       "CREATE INDEX i on t concurrently if-not-exists unique [a]"},
      {"CREATE INDEX ON t USING gin (a)", "CREATE INDEX on t [a]"},
      {"DROP INDEX CONCURRENTLY i", "DROP INDEX i concurrently"},
      {"CREATE SEQUENCE IF NOT EXISTS s.q OWNED BY s.t.a",
       "CREATE SEQUENCE s.q if-not-exists owned s.t.a"},
      {"CREATE SEQUENCE q OWNED BY NONE", "CREATE SEQUENCE q owned none"},
      {"ALTER SEQUENCE IF EXISTS q RESTART WITH 5", "ALTER SEQUENCE q missing-ok"},
  });
}

TEST(Ddl, what_hangs_on_a_table) {
  expect_rows({
      {"CREATE TRIGGER g BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()",
       "CREATE TRIGGER 'g' 's.f' on s.t"},
      {"DROP TRIGGER IF EXISTS g ON s.t", "DROP TRIGGER 'g' on s.t missing-ok"},
      {"CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING", "CREATE RULE 'r' on t"},
      {"DROP RULE r ON t", "DROP RULE 'r' on t"},
      {"CREATE POLICY p ON t USING (a > 0)", "CREATE POLICY 'p' on t"},
      {"ALTER POLICY p ON t USING (true)", "ALTER POLICY 'p' on t"},
      {"DROP POLICY p ON s.t", "DROP POLICY 'p' on s.t"},
      {"CREATE STATISTICS x ON a, b FROM t", "CREATE STATISTICS 'x' on t"},
      {"COMMENT ON TABLE s.t IS 'x'", "COMMENT TABLE s.t"},
      {"COMMENT ON COLUMN s.t.a IS 'x'", "COMMENT COLUMN 'a' on s.t"},
      {"COMMENT ON CONSTRAINT c ON t IS 'x'", "COMMENT CONSTRAINT 'c' on t"},
      {"COMMENT ON FUNCTION f(int) IS 'x'", "COMMENT FUNCTION 'f'"},
      {"GRANT SELECT (a), INSERT ON s.t TO bob", "GRANT TABLE s.t on s.t"},
      {"REVOKE ALL ON a, b FROM bob CASCADE", "REVOKE TABLE a b cascade"},
      {"GRANT SELECT ON ALL TABLES IN SCHEMA s TO bob", "GRANT TABLE 's' {ALL IN SCHEMA}"},
      {"GRANT USAGE ON SCHEMA s, u TO bob", "GRANT SCHEMA 's' 'u'"},
      {"GRANT EXECUTE ON FUNCTION s.f(int) TO bob", "GRANT FUNCTION 's.f'"},
  });
}

TEST(Ddl, other_objects) {
  expect_rows({
      {"CREATE SCHEMA IF NOT EXISTS s", "CREATE SCHEMA 's' if-not-exists"},
      {"CREATE SCHEMA AUTHORIZATION bob", "CREATE SCHEMA 'bob'"},
      {"DROP SCHEMA s CASCADE", "DROP SCHEMA 's' cascade"},
      {"ALTER SCHEMA s RENAME TO u", "RENAME SCHEMA old s new u"},
      {"CREATE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
       "CREATE FUNCTION 's.f'"},
      {"CREATE OR REPLACE PROCEDURE p() LANGUAGE sql AS ''", "CREATE PROCEDURE 'p'"},
      {"DROP FUNCTION f(int), s.g", "DROP FUNCTION 'f' 's.g'"},
      {"ALTER FUNCTION f(int) STABLE", "ALTER FUNCTION 'f'"},
      {"ALTER FUNCTION f(int) OWNER TO bob", "ALTER FUNCTION 'f' {OWNER TO}"},
      {"CREATE TYPE s.y AS (a int)", "CREATE TYPE 's.y'"},
      {"CREATE TYPE y AS ENUM ('a')", "CREATE TYPE 'y'"},
      {"CREATE TYPE y AS RANGE (subtype = int)", "CREATE TYPE 'y'"},
      {"ALTER TYPE y ADD VALUE 'b'", "ALTER TYPE 'y' {ADD VALUE}"},
      {"ALTER TYPE y RENAME VALUE 'a' TO 'b'", "ALTER TYPE 'y' {RENAME VALUE}"},
      {"DROP TYPE s.y", "DROP TYPE 's.y'"},
      {"CREATE DOMAIN d AS int CHECK (value > 0)", "CREATE DOMAIN 'd'"},
      {"ALTER DOMAIN d SET NOT NULL", "ALTER DOMAIN 'd'"},
      {"DROP DOMAIN d", "DROP DOMAIN 'd'"},
      {"CREATE EXTENSION IF NOT EXISTS e", "CREATE EXTENSION 'e' if-not-exists"},
      {"DROP EXTENSION e", "DROP EXTENSION 'e'"},
      {"CREATE AGGREGATE a (int) (sfunc = f, stype = int)", "CREATE AGGREGATE 'a'"},
      {"CREATE COLLATION c (locale = 'C')", "CREATE COLLATION 'c'"},
      {"CREATE CAST (int AS text) WITHOUT FUNCTION", "CREATE CAST ''"},
      {"CREATE PUBLICATION p FOR ALL TABLES", "CREATE PUBLICATION 'p'"},
      {"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "CREATE SUBSCRIPTION 's'"},
      {"CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
       "CREATE EVENT TRIGGER 'e'"},
      {"IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "IMPORT FOREIGN SCHEMA 'a'"},
  });
}

TEST(Ddl, roles_and_databases) {
  expect_rows({
      {"CREATE ROLE bob LOGIN PASSWORD 'secret'", "CREATE ROLE 'bob' password"},
      {"CREATE USER bob", "CREATE ROLE 'bob'"},
      {"ALTER ROLE bob PASSWORD 'SCRAM-SHA-256$4096:x$y:z'", "ALTER ROLE 'bob'"},
      {"ALTER ROLE bob PASSWORD 'md50123456789abcdef0123456789abcdef'", "ALTER ROLE 'bob'"},
      {"ALTER ROLE bob PASSWORD 'md5x'", "ALTER ROLE 'bob' password"},
      {"ALTER ROLE bob PASSWORD NULL", "ALTER ROLE 'bob'"},
      {"ALTER ROLE bob SET a = 1", "ALTER ROLE 'bob'"},
      {"DROP ROLE IF EXISTS a, b", "DROP ROLE 'a' 'b' missing-ok"},
      {"GRANT a TO b", "GRANT ROLE"},
      {"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO b", "ALTER DEFAULT PRIVILEGES"},
      {"DROP OWNED BY a", "DROP OWNED"},
      {"REASSIGN OWNED BY a TO b", "REASSIGN OWNED"},
      {"CREATE DATABASE d", "CREATE DATABASE 'd'"},
      {"DROP DATABASE d", "DROP DATABASE 'd'"},
      {"ALTER DATABASE d SET a = 1", "ALTER DATABASE 'd'"},
      {"ALTER SYSTEM SET a = 1", "ALTER SYSTEM"},
      {"CREATE TABLESPACE x LOCATION '/x'", "CREATE TABLESPACE 'x'"},
  });
}

}  // namespace
}  // namespace shoal::sql
