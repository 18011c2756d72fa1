// Two-phase commit against a model of shards. Every action may succeed, fail, or lose its answer
// before or after it took effect, and the router may die after any event; all combinations are run,
// each followed by recovery. Invariants, checked at every end:
//   - no two writers of one transaction end differently;
//   - "committed" was reported only if all writers had committed by then, "aborted" only if none
//     ever does.
#include "txn/commit.h"

#include <gtest/gtest.h>

#include <deque>

#include "txn/recovery.h"

namespace shoal::txn {
namespace {

using Kind = Action::Kind;
using Outcome = Action::Outcome;
using Use = Participant::Use;

// ---- a model of the shards ----------------------------------------------------------------------

struct Shard {
  enum class State { kOpen, kPrepared, kCommitted, kAborted } state = State::kOpen;
  bool writer = false;
  std::string gid;
};

struct World {
  std::map<ShardId, Shard> shards;
  std::map<std::string, Decision> decisions;

  void apply(const Action& action) {
    Shard& shard = shards[action.shard];
    using S = Shard::State;
    switch (action.kind) {
      case Kind::kCommit:
        if (shard.state == S::kOpen) shard.state = S::kCommitted;
        break;
      case Kind::kPrepare:
        shard.state = S::kPrepared;
        shard.gid = action.gid;
        break;
      case Kind::kCommitDecision:
        shard.state = S::kCommitted;
        decisions.emplace(action.key, Decision::kCommit);
        break;
      case Kind::kCommitPrepared:
      case Kind::kRetry:
        if (shard.state == S::kPrepared) shard.state = S::kCommitted;
        break;
      case Kind::kRollback:
        if (shard.state == S::kOpen) shard.state = S::kAborted;
        break;
      case Kind::kRollbackPrepared:
        if (shard.state == S::kPrepared) shard.state = S::kAborted;
        break;
      case Kind::kSettle:
        if (decisions.emplace(action.key, Decision::kAbort).second) shard.state = S::kAborted;
        break;
      case Kind::kForget:
        decisions.erase(action.key);
        break;
      case Kind::kRecover:
      case Kind::kReport:
        break;
    }
  }

  // What a shard whose connection is gone does by itself.
  void drop(ShardId id) {
    if (shards[id].state == Shard::State::kOpen) shards[id].state = Shard::State::kAborted;
  }

  std::set<Prepared> prepared() const {
    std::set<Prepared> all;
    for (const auto& [id, shard] : shards) {
      if (shard.state == Shard::State::kPrepared) all.insert({id, shard.gid, "app"});
    }
    return all;
  }

  void recover() {
    for (int round = 0; round < 3; ++round) {
      RecoveryFacts facts;
      facts.cluster = "app";
      facts.prepared_before = facts.prepared_after = prepared();
      facts.decisions = decisions;
      for (const auto& [id, shard] : shards) facts.decisions_read.insert(id);
      for (const Resolution& r : resolve(facts)) {
        Shard& shard = shards[r.what.shard];
        if (r.kind == Resolution::Kind::kCommit) shard.state = Shard::State::kCommitted;
        if (r.kind == Resolution::Kind::kRollback) shard.state = Shard::State::kAborted;
        if (r.kind == Resolution::Kind::kSettle) decisions.emplace(r.key, Decision::kAbort);
      }
    }
  }
};

std::string success_tag(const Action& action, const World& world) {
  switch (action.kind) {
    case Kind::kPrepare:
      return "PREPARE TRANSACTION";
    case Kind::kCommitPrepared:
    case Kind::kRetry:
      return "COMMIT PREPARED";
    case Kind::kRollback:
      return "ROLLBACK";
    case Kind::kRollbackPrepared:
      return "ROLLBACK PREPARED";
    case Kind::kSettle:
      return world.decisions.at(action.key) == Decision::kCommit ? "commit" : "abort";
    default:
      return "COMMIT";
  }
}

// ---- choices, enumerated like the digits of a number --------------------------------------------

class Choices {
 public:
  int take(int count) {
    if (at_ == taken_.size()) {
      taken_.push_back(0);
      counts_.push_back(count);
    }
    return taken_[at_++];
  }
  bool advance() {
    at_ = 0;
    while (!taken_.empty() && taken_.back() + 1 == counts_.back()) {
      taken_.pop_back();
      counts_.pop_back();
    }
    if (taken_.empty()) return false;
    ++taken_.back();
    return true;
  }
  void limit(std::size_t depth) { depth_ = depth; }
  bool exhausted() const { return at_ >= depth_; }

