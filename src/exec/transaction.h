// A client's transaction over the shards that it touched, or, outside one, the connection that its
// current statement borrows. Shards are enlisted when first used: BEGIN, settings, savepoints and
// SET LOCALs so far travel in front of the first message, in order.
// Invariant: a connection leaves only reusable or destroyed.
// Thread rule: one core, owned by one session.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/connection.h"
#include "exec/core_context.h"

namespace shoal::exec {

// A participant beside home's own connection, on home as well: rows of several shards are kept
// there for cursors. It has the transaction's settings and savepoints, but it may always make
// temporary tables, it never writes, and it is never prepared.
inline constexpr ShardId kWorkspace{-1};

class Transaction {
 public:
  enum class State { kIdle, kOpen, kFailed };

  Transaction(CoreContext& context, backend::Login login, std::string client)
      : context_(context), login_(std::move(login)), client_(std::move(client)) {}
  ~Transaction();

  State state() const { return state_; }
  bool idle() const { return state_ == State::kIdle; }
  char status() const {
    return state_ == State::kIdle || implicit_
               ? (state_ == State::kFailed && !implicit_ ? 'E' : 'I')
           : state_ == State::kOpen ? 'T'
                                    : 'E';
  }
  bool implicit() const { return implicit_; }

  // The session's settings to be in force on every connection used from now on. Owned by the
  // session, must outlive the transaction; inside an open transaction changes travel by replay().
  void set_settings(const backend::Settings* settings) { settings_ = settings; }
  // Every later use() pins this snapshot until the transaction ends.
  const catalog::SnapshotPtr& snapshot() const { return snapshot_; }
  void set_snapshot(catalog::SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }

  // The transaction has changed the schema, which is from now on as `derived` says: connections
  // learn their shards' oids anew, and again when it ends.
  void schema_changed(catalog::SnapshotPtr derived);

  // Opens the transaction; nothing is sent. `text` is the client's BEGIN.
  void begin(std::string text);
  // Opens one that the router needs for its own statement; ends with the statement.
  void begin_implicit();
  void make_explicit() { implicit_ = false; }  // the client's BEGIN inside its own implicit block
  const std::string& begin_text() const { return begin_text_; }
  // Remembers a statement (SAVEPOINT, SET LOCAL, ...) for shards enlisted later.
  void replay(std::string text) { replay_.push_back({std::move(text)}); }
  void fail() {
    if (state_ == State::kOpen) state_ = State::kFailed;
  }
  void recover() {  // ROLLBACK TO SAVEPOINT worked
    if (state_ == State::kFailed) state_ = State::kOpen;
  }

  // The shard's connection, ready for messages: out() may already hold injected ones (their answers
  // are swallowed). Errors leave the transaction as it was, except that a lost participant fails
  // it.
  io::Task<Result<backend::Connection*>> use(ShardId shard);
  // The same when that needs no waiting and can't fail; null: use() it.
  backend::Connection* use_at_once(ShardId shard);
  // The same for what takes no snapshot that matters: SET, SHOW, Parse, Describe.
  io::Task<Result<backend::Connection*>> use_for_words(ShardId shard) { return enter(shard); }
  // Refuses (SH0402) a second shard until the transaction ends, with its isolation level as the
  // reason; empty: does not.
  void keep_to_one_shard(std::string isolation) { isolation_ = std::move(isolation); }
  // The same for a connection that is taken already, without waiting; nullptr otherwise.
  backend::Connection* enlisted(ShardId shard);
  // Sends BEGIN behind what was already sent in this implicit transaction block (a pipeline).
  void late_begin();
  void mark_wrote(ShardId shard);
  void mark_temp(ShardId shard);  // the shard can't be prepared (temp table, held cursor)

  struct Participant {
    std::unique_ptr<backend::Connection> connection;
    ShardId shard;
    bool settled = false;  // its connection has the transaction's settings and knows the types
    bool kept = false;     // since an earlier transaction
    bool begun = false, wrote = false, temp = false;
    bool read = false;  // a statement ran there, not only SET
  };
  std::vector<Participant>& participants() { return participants_; }
  std::size_t writers() const;

