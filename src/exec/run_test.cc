// Plans run over three databases of a real server.
#include "exec/run.h"

#include <gtest/gtest.h>

#include "exec/test_client.h"

namespace shoal::exec {
namespace {

using testing::Client;
using testing::Cluster;
using testing::Outcome;

class RunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Cluster::get()) GTEST_SKIP() << "PostgreSQL is not installed";
    testing::prepare_tables(*Cluster::get());
  }
  void TearDown() override {
    if (!Cluster::get()) return;
    EXPECT_EQ(testing::busy_connections(*Cluster::get()), 0u);
  }
  static Outcome run(Client& client, const plan::Plan& plan, bool describe = true) {
    return testing::run_for(client, plan, describe);
  }
  static plan::Plan scatter(plan::Merge merge, std::string sql = {}) {
    plan::Plan plan;
    plan::Scatter node;
    node.shards = {ShardId(1), ShardId(2), ShardId(3)};
    node.merge = std::move(merge);
    node.text.sql = std::move(sql);
    plan.node = std::move(node);
    return plan;
  }
  static plan::SortKey by(int column, std::uint32_t type) {
    plan::SortKey key;
    key.column = column;
    key.type = type;
    return key;
  }
};

TEST_F(RunTest, rows_of_all_shards_come_together_with_one_description) {
  Client client;
  client.bound.text = "SELECT k, name FROM item";
  Outcome o = run(client, scatter({}));
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.sorted(), "0,n0 1,n1 2,n2 3,n3 4,n4 5,n5 6,n6 7,n7 8,n8");
  EXPECT_EQ(o.tag, "SELECT 9");
  EXPECT_EQ(o.out.columns, "k,name");
  EXPECT_EQ(o.out.descriptions, 1);
}

TEST_F(RunTest, rows_are_described_by_a_shard_when_home_was_not_asked) {
  Client client;
  client.bound.text = "SELECT k AS x FROM item WHERE k > 100";
  Outcome o = run(client, scatter({}), false);
  EXPECT_EQ(o.tag, "SELECT 0");
  EXPECT_EQ(o.out.columns, "x");
  EXPECT_EQ(o.out.descriptions, 1);
}

TEST_F(RunTest, order_limit_and_offset_hold_over_shards) {
  Client client;
  client.bound.text = "SELECT name FROM item ORDER BY k DESC LIMIT 3 OFFSET 1";
  plan::Merge merge;
  merge.order = {by(1, 23)};
  merge.order[0].descending = true;
  merge.order[0].nulls_first = true;
  merge.limit = 3;
  merge.offset = 1;
  merge.hidden_columns = 1;
  Outcome o = run(client, scatter(merge, "SELECT name, k FROM item ORDER BY k DESC LIMIT 4"));
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.joined(), "n7 n6 n5");
  EXPECT_EQ(o.tag, "SELECT 3");
  EXPECT_EQ(o.out.columns, "name");
}

TEST_F(RunTest, a_count_is_one_row) {
  Client client;
  client.bound.text = "SELECT count(*) FROM item";
  plan::Merge merge;
  plan::Combine count;
  count.kind = plan::Combine::Kind::kCount;
  count.type = 20;
  merge.combine = {count};
  merge.ungrouped = true;
  Outcome o = run(client, scatter(merge));
  EXPECT_EQ(o.joined(), "9");
  EXPECT_EQ(o.tag, "SELECT 1");
}

TEST_F(RunTest, parameters_reach_the_shards_under_their_own_numbers) {
  Client client;
  client.bound.text = "SELECT name FROM item WHERE k = $2 AND name <> $1";
  client.bound.types = {25, 23};
  client.bound.formats = {wire::Format::kText, wire::Format::kText};
  client.bound.values = {"x", "4"};
  plan::Plan plan = scatter({}, "SELECT name FROM item WHERE k = $1");
  std::get<plan::Scatter>(plan.node).text.params = {2};
  EXPECT_EQ(run(client, plan).joined(), "n4");
}

TEST_F(RunTest, an_error_on_one_shard_ends_the_statement_on_all) {
  Client client;
  client.bound.text =
      "SELECT CASE WHEN k = 4 THEN 1 / (k - 4) ELSE length(pg_sleep(20)::text) END "
      "FROM item";
  const auto before = std::chrono::steady_clock::now();
  Outcome o = run(client, scatter({},
                                  "SELECT CASE WHEN current_database() = 's2' THEN 1 / (k - k) "
                                  "ELSE length(pg_sleep(20)::text) END FROM item"));
  EXPECT_EQ(o.error, "22012 division by zero");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(run(client, scatter({}, "SELECT 1"), false).tag, "SELECT 3") << "connections are clean";
}

TEST_F(RunTest, a_limit_that_is_reached_ends_slow_shards) {
  Client client;
  client.bound.text = "SELECT 1 FROM item LIMIT 1";
  plan::Merge merge;
  merge.limit = 1;
  const auto before = std::chrono::steady_clock::now();
  Outcome o = run(client, scatter(merge,
                                  "SELECT 1 FROM item WHERE current_database() = 's3' OR "
                                  "pg_sleep(20) IS NULL"));
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tag, "SELECT 1");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST_F(RunTest, large_answers_pass_through_in_bounded_memory) {
  Client client;
  client.bound.text = "SELECT i, repeat('x', 200) FROM generate_series(1, 30000) i ORDER BY 1";
  plan::Merge merge;
  merge.order = {by(0, 23)};
  Outcome o = run(client, scatter(merge));
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tag, "SELECT 90000");
  EXPECT_EQ(o.out.rows.size(), 90000u);
  EXPECT_EQ(o.out.rows[3].substr(0, 2), "2,");
}

TEST_F(RunTest, an_update_over_shards_adds_up_and_commits) {
  Client client;
  client.bound.text = "UPDATE item SET name = 'z' WHERE k = 3";
  plan::Plan plan = scatter({});
  std::get<plan::Scatter>(plan.node).shards = {ShardId(1)};
  std::get<plan::Scatter>(plan.node).writes = plan.writes = true;
  Outcome o = run(client, plan);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tag, "UPDATE 1");
  EXPECT_EQ(Cluster::get()->value(1, "SELECT name FROM item WHERE k = 3"), "z");
}

TEST_F(RunTest, returning_comes_in_the_order_of_the_input) {
  Client client;
  client.bound.text =
      "INSERT INTO item VALUES (12,'a'),(10,'b'),(15,'c'),(11,'d') RETURNING k, name";
  plan::Write write;
  write.returning = true;
  write.parts = {
      {ShardId(1), {"INSERT INTO item VALUES (12,'a'),(15,'c') RETURNING k, name", {}}, {0, 2}},
      {ShardId(2), {"INSERT INTO item VALUES (10,'b') RETURNING k, name", {}}, {1}},
      {ShardId(3), {"INSERT INTO item VALUES (11,'d') RETURNING k, name", {}}, {3}}};
  plan::Plan plan;
  plan.node = write;
  client.transaction.begin("BEGIN");
  Outcome o = run(client, plan);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.joined(), "12,a 10,b 15,c 11,d");
  EXPECT_EQ(o.tag, "INSERT 0 4");
  Cluster::get()->run(client.transaction.rollback());
  EXPECT_EQ(Cluster::get()->value(1, "SELECT count(*) FROM item WHERE k >= 10"), "0");
}

}  // namespace
}  // namespace shoal::exec
