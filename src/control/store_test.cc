// Routers that share a catalog: epochs, holds, fences, outages.
#include "control/store.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "control/command_fixture.h"
#include "io/core.h"

namespace shoal::control {
namespace {

using std::chrono::milliseconds;

// One router: a store, and cores that acknowledge what they are told to hold unless `deaf`.
struct TestRouter {
  explicit TestRouter(const std::string& dsn, milliseconds lease = milliseconds(10'000)) {
    Store::Options options;
    options.catalog_dsn = dsn;
    options.router_name = "test";
    options.poll = milliseconds(20);
    options.lease = lease;
    options.hold_timeout = milliseconds(500);
    options.recovery_period = milliseconds(0);
    Store::Callbacks callbacks;
    callbacks.publish = [this](catalog::SnapshotPtr s) { set([&] { epoch = s->epoch.value; }); };
    callbacks.hold = [this](HeldTables h) {
      set([&] { held = h.tables; });
      if (!deaf) store->acknowledge(h.generation);
    };
    callbacks.fenced = [this] { set([&] { ++fenced; }); };
    store = std::make_unique<Store>(options, callbacks);
  }
  template <class F>
  void set(F f) {
    std::lock_guard lock(mutex);
    f();
    changed.notify_all();
  }
  template <class F>
  bool wait(F f) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), f);
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t epoch = 0;
  std::set<Oid> held;
  int fenced = 0;
  bool deaf = false;
  std::unique_ptr<Store> store;
};

io::Task<> hold_into(Store* store, std::vector<Oid> tables, Result<Store::HoldId>* out,
                     io::Core* core) {
  *out = co_await store->hold(std::move(tables));
  core->stop();
}
io::Task<> release_into(Store* store, std::vector<Store::HoldId> holds, io::Core* core) {
  co_await store->release(std::move(holds), true);
  core->stop();
}

// Runs one task on a core of its own until it stops the core.
template <class Make>
void on_core(Make make) {
  io::Core core(0);
  core.post([&] { core.spawn(make(&core)); });
  core.run();
}

Result<Store::HoldId> hold_now(Store& store, std::vector<Oid> tables) {
  Result<Store::HoldId> out = make_error("XX000", "unset");
  on_core([&](io::Core* core) { return hold_into(&store, tables, &out, core); });
  return out;
}
void release_now(Store& store, Store::HoldId hold) {
  on_core([&](io::Core* core) { return release_into(&store, {hold}, core); });
}

class StoreTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (servers_) service_ = *Pq::connect(home_dsn_, std::chrono::seconds(5));
  }
  Pq service_;
};

TEST_F(StoreTest, a_new_epoch_is_loaded_and_published) {
  TestRouter a(home_dsn_);
  auto first = a.store->start();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_GT(a.store->router_id(), 0);
  ASSERT_TRUE(
      service_.query("CREATE TABLE fresh (x int);"
                     "UPDATE shoal.cluster SET epoch = epoch + 1; NOTIFY shoal_epoch"));
  EXPECT_TRUE(a.wait([&] {
    return a.epoch > (*first)->epoch.value && a.store->snapshot()->table("public", "fresh");
  }));
  EXPECT_EQ(value(service_, "SELECT state FROM shoal.routers"), "live");
  a.store->stop();
  EXPECT_EQ(value(service_, "SELECT state FROM shoal.routers"), "gone");
}

TEST_F(StoreTest, a_schema_change_past_the_routers_is_noticed) {
  TestRouter a(home_dsn_);
  ASSERT_TRUE(a.store->start());
  ASSERT_TRUE(service_.query("CREATE TABLE past (x int)"));
  EXPECT_TRUE(a.wait([&] { return a.store->snapshot()->table("public", "past") != nullptr; }));
  const std::int64_t epoch = a.store->snapshot()->epoch.value;
  ASSERT_TRUE(service_.query("ALTER TABLE past ALTER x SET DEFAULT 7"));
  EXPECT_TRUE(a.wait([&] { return a.epoch > epoch; }));
  EXPECT_EQ(a.store->snapshot()->table("public", "past")->column("x")->default_sql, "7");
}

