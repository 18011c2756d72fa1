// The client's side of a session: frames in, bytes out, with limits. Holds no buffer while idle.
// Thread rule: one core.
#pragma once
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "io/buffer.h"
#include "io/stream.h"
#include "wire/frame.h"

namespace shoal::session {

class ClientChannel {
 public:
  ClientChannel(io::StreamPtr stream, const Limits& limits)
      : stream_(std::move(stream)), limits_(limits) {}

  io::Stream& stream() { return *stream_; }
  io::StreamPtr take_stream() { return std::move(stream_); }
  void replace_stream(io::StreamPtr stream) { stream_ = std::move(stream); }

  // The next frame, waiting for it; it lives until the next call of next, fill or raw. Sends what
  // is in out() before it waits. Errors: 08P01 (fatal), 08006 the client is gone.
  io::Task<Result<wire::Frame>> next(io::Deadline deadline = {});
  // The frame that is already here, without waiting.
  Result<std::optional<wire::Frame>> try_next();
  // The frame taken last is the next one again.
  void put_back() { consumed_ = 0; }
  // Bytes so far, for start-up packets; consume what was understood.
  std::string_view raw() const { return in_.data(); }
  void consume(std::size_t n) { in_.consume(n); }
  io::Task<Result<>> fill(io::Deadline deadline);

  std::string& out() { return out_; }
  io::Task<Result<>> flush(io::Deadline deadline = {});
  // Waits only when much is unsent: back-pressure for long answers.
  io::Task<Result<>> flow() {
    if (out_.size() < kFlowBytes) co_return Result<>();
    co_return co_await flush();
  }
  static constexpr std::size_t kFlowBytes = 64u << 10;

  std::uint64_t bytes_in = 0, bytes_out = 0;

 private:
  Result<bool> try_flush();  // false: not all of out() went at once
  io::StreamPtr stream_;
  const Limits& limits_;
  io::Buffer in_;
  std::size_t consumed_ = 0;
  std::string out_;
};

}  // namespace shoal::session
