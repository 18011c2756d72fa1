// COMMIT of one transaction over its participants, as a pure state machine.
//
// One writing shard: its own COMMIT. Several: last-agent two-phase commit. All writers but one are
// prepared; the last one commits together with a decision row, which decides for all; then the
// others are told. Those that only read commit at once, those that hold locks when it is decided.
//
//   kPreparing --all prepared--> kDeciding --COMMIT--> kFinishing --all told--> kDone (committed)
//       |                          |   \--lost--> kSettling --commit--> kFinishing
//       |                          |                   \---abort--> kAborting
//       \---------failure----------+--------> kAborting --all told--> kDone (aborted)
//
// Invariants: nobody is told COMMIT PREPARED unless the decision row is committed; nobody is told
// ROLLBACK PREPARED unless it can no longer be; committed is reported only when every participant
// has confirmed, so that the client's next read on any shard sees it.
// The caller performs the actions in any order, each on the participant's own connection while it
// has one, and hands back exactly one event for each action that expects one (expects_event).
// Thread rule: belongs to one thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "txn/gid.h"

namespace shoal::txn {

struct Participant {
  ShardId shard;
  enum class Use : std::uint8_t { kRead, kLock, kWrite } use = Use::kWrite;
  bool preparable = true;  // false: it used temporary objects, NOTIFY, ... (PREPARE would refuse)
};

struct Action {
  enum class Kind : std::uint8_t {
    kCommit,            // COMMIT
    kPrepare,           // PREPARE TRANSACTION 'gid'; PostgreSQL's success is the tag of that name
    kCommitDecision,    // write the decision row `key`, then COMMIT, in one round trip
    kCommitPrepared,    // COMMIT PREPARED 'gid'
    kRollback,          // ROLLBACK
    kRollbackPrepared,  // ROLLBACK PREPARED 'gid'
    kSettle,            // on a new connection: INSERT "abort" under `key` unless there is a row,
                        // read what stands there: tag "commit" or "abort"
    kRetry,             // COMMIT PREPARED 'gid' again, on a new connection, after a pause; kLost as
                        // event means that the caller gives up (its deadline has passed)
    kRecover,           // leave `gid` to recovery; no event
    kForget,            // the decision row `key` is no longer needed; no event
    kReport,            // tell the client; no event, and the last action of all
  };
  Kind kind;
  ShardId shard;
  std::string gid;  // of the prepared transaction
  std::string key;  // of the decision row
  enum class Outcome : std::uint8_t { kCommitted, kAborted, kUnknown } outcome = Outcome::kAborted;
  Error error;  // of kReport unless committed
};
bool expects_event(Action::Kind kind);

// The SQL of an action. Empty for those about the decision row, whose SQL belongs to whoever owns
// that table and its tickets, and for kRecover and kReport.
std::string sql_of(const Action& action);

struct Event {
  ShardId shard;
  enum class Kind : std::uint8_t {
    kTag,     // CommandComplete; of kCommitDecision and multi-statement texts, the last one
    kFailed,  // ErrorResponse, and the connection lives
    kLost,    // no answer is known: the connection broke, FATAL, or the time is up
  } kind;
  std::string tag;
  Error error;
};

struct CommitInput {
  TransactionId transaction;
  ShardId home;
  std::vector<Participant> participants;  // each shard once
};

class Commit {
 public:
  // SH0403 when more than one writer can't be prepared, 54000 when a gid would be too long: the
  // transaction must then be rolled back by the caller.
  static Result<Commit> make(CommitInput input);

  std::vector<Action> start();
  std::vector<Action> on(const Event& event);
  bool done() const { return state_ == State::kDone; }
  // The shard whose COMMIT decides; 0 when nobody wrote.
  ShardId last_agent() const { return last_; }

 private:
  enum class State : std::uint8_t {
    kReading,    // nobody wrote: COMMIT everywhere
    kPreparing,  // PREPARE sent to all writers but the last agent
    kDeciding,   // COMMIT sent to the last agent (or the only writer)
    kSettling,   // the last agent's answer was lost: the decision row will tell
    kFinishing,  // decided: COMMIT PREPARED, and COMMIT of those that hold locks
    kAborting,   // ROLLBACK [PREPARED] everywhere
    kDone,
  };
  struct Member : Participant {
    std::string gid;
    enum class Phase : std::uint8_t {
      kOpen,
      kPrepared,
      kMaybePrepared,
      kEnded
    } phase = Phase::kOpen;
    bool waiting = false;
  };
  using Actions = std::vector<Action>;

  Member& member(ShardId shard);
  void ask(Actions& out, Member& member, Action::Kind kind);
  bool anyone_waiting() const;
  void on_read(const Event& event, Actions& out);
  void on_prepare(Member& member, const Event& event, Actions& out);
  void on_decision(Member& member, const Event& event, Actions& out);
  void on_settled(const Event& event, Actions& out);
  void on_finish(Member& member, const Event& event, Actions& out);
  void on_abort(Member& member, const Event& event, Actions& out);
  void decide(Actions& out);
  void finish(Actions& out);
  void abort(Actions& out);
  void end_abort(Actions& out);
  void report(Actions& out, Action::Outcome outcome);
  void remember(Error error);
  Error event_error(const Event& event) const;

  State state_ = State::kReading;
  std::vector<Member> members_;
  ShardId last_;
  bool two_phase_ = false;
  bool late_ = false;  // the client can't be told the whole truth yet
  std::string key_;
  Error first_error_;
  bool has_error_ = false;
};

}  // namespace shoal::txn