  // Runs `sql` on every participant that has begun; the first error comes back.
  io::Task<Result<>> run_everywhere(std::string sql);
  // SET TRANSACTION here and on shards enlisted later.
  io::Task<Result<>> set_characteristics(std::string sql);
  // Ends the transaction. The result is the command tag ("COMMIT", or "ROLLBACK" if it had failed).
  // 08007 when the outcome can't be known.
  io::Task<Result<std::string>> commit();
  io::Task<> rollback();
  // Outside a transaction: gives connections back. Inside: keeps them.
  void release();
  // The client is gone or the state is unknown: destroys what can't be proved clean.
  io::Task<> abandon();
  // The transaction ended on its only participant by the client's own COMMIT or ROLLBACK there.
  void ended();
  // Keeps the connections beyond the transaction (temp tables, advisory locks, cursors WITH HOLD).
  void pin(ShardId shard);
  // Keeps kWorkspace beyond the transaction, for cursors WITH HOLD; then it may go.
  void hold_workspace(bool hold);
  // A cancel request: what the running statement has not begun yet fails (57014), whichever
  // connection it waits for. Until the client's next message.
  void cancel() { cancelled_ = true; }
  void forget_cancel() { cancelled_ = false; }
  Result<> check_cancel() const;
  // A connection beside the transaction that works for its statement now: a cancel request is for
  // it, too. Null when there is none.
  void set_workspace(backend::Connection* c) { workspace_ = c; }
  backend::Connection* workspace() const { return workspace_; }
  bool is_pinned(ShardId shard) const;
  void unpin() { pinned_.clear(); }
  // A pinned connection broke, and with it what it was kept for.
  bool lost_pinned() const { return lost_pinned_; }
  // Called with a server connection when a transaction has ended there, before it is given back.
  void on_end(std::function<void(const backend::Connection&)> hook) { on_end_ = std::move(hook); }

  CoreContext& context() { return context_; }
  const backend::Login& login() const { return login_; }
  const backend::Settings& settings() const { return *settings_; }

 private:
  const backend::Settings& wanted_settings() const {
    return state_ == State::kIdle ? *settings_ : settings_at_begin_;
  }
  io::Task<Result<>> apply_settings(backend::Connection& c);
  Participant& add(std::unique_ptr<backend::Connection> connection, ShardId shard);
  Participant* participant(ShardId shard);
  bool is_settled(const backend::Connection& c) const;
  io::Task<Result<>> settle(backend::Connection& c);
  io::Task<Result<backend::Connection*>> enter(ShardId shard);
  io::Task<Result<backend::Connection*>> use_strictly(ShardId shard);
  // Tells the connection its shard's oids where it does not know those of this schema.
  bool knows_types(const backend::Connection& c) const;
  io::Task<Result<>> learn_types(backend::Connection& c);
  std::uint64_t types_version() const;
  void append_begin(Participant& p);
  io::Task<Result<>> enlist(Participant& p);
  // The settings of a connection that was kept since they were changed.
  io::Task<Result<>> refresh_settings(backend::Connection& c);
  std::unique_ptr<backend::Connection> take_idle(const catalog::Snapshot& snapshot, ShardId shard);
  io::Task<Result<>> run_on(std::vector<Participant*> begun, std::string sql);
  io::Task<Result<std::string>> commit_two_phase();
  void clear();

  CoreContext& context_;
  backend::Login login_;
  std::string client_;
  State state_ = State::kIdle;
  bool implicit_ = false;
  std::vector<ShardId> pinned_;
  bool lost_pinned_ = false;
  bool holds_workspace_ = false;
  bool cancelled_ = false;
  std::string begin_text_;
  std::string isolation_;  // of keep_to_one_shard()
  struct Replayed {
    std::string text;
    bool characteristics = false;  // not for kWorkspace
  };
  std::vector<Replayed> replay_;
  const backend::Settings* settings_ = nullptr;
  backend::Settings settings_at_begin_;
  catalog::SnapshotPtr snapshot_;
  catalog::SnapshotPtr derived_;  // set when the transaction has changed the schema
  std::uint64_t derived_version_ = 0;
  std::vector<Participant> participants_;
  // Where the pool keeps this role's connections to a shard, as far as known at `buckets_epoch_`.
  std::vector<std::pair<ShardId, backend::Pool::Bucket*>> buckets_;
  Epoch buckets_epoch_;
  backend::Connection* workspace_ = nullptr;
  std::function<void(const backend::Connection&)> on_end_;
};

// The setting statements that turn `from` into `to`, joined by semicolons; empty if equal.
std::string settings_difference(const backend::Settings& from, const backend::Settings& to);

}  // namespace shoal::exec
