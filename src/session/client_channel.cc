// Reading and writing the client's stream.
#include "session/client_channel.h"

namespace shoal::session {
namespace {

constexpr std::size_t kKeptOut = 64u << 10;

Error gone() {
  Error e = make_error("08006", "client closed the connection");
  e.fatal = true;
  return e;
}

}  // namespace

Result<std::optional<wire::Frame>> ClientChannel::try_next() {
  in_.consume(std::exchange(consumed_, 0));
  wire::FrameStep step = wire::decode_frame(in_.data(), limits_.message_bytes);
  if (const auto* bad = std::get_if<wire::BadFrame>(&step)) return bad->error();
  if (const auto* frame = std::get_if<wire::Frame>(&step)) {
    consumed_ = frame->bytes.size();
    return std::optional<wire::Frame>(*frame);
  }
  return std::optional<wire::Frame>();
}

io::Task<Result<wire::Frame>> ClientChannel::next(io::Deadline deadline) {
  for (;;) {
    Result<std::optional<wire::Frame>> frame = try_next();
    if (!frame) co_return frame.error();
    if (*frame) co_return **frame;
    Result<bool> sent = try_flush();
    if (!sent) co_return sent.error();
    if (!*sent) SHOAL_CO_TRY(co_await flush());
    SHOAL_CO_TRY(co_await fill(deadline));
  }
}

io::Task<Result<>> ClientChannel::fill(io::Deadline deadline) {
  in_.consume(std::exchange(consumed_, 0));
  if (in_.empty()) {
    in_.release();
    Result<> ready = co_await stream_->wait_readable(deadline);
    if (!ready) co_return ready.error();
  }
  std::size_t want = std::max<std::size_t>(in_.data().size(), 8192);
  char* where = in_.prepare(want);
  Result<std::size_t> n = stream_->try_read(where, in_.room());
  if (!n) co_return gone();
  if (*n == 0) {
    n = co_await stream_->read_some(where, in_.room(), deadline);
    if (!n) co_return n.error();
    if (*n == 0) co_return gone();
  }
  bytes_in += *n;
  in_.commit(*n);
  co_return Result<>();
}

Result<bool> ClientChannel::try_flush() {
  if (out_.empty()) return true;
  Result<std::size_t> n = stream_->try_write(out_);
  if (!n) return n.error();
  bytes_out += *n;
  if (*n < out_.size()) {
    out_.erase(0, *n);
    return false;
  }
  out_.clear();
  if (out_.capacity() > kKeptOut) out_.shrink_to_fit();
  return true;
}

io::Task<Result<>> ClientChannel::flush(io::Deadline deadline) {
  Result<bool> sent = try_flush();
  if (!sent) co_return sent.error();
  if (*sent) co_return Result<>();
  bytes_out += out_.size();
  SHOAL_CO_TRY(co_await stream_->write(out_, deadline));
  out_.clear();
  if (out_.capacity() > kKeptOut) out_.shrink_to_fit();
  co_return Result<>();
}

}  // namespace shoal::session