 private:
  std::vector<int> taken_, counts_;
  std::size_t at_ = 0, depth_ = 100;
};

enum class Fate { kSucceeds, kFails, kLostAfter, kLostBefore, kRolledBack, kCount };

// Performs one action in the world with the chosen fate; the event the machine hears.
Event perform(World& world, const Action& action, Fate fate) {
  Event event{action.shard, Event::Kind::kTag, {}, {}};
  const bool first_use = action.kind == Kind::kCommit || action.kind == Kind::kPrepare ||
                         action.kind == Kind::kCommitDecision;
  switch (fate) {
    case Fate::kSucceeds:
      world.apply(action);
      event.tag = success_tag(action, world);
      break;
    case Fate::kRolledBack:
    case Fate::kFails:
      // A failing PREPARE or COMMIT ends the transaction; other failures change nothing.
      if (first_use) world.shards[action.shard].state = Shard::State::kAborted;
      event.kind = fate == Fate::kFails || !first_use ? Event::Kind::kFailed : Event::Kind::kTag;
      event.tag = event.kind == Event::Kind::kTag ? "ROLLBACK" : "";
      event.error = make_error("40001", "could not serialize access");
      break;
    case Fate::kLostAfter:
      world.apply(action);
      event.kind = Event::Kind::kLost;
      break;
    case Fate::kLostBefore:
    case Fate::kCount:
      // A lost last agent aborts by itself, but not before somebody asks for the decision.
      if (first_use) world.drop(action.shard);
      event.kind = Event::Kind::kLost;
      break;
  }
  return event;
}

struct End {
  bool crashed = false, reported = false;
  Outcome outcome = Outcome::kUnknown;
  std::set<Shard::State> at_report, at_last;
};

std::set<Shard::State> writer_states(const World& world) {
  std::set<Shard::State> states;
  for (const auto& [id, shard] : world.shards) {
    if (shard.writer) states.insert(shard.state);
  }
  return states;
}

End run_once(const std::vector<Participant>& participants, Choices& choices) {
  World world;
  for (const Participant& p : participants) world.shards[p.shard].writer = p.use == Use::kWrite;
  auto commit = Commit::make({{"app", "r", 1}, ShardId(1), participants});
  EXPECT_TRUE(commit.has_value());
  End end;
  int retries = 0;
  std::deque<Action> todo;
  const auto enqueue = [&](const std::vector<Action>& actions) {
    for (const Action& action : actions) {
      if (action.kind == Kind::kReport) {
        end.reported = true;
        end.outcome = action.outcome;
        end.at_report = writer_states(world);
        EXPECT_TRUE(todo.empty());
      } else if (!expects_event(action.kind)) {
        world.apply(action);
      } else {
        todo.push_back(action);
      }
    }
  };
  enqueue(commit->start());
  while (!todo.empty()) {
    const Action action = todo.front();
    todo.pop_front();
    int fates = static_cast<int>(Fate::kCount);
    if (action.kind == Kind::kRetry && ++retries > 2) fates = 1;
    const auto fate = static_cast<Fate>(choices.take(fates));
    const Event event = perform(world, action, fate);
    if (choices.take(2) == 1) {  // the router dies with the answer unread
      end.crashed = true;
      break;
    }
    enqueue(commit->on(event));
  }
  EXPECT_TRUE(end.crashed || (end.reported && commit->done()));
  for (const auto& [id, shard] : world.shards) world.drop(id);  // no connection outlives it open
  world.recover();
  end.at_last = writer_states(world);
  return end;
}

void check(const End& end) {
  using S = Shard::State;
  ASSERT_LE(end.at_last.size(), 1u) << "writers ended differently";
  ASSERT_FALSE(end.at_last.contains(S::kPrepared)) << "recovery left something prepared";
  if (!end.reported || end.at_last.empty()) return;
  if (end.outcome == Outcome::kCommitted) {
    ASSERT_EQ(end.at_report, std::set{S::kCommitted});
  }
  if (end.outcome == Outcome::kAborted) {
    ASSERT_EQ(end.at_last, std::set{S::kAborted});
  }
}

void run_all(const std::vector<Participant>& participants, std::size_t* runs,
             std::set<Outcome>* outcomes) {
  Choices choices;
  do {
    const End end = run_once(participants, choices);
    check(end);
    if (testing::Test::HasFatalFailure()) return;
    if (end.reported) outcomes->insert(end.outcome);
    ++*runs;
  } while (choices.advance());
}

Participant writer(int shard, bool preparable = true) {
  return {ShardId(shard), Use::kWrite, preparable};
}
Participant reader(int shard) {
  return {ShardId(shard), Use::kRead, true};
}
Participant locker(int shard) {
  return {ShardId(shard), Use::kLock, true};
}

TEST(Commit, no_failure_at_any_step_splits_a_transaction) {
  const std::vector<std::vector<Participant>> cases = {
      {writer(1)},
      {writer(1), writer(2)},
      {writer(2), writer(3, false)},
      {writer(1), writer(2), reader(3)},
      {writer(2), locker(1)},
      {writer(1), writer(2), locker(3)},
      {writer(1), writer(2), writer(3)},
  };
  for (const auto& participants : cases) {
    std::size_t runs = 0;
    std::set<Outcome> outcomes;
    run_all(participants, &runs, &outcomes);
    if (HasFatalFailure()) return;
    EXPECT_EQ(outcomes.size(), 3u) << "some outcome was never reached";
    EXPECT_GT(runs, 5u);
  }
}

// ---- single conversations, as printed text ------------------------------------------------------

std::string printed(const std::vector<Action>& actions) {
  std::string out;
  for (const Action& action : actions) {
    if (!out.empty()) out += "; ";
    const std::string sql = sql_of(action);
    switch (action.kind) {
      case Kind::kReport:
        out += action.outcome == Outcome::kCommitted ? "committed"
               : action.outcome == Outcome::kAborted ? "aborted " + action.error.sqlstate
                                                     : "unknown " + action.error.sqlstate;
        break;
      case Kind::kCommitDecision:
        out += fmt::format("{}: decide", action.shard.value);
        break;
      case Kind::kSettle:
        out += fmt::format("{}: settle", action.shard.value);
        break;
      case Kind::kForget:
        out += fmt::format("{}: forget", action.shard.value);
        break;
      case Kind::kRecover:
        out += fmt::format("{}: recover", action.shard.value);
        break;
      default:
        out += fmt::format("{}: {}", action.shard.value, sql);
    }
  }
  return out;
}

Commit make(const std::vector<Participant>& participants) {
  auto commit = Commit::make({{"app", "r", 1}, ShardId(1), participants});
  EXPECT_TRUE(commit.has_value());
  return *std::move(commit);
}
Event tag(int shard, std::string text) {
  return {ShardId(shard), Event::Kind::kTag, text, {}};
}
Event lost(int shard) {
  return {ShardId(shard), Event::Kind::kLost, {}, {}};
}
Event failed(int shard, std::string sqlstate) {
  return {ShardId(shard), Event::Kind::kFailed, {}, make_error(sqlstate, "no")};
}

TEST(Commit, one_writer_sends_its_own_commit_and_nothing_else) {
  Commit commit = make({writer(2), reader(3)});
  EXPECT_EQ(printed(commit.start()), "3: COMMIT; 2: COMMIT");
  EXPECT_EQ(printed(commit.on(tag(2, "COMMIT"))), "");
  EXPECT_EQ(printed(commit.on(lost(3))), "committed");
}

TEST(Commit, home_commits_last_when_it_wrote) {
  Commit commit = make({writer(3), writer(1), writer(2)});
  EXPECT_EQ(commit.last_agent(), ShardId(1));
  EXPECT_EQ(printed(commit.start()),
            "3: PREPARE TRANSACTION 'shoal:app:r:1:3:1'; "
            "2: PREPARE TRANSACTION 'shoal:app:r:1:2:1'");
  EXPECT_EQ(printed(commit.on(tag(2, "PREPARE TRANSACTION"))), "");
  EXPECT_EQ(printed(commit.on(tag(3, "PREPARE TRANSACTION"))), "1: decide");
  EXPECT_EQ(printed(commit.on(tag(1, "COMMIT"))),
            "3: COMMIT PREPARED 'shoal:app:r:1:3:1'; "
            "2: COMMIT PREPARED 'shoal:app:r:1:2:1'");
  EXPECT_EQ(printed(commit.on(tag(3, "COMMIT PREPARED"))), "");
  EXPECT_EQ(printed(commit.on(failed(2, "55000"))), "2: COMMIT PREPARED 'shoal:app:r:1:2:1'");
  EXPECT_EQ(printed(commit.on(failed(2, "42704"))), "1: forget; committed");
}

TEST(Commit, the_one_that_cannot_be_prepared_commits_last) {
  EXPECT_EQ(make({writer(1), writer(2, false), writer(3)}).last_agent(), ShardId(2));
  EXPECT_EQ(make({writer(4), writer(3)}).last_agent(), ShardId(3));
  const auto refused =
      Commit::make({{"a", "r", 1}, ShardId(1), {writer(1, false), writer(2, false)}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().detail.substr(0, 6), "SH0403");
}

TEST(Commit, a_prepare_answered_with_rollback_aborts_all) {
  Commit commit = make({writer(1), writer(2), writer(3)});
  commit.start();
  commit.on(tag(2, "PREPARE TRANSACTION"));
  EXPECT_EQ(printed(commit.on(tag(3, "ROLLBACK"))),
            "1: ROLLBACK; 2: ROLLBACK PREPARED 'shoal:app:r:1:2:1'");
  EXPECT_EQ(printed(commit.on(tag(1, "ROLLBACK"))), "");
  EXPECT_EQ(printed(commit.on(lost(2))), "2: recover; aborted 40000");
}

TEST(Commit, the_error_of_the_last_agent_is_what_the_client_hears) {
  Commit commit = make({writer(1), writer(2)});
  commit.start();
  commit.on(tag(2, "PREPARE TRANSACTION"));
  EXPECT_EQ(printed(commit.on(failed(1, "23503"))), "2: ROLLBACK PREPARED 'shoal:app:r:1:2:1'");
  EXPECT_EQ(printed(commit.on(tag(2, "ROLLBACK PREPARED"))), "aborted 23503");
}

TEST(Commit, a_lost_decision_is_settled_before_the_client_hears) {
  for (const bool committed : {false, true}) {
    Commit commit = make({writer(1), writer(2)});
    commit.start();
    commit.on(tag(2, "PREPARE TRANSACTION"));
    EXPECT_EQ(printed(commit.on(lost(1))), "1: settle");
    EXPECT_EQ(printed(commit.on(tag(1, committed ? "commit" : "abort"))),
              committed ? "2: COMMIT PREPARED 'shoal:app:r:1:2:1'"
                        : "2: ROLLBACK PREPARED 'shoal:app:r:1:2:1'");
    EXPECT_EQ(printed(commit.on(tag(2, committed ? "COMMIT PREPARED" : "ROLLBACK PREPARED"))),
              committed ? "1: forget; committed" : "aborted 40000");
  }
}

TEST(Commit, a_decision_that_cannot_be_read_is_08007_and_left_to_recovery) {
  Commit commit = make({writer(1), writer(2), locker(3)});
  commit.start();
  commit.on(tag(2, "PREPARE TRANSACTION"));
  commit.on(lost(1));
  EXPECT_EQ(printed(commit.on(lost(1))), "2: recover; 3: ROLLBACK");
  EXPECT_EQ(printed(commit.on(tag(3, "ROLLBACK"))), "unknown 08007");
}

TEST(Commit, a_single_writer_that_is_lost_is_08007) {
  Commit commit = make({writer(2)});
  commit.start();
  EXPECT_EQ(printed(commit.on(lost(2))), "unknown 08007");
}

TEST(Commit, readers_alone_report_their_failure) {
  Commit commit = make({reader(1), reader(2)});
  EXPECT_EQ(printed(commit.start()), "1: COMMIT; 2: COMMIT");
  EXPECT_EQ(printed(commit.on(failed(1, "40001"))), "");
  EXPECT_EQ(printed(commit.on(tag(2, "COMMIT"))), "aborted 40001");
}

TEST(Commit, a_transaction_that_touched_nothing_commits) {
  EXPECT_EQ(printed(make({}).start()), "committed");
}

}  // namespace
}  // namespace shoal::txn
