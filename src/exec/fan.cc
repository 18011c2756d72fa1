// The readers of fan.h.
#include "exec/fan.h"

#include "exec/statement.h"

namespace shoal::exec {
namespace {

using Action = wire::PendingResponses::Action;

// What a shard needs anyway to end by itself; a cancel request costs a new connection.
constexpr io::Milliseconds kGrace{20};
// After a cancel request; then the connection is given up.
constexpr io::Milliseconds kPatience{10'000};

Error lost(const backend::Connection& c) {
  Error e =
      make_error("08006", fmt::format("the connection to shard {} was lost", c.endpoint().name));
  e.shard = c.endpoint().name;
  return e;
}

}  // namespace

io::Task<> Fan::Handler::room(std::size_t) {
  co_return;
}

std::size_t Fan::add(backend::Connection* c) {
  branches_.push_back({c});
  return branches_.size() - 1;
}

bool Fan::at_end(const Branch& b) const {
  return b.ended || b.connection->pending().all_answered();
}

void Fan::stop() {
  if (ending()) return;
  stopped_ = true;
  handler_.stopped();
  // Inside a transaction a cancel would fail it: what the shards still send is read and dropped.
  if (transaction_.idle()) start_ending();
}

void Fan::start_ending() {
  if (running_ > 0 && !std::exchange(ending_others_, true)) group_.start(end_others());
}

void Fan::fail(Error error) {
  if (error_) return;
  error_ = std::move(error);
  handler_.stopped();
  start_ending();
}

void Fan::on_error(std::size_t i, const wire::Frame& frame) {
  backend::Connection& c = *branches_[i].connection;
  // Once the answer is complete, an error (our own cancel) matters only to an open transaction.
  if (error_ || (stopped_ && transaction_.idle())) return;
  fail(error_of_frame(c, frame, drop_));
}

bool Fan::take_frames(std::size_t i) {
  Branch& b = branches_[i];
  backend::Connection& c = *b.connection;
  while (!at_end(b)) {
    Result<std::optional<backend::Piece>> piece = c.try_next();
    if (!piece) {
      fail(piece.error());
      return true;
    }
    if (!*piece) return false;
    const wire::Frame& frame = (*piece)->frame;
    const wire::PendingResponses::Verdict verdict = c.pending().on(frame.type);
    if (verdict.action == Action::kViolation) {
      c.close();
      fail(violation_of(c));
      return true;
    }
    if (frame.type == 'E') {
      on_error(i, frame);
      continue;
    }
    if (verdict.async) {
      if (frame.type == 'N' && !ending()) notices_.frame(frame.bytes);
      continue;
    }
    const bool silent = frame.type == '1' || frame.type == '3' || frame.type == 'Z' ||
                        verdict.action == Action::kSwallow;
    if (!silent && !ending()) {
      if (Result<> done = handler_.on_frame(i, frame, verdict.tag); !done) fail(done.error());
    }
    if (until_ != 0 && verdict.ends && verdict.tag == until_ && frame.type == 'C' && !error_)
      return true;
  }
  return true;
}

io::Task<> Fan::read(std::size_t i) {
  Branch& b = branches_[i];
  backend::Connection& c = *b.connection;
  while (!b.ended) {
    if (!turn_.try_take()) co_await turn_.take();
    bool ended = take_frames(i);
    if (!ending()) {
      if (Result<> sent = co_await handler_.batch(i); !sent) fail(sent.error());
    }
    turn_.give();
    if (ended) break;
    if (!ending()) co_await handler_.room(i);
    if (Result<> filled = co_await c.fill(); !filled) {
      Error e = filled.error();
      fail(e.sqlstate == "08006" ? lost(c) : std::move(e));
      break;
    }
  }
  b.ended = true;
  --running_;
  ended_.set();
}

io::Task<bool> Fan::all_ended(io::Deadline deadline) {
  while (running_ > 0) {
    const bool woken = co_await ended_.wait(deadline);
    if (!woken) co_return running_ == 0;
  }
  co_return true;
}

io::Task<> Fan::cancel(std::size_t i) {
  backend::Connection& c = *branches_[i].connection;
  co_await backend::send_cancel(c.endpoint(), c.pid(), c.secret());
}

io::Task<> Fan::end_others() {
  bool done = co_await all_ended(io::Deadline::in(kGrace));
  if (done) co_return;
  for (std::size_t i = 0; i < branches_.size(); ++i)
    if (!branches_[i].ended && !branches_[i].connection->broken()) group_.start(cancel(i));
  done = co_await all_ended(io::Deadline::in(kPatience));
  if (done) co_return;
  for (Branch& b : branches_)
    if (!b.ended) b.connection->close();
}

io::Task<> Fan::watch_deadline() {
  const bool in_time = co_await all_ended(deadline_);
  if (!in_time) fail(late_);
}

io::Task<Result<>> Fan::run() {
  running_ = branches_.size();
  if (error_) start_ending();
  if (deadline_.at != io::Clock::time_point::max()) group_.start(watch_deadline());
  for (std::size_t i = 0; i < branches_.size(); ++i) group_.start(read(i));
  co_await group_.join();
  if (error_) co_return *error_;
  co_return Result<>();
}

}  // namespace shoal::exec
