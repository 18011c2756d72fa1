// Bootstrap, the rights on the catalog, tickets and the epoch check.
#include "control/init.h"

#include <gtest/gtest.h>

#include "control/loader.h"
#include "control/pg_fixture.h"
#include "control/ticket.h"

namespace shoal::control {
namespace {

TEST(Dsn, is_taken_apart_and_put_together) {
  const Dsn a = *parse_dsn("postgresql://u:p%27w@h:6000/db?sslmode=require");
  EXPECT_EQ(
      a.host + "|" + a.port + "|" + a.dbname + "|" + a.user + "|" + a.password + "|" + a.options,
      "h|6000|db|u|p'w|sslmode='require'");
  Dsn fallback;
  fallback.user = "svc";
  fallback.password = "x";
  EXPECT_EQ(parse_dsn("host=s2 dbname=d")->text(fallback),
            "host='s2' port='5432' dbname='d' user='svc' password='x'");
  EXPECT_EQ(parse_dsn("no such = =").error().sqlstate, "55000");
}

TEST(Quote, doubles_quotes_and_escapes_backslashes) {
  EXPECT_EQ(quote_literal("a'b"), "'a''b'");
  EXPECT_EQ(quote_literal("a\\'b"), "E'a\\\\''b'");
  EXPECT_EQ(quote_ident("a\"B"), "\"a\"\"B\"");
}

class InitTest : public testing::Test {
 protected:
  void SetUp() override {
    servers_ = PgServers::get(2);
    if (!servers_) GTEST_SKIP() << "PostgreSQL is not installed";
    static int n = 0;
    const std::string suffix = std::to_string(++n);
    home_ = servers_->create_database(0, "init_home" + suffix);
    two_ = servers_->create_database(1, "init_two" + suffix);
    ASSERT_FALSE(home_.empty());
  }
  PgServers* servers_ = nullptr;
  std::string home_, two_;
};

TEST_F(InitTest, makes_a_catalog_that_loads_and_is_idempotent) {
  ASSERT_TRUE(init(home_, "test", {{"s2", two_}, {"s1", home_}}));
  const auto again = init(home_, "test", {{"s1", home_}, {"s2", two_}});
  ASSERT_TRUE(again) << again.error().message;
  auto c = Pq::connect(home_, std::chrono::seconds(5));
  auto s = load_snapshot(*c, nullptr);
  ASSERT_TRUE(s) << s.error().message << s.error().detail;
  EXPECT_EQ((*s)->cluster, "test");
  ASSERT_EQ((*s)->shards.size(), 2u);
  EXPECT_EQ((*s)->shards[0].name, "s1");
  EXPECT_TRUE((*s)->shards[0].home);
  EXPECT_TRUE((*s)->has_schema("public"));
  EXPECT_FALSE((*s)->resolve_functions({}, {"lower"}).empty());
  const auto start = std::chrono::steady_clock::now();
  auto second = load_snapshot(*c, *s);
  ASSERT_TRUE(second);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
  EXPECT_EQ((*second)->functions.size(), (*s)->functions.size());
  EXPECT_EQ(init(home_, "other", {{"s1", home_}}).error().sqlstate, "55000");
}

TEST_F(InitTest, clients_read_the_catalog_but_cannot_write_or_forge) {
  ASSERT_TRUE(init(home_, "test", {{"s1", home_}, {"s2", two_}}));
  auto app = Pq::connect(PgServers::as_user(home_, "app"), std::chrono::seconds(5));
  const auto state = [&](const std::string& sql) {
    auto r = app->query(sql);
    return r ? std::string("ok") : r.error().sqlstate;
  };
  for (const char* view : {"shards", "tables", "slots", "keyspaces", "routers", "pins", "holds",
                           "settings", "functions", "jobs", "table_rules", "decision"}) {
    EXPECT_EQ(state(fmt::format("SELECT * FROM shoal.{}", view)), "ok") << view;
  }
  EXPECT_EQ(state("SELECT dsn FROM shoal.shard"), "42501");
  EXPECT_EQ(state("SELECT * FROM shoal.secret"), "42501");
  EXPECT_EQ(state("SELECT shoal.ticket_of('x')"), "42501");
  EXPECT_EQ(state("INSERT INTO shoal.decision VALUES ('g', 'commit')"), "42501");
  EXPECT_EQ(state("SELECT shoal.decide('g', 'forged')"), "42501");
  EXPECT_EQ(state("SELECT shoal.apply('SELECT 1', NULL)"), "42501");
  EXPECT_EQ(state("SELECT shoal.shard_table('shoal.cluster', 'name')"), "0A000");
  EXPECT_EQ(state("SELECT create_distributed_table('shoal.cluster', 'name')"), "0A000");
  EXPECT_EQ(state("SELECT * FROM shoal.where('t', '42')"), "0A000");
  EXPECT_EQ(state("SELECT shoal.where('t', 42)"), "0A000");
  EXPECT_EQ(state("SELECT shoal.pin('k', 42, 's1')"), "0A000");

  auto service = Pq::connect(home_, std::chrono::seconds(5));
  const std::string secret = *read_secret(*service);
  EXPECT_EQ(state(decide_sql(secret, "shoal:a:b'c")), "ok");
  EXPECT_EQ(state(decide_sql(secret, "shoal:a:b'c")), "40001") << "a gid is decided once";
  ASSERT_TRUE(app->query("BEGIN"));
  const std::string txid = *app->query("SELECT txid_current()")->rows[0][0];
  const std::string sql = "UPDATE shoal.cluster SET epoch = epoch + 1";
  const std::string call = fmt::format("SELECT shoal.apply({}, '{}')", quote_literal(sql),
                                       make_ticket(secret, fmt::format("apply:{}:{}", txid, sql)));
  EXPECT_EQ(state(call), "ok");
  ASSERT_TRUE(app->query("COMMIT"));
  EXPECT_EQ(state(call), "42501") << "a ticket is for one transaction";
}

TEST_F(InitTest, says_what_a_shard_lacks) {
  auto c = Pq::connect(two_, std::chrono::seconds(5));
  ASSERT_TRUE(c->query("CREATE DATABASE latin ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"));
  Dsn latin = *parse_dsn(two_);
  latin.dbname = "latin";
  const auto r = init(home_, "test", {{"s1", home_}, {"s2", latin.text({})}});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().detail.find("SH0503: its encoding is SQL_ASCII, home's is UTF8"),
            std::string::npos)
      << r.error().detail;
}

TEST_F(InitTest, an_old_epoch_fails_its_check_after_the_fence_was_raised) {
  ASSERT_TRUE(init(home_, "test", {{"s1", home_}, {"s2", two_}}));
  auto app = Pq::connect(PgServers::as_user(two_, "app"), std::chrono::seconds(5));
  EXPECT_TRUE(app->query("SELECT shoal.check_epoch(3, 7)"));
  auto service = Pq::connect(two_, std::chrono::seconds(5));
  EXPECT_EQ(service->query("SELECT count(*) FROM shoal.backend WHERE router = 7")->rows[0][0], "1");
  ASSERT_TRUE(service->query("UPDATE shoal.fence SET min_epoch = 4"));
  EXPECT_EQ(app->query("SELECT shoal.check_epoch(3, 7)").error().sqlstate, "57P03");
  EXPECT_TRUE(app->query("SELECT shoal.check_epoch(4, 7)"));
}

}  // namespace
}  // namespace shoal::control
