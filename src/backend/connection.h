// One connection to one PostgreSQL server: start-up, sending, receiving, and what is known of its
// state. Whoever holds it speaks through out()/pending(): append a message, tell pending(), send().
// Invariant: a connection goes back to the pool only when reusable() is true; in doubt destroy it.
// Thread rule: one core.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "backend/oid_translator.h"
#include "backend/runner.h"
#include "base/ids.h"
#include "base/limits.h"
#include "io/buffer.h"
#include "io/stream.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/responses.h"
#include "wire/scram.h"

namespace shoal::backend {

// Where a shard is and how to speak to it.
struct Endpoint {
  ShardId shard;
  std::string name;  // of the shard
  std::string host, port, dbname;
  std::shared_ptr<io::TlsContext> tls;  // empty: plain
  bool tls_required = false;
};

// With what a server connection logs in.
struct Login {
  std::string user;
  std::string password;                 // empty: none
  std::optional<wire::ScramKeys> keys;  // pass-through of the client's proof
};

// A session's settings as statements, by name: {"timezone", "SET timezone TO 'UTC'"}. std::less<>
// so that equal maps compare in order.
using Settings = std::map<std::string, std::string, std::less<>>;

// A frame, or the first part of a long one whose `remaining` bytes follow through read_raw().
struct Piece {
  wire::Frame frame;
  std::size_t remaining = 0;
};

class Connection {
 public:
  ~Connection();
  Connection(const Connection&) = delete;

  // Connects, authenticates, runs `setup_sql` (may be empty) and waits until ready.
  // Errors: 08001 not reachable, the server's own errors (28P01, 57P03, ...).
  static io::Task<Result<std::unique_ptr<Connection>>> open(Endpoint endpoint, Login login,
                                                            std::string setup_sql,
                                                            io::Deadline deadline);

  const Endpoint& endpoint() const { return endpoint_; }
  ShardId shard() const { return endpoint_.shard; }
  std::string& out() { return out_; }
  wire::PendingResponses& pending() { return pending_; }
  // Sends out() as far as the socket takes it; a rest goes on in the background while the caller
  // reads, so that two full sockets never wait for each other.
  void send();
  std::size_t unsent() const { return unsent_.size(); }
  io::Task<Result<>> wait_sent();  // until nothing is unsent

  // The next whole frame that is already here; nullopt: fill() first. A frame longer than
  // `stream_above` bytes of type DataRow or CopyData comes as a Piece with `remaining` > 0.
  // Views live until the next try_next, fill or read_raw.
  Result<std::optional<Piece>> try_next(std::size_t stream_above = SIZE_MAX);
  io::Task<Result<>> fill(io::Deadline deadline = {});
  // True when the server has said something (or is gone), without waiting.
  bool poll();
  // The next bytes of a long frame, at most `max` (> 0).
  io::Task<Result<std::string_view>> read_raw(std::size_t max);
  // Next whole frame, waiting.
  io::Task<Result<wire::Frame>> next(io::Deadline deadline = {});

  // Runs one simple Query and collects the rows in text. Only when nothing is pending. After an
  // error of the server the connection is still usable.
  io::Task<Result<TextRows>> query(std::string sql, io::Deadline deadline = {});
  // Reads until everything due was answered, dropping it; true if the connection is usable.
  io::Task<bool> drain(io::Deadline deadline);

  // Called with every frame by readers, so that status and parameters are known.
  void observe(const wire::Frame& frame);
  char status() const { return status_; }  // of the last ReadyForQuery
  const std::map<std::string, std::string>& parameters() const { return parameters_; }
  // Equal for connections whose reported parameters are equal.
  std::size_t parameters_hash() const { return parameters_hash_; }
  std::int32_t pid() const { return pid_; }
  const std::string& secret() const { return secret_; }
  const std::string& user() const { return user_; }  // the login role

  // From now on messages are in home's oids on this side and in the shard's on the other (see
  // OidTranslator); null: they are equal. Only when nothing but simple queries is pending.
  // Longer rows than `longest_row` that must be rewritten are refused (SH0606).
  void set_oids(std::shared_ptr<const wire::OidMap> map, std::size_t longest_row);
  const wire::OidMap* oids() const { return oids_ ? oids_->map().get() : nullptr; }

  // State that outlives a transaction.
  Settings settings;  // what this connection's session has set
  // Server-side statements by the text that made them; the value is its name here.
  std::unordered_map<std::string, std::string> prepared;
  Epoch prepared_epoch;            // of the schema they were parsed under
  std::uint64_t oids_version = 0;  // of the schema that set_oids() was called for last
  std::string unnamed;             // what the unnamed statement was made from, same form
  std::string next_statement_name();
  bool user_code = false;  // user functions may have run: reset fully before another client
  bool tainted = false;    // temp tables, advisory locks, ...: destroy instead of reuse
  std::uint64_t served = 0;
  io::Clock::time_point opened_at, idle_since;
  std::string client;      // who holds it, for SHOW SERVERS
  void* bucket = nullptr;  // the pool's own
  // Nothing is expected for a while: gives the buffer back.
  void rest() {
    in_.consume(std::exchange(consumed_, 0));
    in_.release();
  }

  bool broken() const { return broken_; }
  void mark_broken() { broken_ = true; }
  bool reusable() const {
    return !broken_ && !tainted && pending_.all_answered() && pending_.proved() && status_ == 'I' &&
           unsent_.empty() && out_.empty() && in_.data().size() == consumed_ &&
           !(oids_ && oids_->holding());
  }
  void close();

 private:
  Connection(Endpoint endpoint, io::StreamPtr stream)
      : endpoint_(std::move(endpoint)), stream_(std::move(stream)) {}
  void set_parameter(std::string_view name, std::string_view value);
  void send_out();
  Result<> to_home(const wire::Frame& frame);
  void release_held();
  io::Task<Result<>> authenticate(Login login, io::Deadline deadline);
  static io::Task<> write_rest(std::shared_ptr<Connection*> self);

  Endpoint endpoint_;
  io::StreamPtr stream_;
  io::Buffer in_;
  std::size_t consumed_ = 0;  // of the frame handed out last
  std::string out_, unsent_;
  std::shared_ptr<Connection*> writer_;  // set while the background write runs
  io::Event sent_;
  wire::PendingResponses pending_;
  std::unique_ptr<OidTranslator> oids_;
  std::size_t longest_row_ = 0;
  char status_ = 'I';
  bool broken_ = false;
  std::map<std::string, std::string> parameters_;
  std::size_t parameters_hash_ = 0;
  std::int32_t pid_ = 0;
  std::string secret_, user_;
  std::uint64_t statement_counter_ = 0;
};

// Opens a connection only to deliver a cancel request; errors are dropped as in PostgreSQL.
io::Task<> send_cancel(Endpoint endpoint, std::int32_t pid, std::string secret);

}  // namespace shoal::backend
