// For tests: a cluster of three databases and a client's transaction over them, without a session:
// every shard's connection runs the client's statements; coroutines that never wait.
// Thread rule: one thread.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "control/commands.h"
#include "control/init.h"
#include "control/loader.h"
#include "control/pg_fixture.h"

namespace shoal::control {

template <class T>
T run_now(io::Task<T> task) {
  auto handle = task.release();
  handle.resume();
  if (!handle.done()) std::abort();
  T value = std::move(*handle.promise().value);
  handle.destroy();
  return value;
}
inline void run_now(io::Task<> task) {
  auto handle = task.release();
  handle.resume();
  if (!handle.done()) std::abort();
  handle.destroy();
}

class TestRunner : public backend::ShardRunner {
 public:
  std::map<ShardId, Pq> shards;

  io::Task<Result<TextRows>> run(ShardId shard, std::string sql) override {
    co_return shards.at(shard).query(sql);
  }
  io::Task<Result<std::uint64_t>> copy_rows(
      ShardId from, std::string copy_out_sql, std::string copy_in_sql, std::vector<ShardId>,
      std::function<Result<std::vector<ShardId>>(const std::vector<std::optional<std::string>>&)>
          route) override;
};

class TestStore : public CatalogStore {
 public:
  std::string secret_text, dsn;
  catalog::SnapshotPtr committed;
  std::vector<std::vector<Oid>> held;
  int released = 0;

  const std::string& secret() const override { return secret_text; }
  const std::string& catalog_dsn() const override { return dsn; }
  catalog::SnapshotPtr snapshot() const override { return committed; }
  io::Task<Result<HoldId>> hold(std::vector<Oid> tables) override {
    held.push_back(tables);
    co_return static_cast<HoldId>(held.size());
  }
  io::Task<> release(std::vector<HoldId> holds, bool) override {
    released += static_cast<int>(holds.size());
    co_return;
  }
  io::Task<Result<>> run_blocking(std::function<Result<>()> work) override { co_return work(); }
};

class ClusterTest : public testing::Test {
 protected:
  void SetUp() override;

  // One statement on home as the client; "ok" or SQLSTATE.
  std::string sql(const std::string& text) { return state(client(1).query(text)); }
  std::string value(Pq& c, const std::string& text);
  // The same text on all shards, answers joined by "|".
  std::string values(const std::string& text);
  // One command as an autocommit statement; "ok" or "SQLSTATE DETAIL".
  std::string call(const std::string& schema, const std::string& name,
                   std::vector<std::optional<std::string>> arguments);
  // The same without BEGIN and COMMIT.
  Result<TextRows> call_inside(const std::string& schema, const std::string& name,
                               std::vector<std::optional<std::string>> arguments);
  void everywhere(const std::string& text);
  void reload();
  Pq& client(int shard) { return runner_.shards.at(ShardId(shard)); }
  static std::string state(const Result<TextRows>& r) {
    return r ? "ok" : r.error().sqlstate + " " + r.error().message;
  }

  PgServers* servers_ = nullptr;
  std::string suffix_, home_dsn_, spare_dsn_;
  TestRunner runner_;
  TestStore store_;
  Change change_;
};

}  // namespace shoal::control
