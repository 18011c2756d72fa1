// Transitions of commit.h.
#include "txn/commit.h"

#include <algorithm>
#include <cstdlib>

namespace shoal::txn {
namespace {

using Kind = Action::Kind;
using Outcome = Action::Outcome;
using Use = Participant::Use;

constexpr std::string_view kUndefinedObject = "42704";  // no such prepared transaction

std::string quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += c;
    out += c;
  }
  return out + "'";
}

// The shard that commits last: the one that can't be prepared, otherwise home, otherwise the first
// in the fixed order of ids.
Result<ShardId> choose_last(const std::vector<Participant>& writers, ShardId home) {
  std::vector<ShardId> unpreparable;
  for (const Participant& writer : writers) {
    if (!writer.preparable) unpreparable.push_back(writer.shard);
  }
  if (unpreparable.size() > 1) {
    return refuse(
        Refusal::kNotPreparable,
        "temporary objects, NOTIFY or a cursor WITH HOLD were used on more than one shard");
  }
  if (!unpreparable.empty()) return unpreparable[0];
  ShardId last = writers[0].shard;
  for (const Participant& writer : writers) {
    if (writer.shard == home) return home;
    last = std::min(last, writer.shard);
  }
  return last;
}

}  // namespace

bool expects_event(Kind kind) {
  return kind != Kind::kRecover && kind != Kind::kForget && kind != Kind::kReport;
}

std::string sql_of(const Action& action) {
  switch (action.kind) {
    case Kind::kCommit:
      return "COMMIT";
    case Kind::kPrepare:
      return "PREPARE TRANSACTION " + quote(action.gid);
    case Kind::kCommitPrepared:
    case Kind::kRetry:
      return "COMMIT PREPARED " + quote(action.gid);
    case Kind::kRollback:
      return "ROLLBACK";
    case Kind::kRollbackPrepared:
      return "ROLLBACK PREPARED " + quote(action.gid);
    case Kind::kCommitDecision:
    case Kind::kSettle:
    case Kind::kForget:
    case Kind::kRecover:
    case Kind::kReport:
      return {};
  }
  std::abort();
}

Result<Commit> Commit::make(CommitInput input) {
  Commit commit;
  std::vector<Participant> writers;
  for (const Participant& participant : input.participants) {
    if (participant.use == Use::kWrite) writers.push_back(participant);
  }
  commit.two_phase_ = writers.size() > 1;
  commit.key_ = decision_key(input.transaction);
  if (!writers.empty()) {
    const auto last = choose_last(writers, input.home);
    if (!last) return last.error();
    commit.last_ = *last;
  }
  for (const Participant& participant : input.participants) {
    Member member;
    static_cast<Participant&>(member) = participant;
    if (commit.two_phase_ && participant.use == Use::kWrite && participant.shard != commit.last_) {
      auto gid = print_gid({input.transaction, participant.shard, commit.last_});
      if (!gid) return std::move(gid).error();
      member.gid = *std::move(gid);
    }
    commit.members_.push_back(std::move(member));
  }
  return commit;
}

Commit::Member& Commit::member(ShardId shard) {
  for (Member& member : members_) {
    if (member.shard == shard) return member;
  }
  std::abort();
}

void Commit::ask(Actions& out, Member& member, Kind kind) {
  Action action;
  action.kind = kind;
  action.shard = member.shard;
  action.gid = member.gid;
  action.key = key_;
  member.waiting = expects_event(kind);
  out.push_back(std::move(action));
}

bool Commit::anyone_waiting() const {
  return std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.waiting; });
}

void Commit::remember(Error error) {
  if (!has_error_) first_error_ = std::move(error);
  has_error_ = true;
}

Error Commit::event_error(const Event& event) const {
  if (event.kind == Event::Kind::kFailed) return event.error;
  if (event.kind == Event::Kind::kTag) {
    return make_error("40000", "a shard rolled the transaction back");
  }
  return make_error("08006",
                    "the connection to a shard was lost before the transaction was decided");
}

std::vector<Action> Commit::start() {
  Actions out;
  const bool nobody_wrote = last_ == ShardId();
  for (Member& member : members_) {
    if (member.use == Use::kRead || nobody_wrote)
      ask(out, member, Kind::kCommit);
    else if (!member.gid.empty())
      ask(out, member, Kind::kPrepare);
  }
  if (nobody_wrote) {
    state_ = State::kReading;
    if (members_.empty()) report(out, Outcome::kCommitted);
  } else if (two_phase_) {
    state_ = State::kPreparing;
  } else {
    decide(out);
  }
  return out;
}

std::vector<Action> Commit::on(const Event& event) {
  Actions out;
  Member& from = member(event.shard);
  from.waiting = false;
  if (from.use == Use::kRead || state_ == State::kReading) {
    from.phase = Member::Phase::kEnded;
    on_read(event, out);
    return out;
  }
  switch (state_) {
    case State::kPreparing:
      on_prepare(from, event, out);
      break;
    case State::kDeciding:
      on_decision(from, event, out);
      break;
    case State::kSettling:
      on_settled(event, out);
      break;
    case State::kFinishing:
      on_finish(from, event, out);
      break;
    case State::kAborting:
      on_abort(from, event, out);
      break;
    case State::kReading:
    case State::kDone:
      std::abort();
  }
  return out;
}

// The answer of one that only read. It has nothing to lose, so it can't change what is decided; but
// where nobody wrote, its failure is the transaction's.
void Commit::on_read(const Event& event, Actions& out) {
  if (state_ == State::kReading) {
    if (event.kind != Event::Kind::kTag || event.tag != "COMMIT") remember(event_error(event));
    if (anyone_waiting()) return;
    report(out, has_error_ ? Outcome::kAborted : Outcome::kCommitted);
  } else if (state_ == State::kPreparing && !anyone_waiting()) {
    has_error_ ? abort(out) : decide(out);
  } else if (state_ == State::kFinishing) {
    finish(out);
  } else if (state_ == State::kAborting) {
    end_abort(out);
  }
}