TEST_F(StoreTest, a_hold_returns_when_all_routers_have_acknowledged) {
  TestRouter a(home_dsn_), b(home_dsn_);
  ASSERT_TRUE(a.store->start());
  ASSERT_TRUE(b.store->start());
  const auto hold = hold_now(*a.store, {Oid(77)});
  ASSERT_TRUE(hold) << hold.error().message;
  EXPECT_EQ(a.held, std::set<Oid>{Oid(77)});
  EXPECT_EQ(b.held, std::set<Oid>{Oid(77)});
  EXPECT_EQ(value(service_, "SELECT array_length(acknowledged, 1) FROM shoal.holds"), "2");
  const std::int64_t before = a.store->snapshot()->epoch.value;
  ASSERT_TRUE(service_.query("UPDATE shoal.cluster SET epoch = epoch + 1"));
  release_now(*a.store, *hold);
  EXPECT_EQ(a.store->snapshot()->epoch.value, before + 1) << "release waits for the new snapshot";
  EXPECT_TRUE(a.held.empty());
  EXPECT_TRUE(b.wait([&] { return b.held.empty(); }));
  EXPECT_EQ(b.store->snapshot()->epoch.value, before + 1) << "published before the hold ended";
}

TEST_F(StoreTest, a_router_with_open_transactions_makes_the_hold_fail) {
  TestRouter a(home_dsn_), b(home_dsn_);
  b.deaf = true;
  ASSERT_TRUE(a.store->start());
  ASSERT_TRUE(b.store->start());
  EXPECT_EQ(hold_now(*a.store, {Oid(77)}).error().sqlstate, "55P03");
  EXPECT_TRUE(b.wait([&] { return b.held.empty(); })) << "the hold is given up";
}

TEST_F(StoreTest, a_router_whose_lease_lapsed_is_fenced_on_the_shards) {
  TestRouter a(home_dsn_);
  ASSERT_TRUE(a.store->start());
  ASSERT_TRUE(
      service_.query("INSERT INTO shoal.router (id, name, epoch, lease_until)"
                     " VALUES (9999, 'dead', 1, now() - interval '1 minute')"));
  ASSERT_TRUE(client(2).query("SELECT shoal.check_epoch(1000, 9999)"));
  const auto hold = hold_now(*a.store, {Oid(77)});
  ASSERT_TRUE(hold) << hold.error().message;
  EXPECT_EQ(client(2).query("SELECT 1").error().sqlstate, "57P01") << "its connection was ended";
  EXPECT_EQ(value(service_, "SELECT state FROM shoal.routers WHERE id = 9999"), "fenced");
  const std::string epoch = std::to_string(a.store->snapshot()->epoch.value);
  EXPECT_EQ(client(3).query("SELECT shoal.check_epoch(" + epoch + " - 1, 9999)").error().sqlstate,
            "57P03");
  EXPECT_TRUE(client(3).query("SELECT shoal.check_epoch(" + epoch + ", 1)"));
  release_now(*a.store, *hold);
}

TEST_F(StoreTest, a_fenced_router_that_comes_back_starts_anew) {
  TestRouter a(home_dsn_);
  ASSERT_TRUE(a.store->start());
  ASSERT_TRUE(service_.query("UPDATE shoal.router SET state = 'fenced'"));
  EXPECT_TRUE(a.wait([&] { return a.fenced == 1; }));
  a.store->wake();
  EXPECT_EQ(value(service_, "SELECT state FROM shoal.router"), "live");
}

TEST_F(StoreTest, the_last_snapshot_stays_while_the_catalog_is_away) {
  TestRouter a(home_dsn_);
  ASSERT_TRUE(a.store->start());
  const auto before = a.store->snapshot()->epoch.value;
  Dsn other = *parse_dsn(home_dsn_);
  other.dbname = "postgres";
  auto outside = Pq::connect(other.text({}), std::chrono::seconds(5));
  const auto away = outside->query("ALTER DATABASE \"c_one" + suffix_ +
                                   "\" ALLOW_CONNECTIONS false;"
                                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                                   " application_name = 'shoal router' AND datname = 'c_one" +
                                   suffix_ + "'");
  ASSERT_TRUE(away) << away.error().message;
  a.store->wake();
  EXPECT_EQ(hold_now(*a.store, {Oid(5)}).error().sqlstate, "08001");
  EXPECT_EQ(a.store->snapshot()->epoch.value, before);
  ASSERT_TRUE(outside->query("ALTER DATABASE \"c_one" + suffix_ + "\" ALLOW_CONNECTIONS true"));
  ASSERT_TRUE(service_.query("UPDATE shoal.cluster SET epoch = epoch + 1"));
  EXPECT_TRUE(a.wait([&] { return a.epoch == before + 1; }));
}

}  // namespace
}  // namespace shoal::control
