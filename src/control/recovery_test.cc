// Transactions left behind at every step of two-phase commit.
#include "control/recovery.h"

#include "control/command_fixture.h"
#include "control/ticket.h"
#include "txn/gid.h"

namespace shoal::control {
namespace {

// Transactions of router 7 over s1, s2 and s3 with the decision on s3, left behind at every step.
class RecoveryTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (!servers_) return;
    everywhere("CREATE TABLE t (x int)");
    service_ = *Pq::connect(home_dsn_, std::chrono::seconds(5));
  }
  static std::string gid(std::uint64_t n, int shard) {
    return *txn::print_gid({{"test", "7", n}, ShardId(shard), ShardId(3)});
  }
  static std::string key(std::uint64_t n) { return txn::decision_key({"test", "7", n}); }
  void prepare(std::uint64_t n, int shard) {
    const auto done = client(shard).query(fmt::format("BEGIN; INSERT INTO t VALUES ({})", n));
    ASSERT_TRUE(done);
    ASSERT_TRUE(client(shard).query(fmt::format("PREPARE TRANSACTION '{}'", gid(n, shard))));
  }
  void decide(std::uint64_t n) {
    ASSERT_TRUE(client(3).query(fmt::format("BEGIN; INSERT INTO t VALUES ({}); {}; COMMIT", n,
                                            decide_sql(store_.secret_text, key(n)))));
  }
  RecoveryReport run() {
    RecoveryOptions options;
    options.catalog_dsn = home_dsn_;
    auto r = recover(options);
    EXPECT_TRUE(r) << r.error().message;
    for (const std::string& e : r->errors) ADD_FAILURE() << e;
    return *r;
  }
  void router(const char* state, const char* until) {
    ASSERT_TRUE(service_.query(fmt::format(
        "INSERT INTO shoal.router (id, name, epoch, lease_until, state) VALUES (7, 'r', 1, now() + "
        "'{1}', '{0}') ON CONFLICT (id) DO UPDATE SET state = '{0}', lease_until = now() + '{1}'",
        state, until)));
  }
  Pq service_;
};

TEST_F(RecoveryTest, decided_ones_commit_and_undecided_ones_abort) {
  router("live", "-1 minute");
  prepare(1, 1);
  prepare(1, 2);
  decide(1);
  prepare(2, 1);
  prepare(2, 2);
  const RecoveryReport r = run();
  EXPECT_EQ(r.committed, 2);
  EXPECT_EQ(r.aborted, 2);
  EXPECT_EQ(r.left, 0);
  EXPECT_EQ(values("SELECT string_agg(x::text, ',') FROM t"), "1|1|1");
  const auto late = client(3).query(
      fmt::format("BEGIN; INSERT INTO t VALUES (2); {}", decide_sql(store_.secret_text, key(2))));
  EXPECT_EQ(late.error().sqlstate, "40001")
      << "a last agent that comes late finds the matter settled";
  (void)client(3).query("ROLLBACK");
  EXPECT_EQ(run().forgotten + r.forgotten, 1) << "the commit row goes when nobody can need it";
  EXPECT_EQ(value(client(3), "SELECT outcome FROM shoal.decision"), "abort");
}

TEST_F(RecoveryTest, transactions_of_a_live_router_are_left_alone) {
  router("live", "1 minute");
  prepare(3, 1);
  EXPECT_EQ(run().left, 1);
  decide(3);
  router("live", "-1 second");
  EXPECT_EQ(run().committed, 1);
  EXPECT_EQ(values("SELECT count(*) FROM t"), "1|0|1");
}

TEST_F(RecoveryTest, a_last_agent_still_at_work_is_waited_for) {
  router("gone", "-1 minute");
  prepare(4, 1);
  // Inserted, not yet committed: recovery's own row must wait, gives up after its lock timeout, and
  // leaves the transaction prepared.
  ASSERT_TRUE(client(3).query(
      fmt::format("BEGIN; INSERT INTO t VALUES (4); {}", decide_sql(store_.secret_text, key(4)))));
  RecoveryOptions options;
  options.catalog_dsn = home_dsn_;
  options.lock_timeout = std::chrono::milliseconds(100);
  const RecoveryReport r = *recover(options);
  EXPECT_EQ(r.left, 1);
  EXPECT_FALSE(r.errors.empty());
  ASSERT_TRUE(client(3).query("COMMIT"));
  EXPECT_EQ(run().committed, 1);
  EXPECT_EQ(values("SELECT count(*) FROM t"), "1|0|1");
}

TEST_F(RecoveryTest, what_is_not_this_clusters_stays) {
  ASSERT_TRUE(client(1).query("BEGIN; INSERT INTO t VALUES (9)"));
  ASSERT_TRUE(client(1).query("PREPARE TRANSACTION 'shoal:other:7:1:1:3'"));
  EXPECT_EQ(run().left, 0);
  EXPECT_EQ(value(client(1),
                  "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"),
            "1");
  ASSERT_TRUE(client(1).query("ROLLBACK PREPARED 'shoal:other:7:1:1:3'"));
}

}  // namespace
}  // namespace shoal::control