void Commit::on_prepare(Member& member, const Event& event, Actions& out) {
  if (event.kind == Event::Kind::kTag && event.tag == "PREPARE TRANSACTION") {
    member.phase = Member::Phase::kPrepared;
  } else {
    // A refused PREPARE has rolled its transaction back; after a lost one nobody knows.
    member.phase =
        event.kind == Event::Kind::kLost ? Member::Phase::kMaybePrepared : Member::Phase::kEnded;
    remember(event_error(event));
  }
  if (anyone_waiting()) return;
  has_error_ ? abort(out) : decide(out);
}

void Commit::decide(Actions& out) {
  state_ = State::kDeciding;
  ask(out, member(last_), two_phase_ ? Kind::kCommitDecision : Kind::kCommit);
}

void Commit::on_decision(Member& last, const Event& event, Actions& out) {
  if (event.kind == Event::Kind::kTag && event.tag == "COMMIT") {
    last.phase = Member::Phase::kEnded;
    state_ = State::kFinishing;
    for (Member& member : members_) {
      if (member.phase == Member::Phase::kPrepared)
        ask(out, member, Kind::kCommitPrepared);
      else if (member.use == Use::kLock)
        ask(out, member, Kind::kCommit);
    }
    finish(out);
  } else if (event.kind != Event::Kind::kLost) {
    last.phase = Member::Phase::kEnded;
    remember(event_error(event));
    abort(out);
  } else if (two_phase_) {
    state_ = State::kSettling;
    ask(out, last, Kind::kSettle);
  } else {
    last.phase = Member::Phase::kEnded;
    remember(make_error("08007", "the connection was lost during COMMIT",
                        "The transaction may be committed or not."));
    late_ = true;
    abort(out);
  }
}

void Commit::on_settled(const Event& event, Actions& out) {
  Member& last = member(last_);
  if (event.kind == Event::Kind::kTag && (event.tag == "commit" || event.tag == "abort")) {
    Event decision;
    decision.shard = last_;
    decision.kind = Event::Kind::kTag;
    decision.tag = event.tag == "commit" ? "COMMIT" : "ROLLBACK";
    on_decision(last, decision, out);
    return;
  }
  for (Member& member : members_) {
    if (member.phase == Member::Phase::kPrepared) ask(out, member, Kind::kRecover);
    if (member.use == Use::kLock) ask(out, member, Kind::kRollback);
    member.phase = Member::Phase::kEnded;
  }
  state_ = State::kAborting;
  late_ = true;
  remember(make_error("08007", "the connection was lost during COMMIT",
                      "The transaction is decided on the shard that was lost; all shards will "
                      "follow that decision as soon as it can be read."));
  end_abort(out);
}

void Commit::on_finish(Member& member, const Event& event, Actions& out) {
  const bool confirmed =
      member.gid.empty() ||  // one that held locks: they are gone, whatever it answered
      (event.kind == Event::Kind::kTag && event.tag == "COMMIT PREPARED") ||
      // Recovery was faster; after the decision it can only have committed.
      (event.kind == Event::Kind::kFailed && event.error.sqlstate == kUndefinedObject);
  if (confirmed) {
    member.phase = Member::Phase::kEnded;
  } else if (event.kind == Event::Kind::kLost && member.phase == Member::Phase::kMaybePrepared) {
    member.phase = Member::Phase::kEnded;  // the retry was given up
    late_ = true;
    ask(out, member, Kind::kRecover);
    remember(make_error("08007", "a shard could not be told to commit in time",
                        "The transaction is committed; the shard will follow when it can be "
                        "reached."));
  } else {
    member.phase = Member::Phase::kMaybePrepared;
    ask(out, member, Kind::kRetry);
  }
  finish(out);
}

void Commit::finish(Actions& out) {
  if (anyone_waiting()) return;
  if (two_phase_ && !late_) ask(out, member(last_), Kind::kForget);
  report(out, late_ ? Outcome::kUnknown : Outcome::kCommitted);
}

void Commit::abort(Actions& out) {
  state_ = State::kAborting;
  for (Member& member : members_) {
    if (member.phase == Member::Phase::kPrepared)
      ask(out, member, Kind::kRollbackPrepared);
    else if (member.phase == Member::Phase::kMaybePrepared)
      ask(out, member, Kind::kRecover);
    else if (member.phase == Member::Phase::kOpen && !member.waiting)
      ask(out, member, Kind::kRollback);
  }
  end_abort(out);
}

void Commit::end_abort(Actions& out) {
  if (!anyone_waiting()) report(out, late_ ? Outcome::kUnknown : Outcome::kAborted);
}

// A rollback that went unheard is nobody's problem but recovery's: without a decision row it can
// only end in the same way.
void Commit::on_abort(Member& member, const Event& event, Actions& out) {
  const bool told = event.kind == Event::Kind::kTag || (event.kind == Event::Kind::kFailed &&
                                                        event.error.sqlstate == kUndefinedObject);
  if (!told && member.phase == Member::Phase::kPrepared) ask(out, member, Kind::kRecover);
  member.phase = Member::Phase::kEnded;
  end_abort(out);
}

void Commit::report(Actions& out, Outcome outcome) {
  state_ = State::kDone;
  Action action;
  action.kind = Kind::kReport;
  action.outcome = outcome;
  if (outcome != Outcome::kCommitted) action.error = first_error_;
  if (outcome == Outcome::kUnknown) action.error.sqlstate = "08007";
  out.push_back(std::move(action));
}

}  // namespace shoal::txn
