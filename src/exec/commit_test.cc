// Commits over several databases of a real server, also when connections are lost on the way.
#include <gtest/gtest.h>

#include "exec/test_client.h"

namespace shoal::exec {
namespace {

using testing::Client;
using testing::Cluster;

class CommitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Cluster::get()) GTEST_SKIP() << "PostgreSQL is not installed";
    testing::prepare_tables(*Cluster::get());
    decide_ = Cluster::get()->context().decision_sql.decide;
  }
  void TearDown() override {
    if (!Cluster::get()) return;
    Cluster::get()->context().decision_sql.decide = decide_;
    EXPECT_EQ(testing::busy_connections(*Cluster::get()), 0u);
    EXPECT_EQ(Cluster::get()->value(1, "SELECT count(*) FROM pg_prepared_xacts"), "0");
  }

  // Writes one row on each shard, runs `also` on one of them, and commits.
  static io::Task<std::string> write_and_commit(Client* client, int at, std::string also) {
    Transaction& t = client->transaction;
    t.begin("BEGIN");
    for (int shard = 1; shard <= 3; ++shard) {
      auto c = co_await t.use(ShardId(shard));
      if (!c) co_return c.error().message;
      std::string sql = fmt::format("INSERT INTO item VALUES ({}, 'new')", 99 + shard);
      if (shard == at) sql += ";" + also;
      auto done = co_await (*c)->query(sql);
      if (!done) t.fail();
      t.mark_wrote(ShardId(shard));
    }
    auto ended = co_await t.commit();
    co_return ended ? *ended : ended.error().sqlstate + " " + ended.error().message;
  }
  std::string commit(int at = 0, const std::string& also = {}) {
    Client client;
    return Cluster::get()->run(write_and_commit(&client, at, also));
  }
  static std::string rows() {
    std::string all;
    for (int shard = 1; shard <= 3; ++shard)
      all += Cluster::get()->value(shard, "SELECT count(*) FROM item WHERE k >= 100");
    return all;
  }

  std::function<std::string(std::string_view)> decide_;
};

TEST_F(CommitTest, all_shards_commit) {
  EXPECT_EQ(commit(), "COMMIT");
  EXPECT_EQ(rows(), "111");
}

TEST_F(CommitTest, a_failed_statement_makes_it_a_rollback) {
  EXPECT_EQ(commit(2, "SELECT 1/0"), "ROLLBACK");
  EXPECT_EQ(rows(), "000");
}

TEST_F(CommitTest, a_constraint_that_fails_at_prepare_fails_all) {
  Cluster::get()->sql(3,
                      "ALTER TABLE item ADD CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY "
                      "DEFERRED");
  EXPECT_EQ(commit(3, "INSERT INTO item VALUES (200, 'new')"),
            "23505 duplicate key value violates unique constraint \"late\"");
  EXPECT_EQ(rows(), "000");
}

TEST_F(CommitTest, temporary_tables_on_one_shard_make_it_the_last_agent_or_are_refused) {
  // The shard is not marked, so PREPARE itself refuses.
  EXPECT_EQ(commit(2, "CREATE TEMP TABLE tmp ()").substr(0, 5), "0A000");
  EXPECT_EQ(rows(), "000");
}

TEST_F(CommitTest, a_decision_that_recovery_has_settled_aborts_all) {
  Cluster::get()->context().decision_sql.decide = [](std::string_view) {
    return std::string("SELECT 1/0");
  };
  EXPECT_EQ(commit(), "22012 division by zero");
  EXPECT_EQ(rows(), "000");
}

TEST_F(CommitTest, a_last_agent_lost_before_its_decision_is_settled_as_aborted) {
  Cluster::get()->context().decision_sql.decide = [](std::string_view) {
    return std::string("SELECT pg_terminate_backend(pg_backend_pid())");
  };
  EXPECT_EQ(commit().substr(0, 5), "40000");
  EXPECT_EQ(rows(), "000");
}

TEST_F(CommitTest, a_last_agent_lost_after_its_decision_is_settled_as_committed) {
  auto decide = decide_;
  Cluster::get()->context().decision_sql.decide = [decide](std::string_view key) {
    return decide(key) + "; COMMIT; SELECT pg_terminate_backend(pg_backend_pid())";
  };
  EXPECT_EQ(commit(), "COMMIT");
  EXPECT_EQ(rows(), "111");
}

TEST_F(CommitTest, a_participant_lost_after_the_decision_is_told_on_a_new_connection) {
  auto decide = decide_;
  // Ends the prepared participants' sessions; what they prepared stays.
  Cluster::get()->context().decision_sql.decide = [decide](std::string_view key) {
    return decide(key) +
           "; SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
           "WHERE datname IN ('s2', 's3')";
  };
  EXPECT_EQ(commit(), "COMMIT");
  EXPECT_EQ(rows(), "111");
}

}  // namespace
}  // namespace shoal::exec
