// Tests of recovery.h.
#include "txn/recovery.h"

#include <gtest/gtest.h>

namespace shoal::txn {
namespace {

const TransactionId kId{"app", "r1", 7};

Prepared prepared(int shard, TransactionId id = kId, int decision = 1) {
  return {ShardId(shard), *print_gid({id, ShardId(shard), ShardId(decision)}), "app"};
}

RecoveryFacts facts_with(Prepared entry) {
  RecoveryFacts facts;
  facts.cluster = "app";
  facts.prepared_before = facts.prepared_after = {std::move(entry)};
  facts.decisions_read = {ShardId(1), ShardId(2)};
  return facts;
}

std::string printed(const RecoveryFacts& facts) {
  std::string out;
  for (const Resolution& r : resolve(facts)) {
    constexpr const char* kNames[] = {"commit", "rollback", "settle", "leave"};
    out += fmt::format("{}@{} ", kNames[static_cast<int>(r.kind)], r.what.shard.value);
  }
  return out;
}

TEST(Recovery, follows_the_decision_row) {
  RecoveryFacts facts = facts_with(prepared(2));
  facts.decisions[decision_key(kId)] = Decision::kCommit;
  EXPECT_EQ(printed(facts), "commit@2 ");
  facts.active.insert(kId);  // decided is decided, also when its router still works on it
  EXPECT_EQ(printed(facts), "commit@2 ");
  facts.decisions[decision_key(kId)] = Decision::kAbort;
  EXPECT_EQ(printed(facts), "rollback@2 ");
}

TEST(Recovery, never_aborts_a_transaction_that_is_still_preparing) {
  RecoveryFacts facts = facts_with(prepared(2));
  facts.active.insert(kId);
  EXPECT_EQ(printed(facts), "leave@2 ");
}

TEST(Recovery, settles_first_what_is_neither_decided_nor_active) {
  EXPECT_EQ(printed(facts_with(prepared(2))), "settle@2 ");
}

TEST(Recovery, waits_for_a_decision_shard_that_cannot_be_read) {
  RecoveryFacts facts = facts_with(prepared(2));
  facts.decisions_read.erase(ShardId(1));
  EXPECT_EQ(printed(facts), "leave@2 ");
}

TEST(Recovery, judges_only_what_was_there_both_times) {
  RecoveryFacts facts = facts_with(prepared(2));
  facts.prepared_before.clear();
  EXPECT_EQ(printed(facts), "");
  facts = facts_with(prepared(2));
  facts.prepared_after.clear();
  EXPECT_EQ(printed(facts), "");
}

TEST(Recovery, leaves_what_is_not_of_this_cluster) {
  EXPECT_EQ(printed(facts_with(prepared(2, {"other", "r1", 7}))), "");
  EXPECT_EQ(printed(facts_with({ShardId(2), "somebody's own", "app"})), "");
  Prepared misplaced = prepared(2);
  misplaced.shard = ShardId(3);
  EXPECT_EQ(printed(facts_with(misplaced)), "leave@3 ");
}

TEST(Recovery, forgets_commits_that_nobody_can_need) {
  const std::set<ShardId> all = {ShardId(1), ShardId(2)};
  RecoveryFacts facts;
  facts.cluster = "app";
  const TransactionId done{"app", "r", 1}, aborted{"app", "r", 2}, active{"app", "r", 3},
      waiting{"app", "r", 4}, foreign{"other", "r", 5};
  for (const TransactionId& id : {done, active, waiting, foreign}) {
    facts.decisions[decision_key(id)] = Decision::kCommit;
  }
  facts.decisions[decision_key(aborted)] = Decision::kAbort;
  facts.active = {active};
  facts.prepared_before = {prepared(2, waiting)};
  EXPECT_EQ(forgettable(facts, all, all), std::vector{decision_key(done)});
  EXPECT_TRUE(forgettable(facts, all, {ShardId(1)}).empty());
}

}  // namespace
}  // namespace shoal::txn
