// A table made from its definition describes itself like the original.
#include "control/definition.h"

#include <gtest/gtest.h>

#include "control/pg_fixture.h"

namespace shoal::control {
namespace {

class DefinitionTest : public testing::Test {
 protected:
  void SetUp() override {
    servers_ = PgServers::get(2);
    if (!servers_) GTEST_SKIP() << "PostgreSQL is not installed";
    static int n = 0;
    const std::string suffix = std::to_string(++n);
    home_ =
        *Pq::connect(servers_->create_database(0, "def_home" + suffix), std::chrono::seconds(5));
    two_ = *Pq::connect(servers_->create_database(1, "def_two" + suffix), std::chrono::seconds(5));
  }

  Definition read(const std::string& tables) {
    const auto oids = home_.query("SELECT unnest('" + tables + "'::regclass[])::oid");
    std::vector<Oid> list;
    for (const auto& row : oids->rows) {
      list.push_back(Oid(static_cast<std::uint32_t>(std::stoul(*row[0]))));
    }
    EXPECT_TRUE(home_.query("SET search_path = ''"));
    auto rows = home_.query(definition_query(list));
    EXPECT_TRUE(home_.query("RESET search_path"));
    EXPECT_TRUE(rows) << rows.error().message;
    return *read_definition(*rows);
  }
  std::string create(const Definition& d, ShardId shard) {
    for (const auto phase : {DefinitionPhase::kTables, DefinitionPhase::kIndexes,
                             DefinitionPhase::kForeignKeys, DefinitionPhase::kRest}) {
      const std::string sql = definition_sql(d, phase, shard);
      if (auto done = two_.query(sql); !done) return done.error().message + " in " + sql;
    }
    return "ok";
  }
  // What psql would show, without OIDs.
  std::string describe(Pq& c) {
    const auto rows = c.query(R"(
SELECT string_agg(x, E'\n' ORDER BY x) FROM (
  SELECT format('%s.%s %s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod),
    attnotnull, attidentity, (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
      WHERE adrelid = attrelid AND adnum = attnum)) x
  FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
    AND relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN ('public', '"Odd s"')
  UNION ALL SELECT pg_get_indexdef(indexrelid) || indisvalid FROM pg_index WHERE indrelid >= 16384
    AND indrelid::regclass::text !~ 'pg_toast'
  UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid >= 16384
  UNION ALL SELECT relname || relkind || coalesce(relacl::text, '') || pg_get_userbyid(relowner)
    || relrowsecurity || relforcerowsecurity || coalesce(obj_description(oid, 'pg_class'), '')
    || coalesce(reloptions::text, '') || relispartition || relreplident
    FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p')
  UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT polname || pg_get_expr(polqual, polrelid) FROM pg_policy
  UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
) y(x))");
    return rows ? rows->rows[0][0].value_or("") : rows.error().message;
  }

