// Reading the answers of several shards at once. Each shard has its own reader, so that none waits
// for another, a lost connection is noticed wherever it happens, and an error on one shard ends the
// statement on all. What is done with the frames is the handler's.
// Invariant: when run() returns, every branch was read to its end or its connection is broken (with
// read_until, what follows is still due), and no cancel request is under way any more.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/connection.h"
#include "exec/run.h"
#include "exec/transaction.h"

namespace shoal::exec {

// Whoever holds the turn may speak to the client: one reader at a time.
class Turn {
 public:
  io::Task<> take() {
    while (taken_) co_await given_.wait({});
    taken_ = true;
  }
  bool try_take() { return !std::exchange(taken_, true); }
  void give() {
    taken_ = false;
    given_.set();
  }

 private:
  bool taken_ = false;
  io::Event given_;
};

class Fan {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // Every frame of a branch that answers something: T, n, t, D, H, d, c, G, C, I (1, 2, 3, Z, E
    // and notices are the fan's). The frame dies with the call.
    virtual Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t tag) = 0;
    // After the frames that were there: sends on to the client. Holds the turn.
    virtual io::Task<Result<>> batch(std::size_t branch) = 0;
    // Waits while nothing more of this branch may be read (without the turn).
    virtual io::Task<> room(std::size_t branch);
    // The rest is not wanted: whoever waits in room() must go on.
    virtual void stopped() {}
  };

  // `notices`: where NoticeResponses go.
  Fan(Transaction& transaction, Handler& handler, Output& notices)
      : transaction_(transaction), handler_(handler), notices_(notices) {}

  // Adds a connection to which the messages were sent. Returns its number.
  std::size_t add(backend::Connection* c);
  // Reads a branch only until the message with this tag is answered (its last answer); the others'
  // answers stay. 0: until nothing is due.
  void read_until(std::uint32_t tag) { until_ = tag; }
  void set_deadline(io::Deadline deadline, Error error) {
    deadline_ = deadline;
    late_ = std::move(error);
  }
  // Fields of server errors that make no sense to the client (statement.h, error_of_frame).
  void drop_error_fields(std::string_view codes) { drop_ = codes; }

  // The first error by time. After an error all branches are read to the end of what is due.
  io::Task<Result<>> run();
  // Ends the statement early and well (LIMIT): what still comes is dropped.
  void stop();
  // Ends it with an error that the caller found; before run() as well: then run() only ends all.
  void fail(Error error);
  bool ending() const { return stopped_ || error_.has_value(); }

 private:
  struct Branch {
    backend::Connection* connection;
    bool ended = false;
  };
  io::Task<> read(std::size_t i);
  // Handles the frames that are here; true at the end of the branch.
  bool take_frames(std::size_t i);
  bool at_end(const Branch& b) const;
  void on_error(std::size_t i, const wire::Frame& frame);
  void start_ending();
  io::Task<> end_others();
  io::Task<> cancel(std::size_t i);
  io::Task<> watch_deadline();
  io::Task<bool> all_ended(io::Deadline deadline);

  Transaction& transaction_;
  Handler& handler_;
  Output& notices_;
  std::vector<Branch> branches_;
  std::uint32_t until_ = 0;
  std::string_view drop_;
  io::Deadline deadline_;
  Error late_;
  std::optional<Error> error_;
  bool stopped_ = false, ending_others_ = false;
  std::size_t running_ = 0;
  Turn turn_;
  io::Event ended_;
  io::TaskGroup group_;
};

}  // namespace shoal::exec
