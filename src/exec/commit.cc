// COMMIT over several shards that wrote: performs what txn/commit.h asks for, each action on its
// participant's own connection or, after that was lost, on a new one of the same role.
// Decision rows are deleted by recovery, many at a time: a commit shall not pay for it.
#include "txn/commit.h"

#include <deque>

#include "exec/borrow.h"
#include "exec/transaction.h"

namespace shoal::exec {
namespace {

using txn::Action;
using txn::Event;
using Kind = Action::Kind;

// Then a participant counts as lost; whatever it did, recovery will find out.
constexpr io::Milliseconds kAnswerLimit{60'000};
// How long a client waits for a lost shard to come back, once its transaction is decided.
constexpr io::Milliseconds kRetryLimit{30'000};
constexpr io::Milliseconds kRetryPause{200};

Event event_of(ShardId shard, const Result<backend::TextRows>& done, bool alive) {
  if (done) return {shard, Event::Kind::kTag, done->tag, {}};
  if (alive) return {shard, Event::Kind::kFailed, {}, done.error()};
  return {shard, Event::Kind::kLost, {}, {}};
}

class Committer {
 public:
  explicit Committer(Transaction& transaction) : transaction_(transaction) {}

  io::Task<Action> run(txn::Commit commit) {
    std::optional<Action> report;
    take(commit.start(), report);
    while (!report) {
      while (events_.empty()) co_await arrived_.wait({});
      Event event = std::move(events_.front());
      events_.pop_front();
      take(commit.on(event), report);
    }
    co_await group_.join();
    co_return std::move(*report);
  }

 private:
  void take(std::vector<Action> actions, std::optional<Action>& report) {
    for (Action& action : actions) {
      if (action.kind == Kind::kReport)
        report = std::move(action);
      else if (txn::expects_event(action.kind))
        group_.start(perform(std::move(action)));
    }
  }

  io::Task<> perform(Action action) {
    if (action.kind == Kind::kRetry)
      events_.push_back(co_await retry(action));
    else if (action.kind == Kind::kSettle)
      events_.push_back(co_await settle(action));
    else
      events_.push_back(co_await on_own_connection(action));
    arrived_.set();
  }

  io::Task<Event> on_own_connection(const Action& action) {
    backend::Connection* c = transaction_.enlisted(action.shard);
    if (!c || c->broken()) co_return Event{action.shard, Event::Kind::kLost, {}, {}};
    std::string sql = txn::sql_of(action);
    if (action.kind == Kind::kCommitDecision)
      sql = transaction_.context().decision_sql.decide(action.key) + "; COMMIT";
    Result<backend::TextRows> done =
        co_await c->query(std::move(sql), io::Deadline::in(kAnswerLimit));
    const bool alive = !c->broken() && c->pending().all_answered();
    if (!done && !alive) c->close();
    co_return event_of(action.shard, done, alive);
  }

  // A new connection each time: the old one's server may be gone.
  io::Task<Result<backend::TextRows>> ask_anew(ShardId shard, std::string sql) {
    Result<Borrowed> c = co_await Borrowed::take(transaction_, shard);
    if (!c) co_return c.error();
    Result<backend::TextRows> done =
        co_await (*c)->query(std::move(sql), io::Deadline::in(kRetryLimit));
    if (!done && !(*c)->pending().all_answered()) (*c)->close();
    co_return std::move(done);
  }

  io::Task<Event> retry(const Action& action) {
    const io::Clock::time_point until = io::Clock::now() + kRetryLimit;
    std::string sql = txn::sql_of(action);
    while (io::Clock::now() < until) {
      Result<backend::TextRows> done = co_await ask_anew(action.shard, sql);
      if (done) co_return Event{action.shard, Event::Kind::kTag, done->tag, {}};
      if (done.error().sqlstate == "42704")
        co_return Event{action.shard, Event::Kind::kFailed, {}, done.error()};
      co_await io::sleep_for(kRetryPause);
    }
    co_return Event{action.shard, Event::Kind::kLost, {}, {}};
  }

  io::Task<Event> settle(const Action& action) {
    const io::Clock::time_point until = io::Clock::now() + kRetryLimit;
    while (transaction_.context().decision_sql.settle && io::Clock::now() < until) {
      std::string sql = transaction_.context().decision_sql.settle(action.key);
      Result<backend::TextRows> done = co_await ask_anew(action.shard, std::move(sql));
      if (done && !done->rows.empty() && !done->rows[0].empty() && done->rows[0][0])
        co_return Event{action.shard, Event::Kind::kTag, *done->rows[0][0], {}};
      co_await io::sleep_for(kRetryPause);
    }
    co_return Event{action.shard, Event::Kind::kLost, {}, {}};
  }

  Transaction& transaction_;
  std::deque<Event> events_;
  io::Event arrived_;
  io::TaskGroup group_;
};

}  // namespace

io::Task<Result<std::string>> Transaction::commit_two_phase() {
  const catalog::SnapshotPtr snapshot = snapshot_ ? snapshot_ : context_.snapshot;
  if (!context_.decision_sql.decide) {
    co_await rollback();
    co_return refuse(Refusal::kNotPreparable, "this router cannot write decision rows");
  }
  txn::CommitInput input;
  // Numbers of one router differ between its cores.
  input.transaction = {
      snapshot->cluster, context_.router,
      context_.next_transaction++ << 8 | static_cast<unsigned>(context_.core.index())};
  input.home = snapshot->home;
  for (const Participant& p : participants_) {
    if (!p.begun || p.shard == kWorkspace) continue;
    using Use = txn::Participant::Use;
    input.participants.push_back({p.shard, p.wrote ? Use::kWrite : Use::kLock, !p.temp});
  }
  Result<txn::Commit> commit = txn::Commit::make(std::move(input));
  if (!commit) {
    co_await rollback();
    co_return commit.error();
  }
  Committer committer(*this);
  const Action report = co_await committer.run(std::move(*commit));
  const bool aborted = report.outcome == Action::Outcome::kAborted;
  for (Participant& p : participants_) {
    if (p.connection->broken() || p.connection->status() == 'I') continue;
    std::string end = "ROLLBACK";
    if (p.shard == kWorkspace && !aborted) end = "COMMIT";
    (void)co_await p.connection->query(std::move(end), io::Deadline::in(kRetryLimit));
  }
  if (aborted) {
    for (Participant& p : participants_) {
      if (!p.begun) continue;
      p.connection->settings = settings_at_begin_;
      p.begun = false;  // so that ended() leaves these settings
    }
  }
  ended();
  if (report.outcome == Action::Outcome::kCommitted) co_return "COMMIT";
  co_return report.error;
}

}  // namespace shoal::exec