  PgServers* servers_ = nullptr;
  Pq home_, two_;
};

constexpr const char* kPrelude = R"(
CREATE SCHEMA "Odd s";
CREATE TYPE mood AS ENUM ('ok', 'it''s bad');
CREATE DOMAIN plus AS int CHECK (VALUE > 0);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
)";

TEST_F(DefinitionTest, another_shard_gets_the_same_table) {
  ASSERT_TRUE(home_.query(kPrelude));
  ASSERT_TRUE(two_.query(kPrelude));
  const auto made = home_.query(R"(
CREATE TABLE country (code char(2) PRIMARY KEY, "Name" text COLLATE "C" DEFAULT 'a''b\c');
CREATE TABLE "Odd s"."Order" (
  tenant_id bigint NOT NULL, id bigserial, mood mood DEFAULT 'ok', p plus,
  n numeric(10,2)[] NOT NULL,
  at timestamptz(3) DEFAULT now(), twice bigint GENERATED ALWAYS AS (tenant_id * 2) STORED,
  code char(2) REFERENCES country ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
  small smallint GENERATED ALWAYS AS IDENTITY, dropped int,
  PRIMARY KEY (tenant_id, id), CONSTRAINT "Odd check" CHECK (p < 100),
  EXCLUDE (tenant_id WITH =) WHERE (tenant_id = 7)) WITH (fillfactor = 70);
ALTER TABLE "Odd s"."Order" DROP COLUMN dropped;
CREATE UNIQUE INDEX "Odd index" ON "Odd s"."Order" (tenant_id, abs(p)) INCLUDE (p)
  WHERE p IS NOT NULL;
CREATE TRIGGER touched BEFORE UPDATE ON "Odd s"."Order" FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE "Odd s"."Order" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Odd s"."Order" FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON "Odd s"."Order" FOR SELECT TO app, PUBLIC USING (tenant_id > 0);
COMMENT ON TABLE "Odd s"."Order" IS 'it''s';
COMMENT ON COLUMN "Odd s"."Order".p IS 'plus';
GRANT SELECT, INSERT ON "Odd s"."Order" TO other WITH GRANT OPTION;
GRANT UPDATE (p) ON "Odd s"."Order" TO PUBLIC;
ALTER TABLE "Odd s"."Order" ALTER p SET STATISTICS 200;
ALTER TABLE "Odd s"."Order" REPLICA IDENTITY FULL;
CREATE STATISTICS st ON tenant_id, p FROM "Odd s"."Order";
ALTER TABLE country OWNER TO app;
)");
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(create(read("{country,\"\\\"Odd s\\\".\\\"Order\\\"\"}"), ShardId(2)), "ok");
  EXPECT_EQ(describe(two_), describe(home_));
  // bigserial: a range of its own, far from home's; the smallint identity: exhausted.
  EXPECT_EQ(two_.query("SELECT nextval('\"Odd s\".\"Order_id_seq\"')")->rows[0][0],
            std::to_string((1LL << 62) + (2LL << 41)));
  EXPECT_EQ(two_.query("SELECT nextval('\"Odd s\".\"Order_small_seq\"')").error().sqlstate,
            "2200H");
}

TEST_F(DefinitionTest, partitions_come_with_their_parent) {
  const auto made = home_.query(R"(
CREATE SCHEMA "Odd s";
CREATE TABLE ev (tenant_id int NOT NULL, id int, day date NOT NULL,
    PRIMARY KEY (tenant_id, id, day))
  PARTITION BY RANGE (day);
CREATE TABLE ev_a PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE ev_b PARTITION OF ev DEFAULT PARTITION BY HASH (id);
CREATE TABLE ev_b0 PARTITION OF ev_b FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX ev_day ON ev (day);
)");
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(two_.query("CREATE SCHEMA \"Odd s\""));
  ASSERT_EQ(create(read("{ev}"), ShardId(3)), "ok");
  EXPECT_EQ(describe(two_), describe(home_));
  EXPECT_TRUE(two_.query("INSERT INTO ev VALUES (1, 1, '2026-01-05'), (1, 2, '2030-01-01')"));
}

TEST_F(DefinitionTest, schemas_types_and_functions_can_be_made_elsewhere) {
  ASSERT_TRUE(home_.query(kPrelude));
  ASSERT_TRUE(home_.query("CREATE TYPE pair AS (a int, m mood); CREATE EXTENSION btree_gist"));
  ASSERT_TRUE(home_.query("SET search_path = ''"));
  const auto rows = home_.query(schema_objects_query());
  ASSERT_TRUE(rows) << rows.error().message;
  std::string all;
  for (const auto& row : rows->rows) {
    const auto done = two_.query(*row[2]);
    EXPECT_TRUE(done) << done.error().message << " in " << *row[2];
    all += *row[2] + "\n";
  }
  EXPECT_TRUE(two_.query("SELECT 'it''s bad'::mood, 1::plus, ROW(1, 'ok')::pair"));
  EXPECT_EQ(all.find("gbt_"), std::string::npos) << "members of extensions come with them";
  const auto roles = home_.query(roles_query());
  ASSERT_TRUE(roles);
  EXPECT_FALSE(roles->rows.empty());
}

}  // namespace
}  // namespace shoal::control
