// Feeding and ending COPY on many shards.
#include "exec/copy_streams.h"

#include "exec/fan.h"
#include "exec/rows.h"
#include "exec/statement.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kFrameBytes = 64u << 10;
constexpr std::size_t kMostUnsent = 2u << 20;  // per shard; then the client waits
constexpr io::Milliseconds kLongestNap{20};

// What PostgreSQL answers to CopyFail: never the reason why a COPY failed.
bool is_echo(const Error& e) {
  return e.sqlstate == "57014" && e.message.starts_with("COPY from stdin failed");
}

class Tags : public Fan::Handler {
 public:
  Result<> on_frame(std::size_t, const wire::Frame& frame, std::uint32_t) override {
    if (frame.type != 'C') return {};
    Result<wire::CommandComplete> done = wire::decode_command_complete(frame.body);
    if (!done) return done.error();
    const std::uint64_t rows = wire::parse_tag(done->tag).rows.value_or(0);
    sum += rows;
    most = std::max(most, rows);
    return {};
  }
  io::Task<Result<>> batch(std::size_t) override { co_return Result<>(); }

  std::uint64_t sum = 0, most = 0;
};

// COPY has no channel for notices while data comes; those at its end are dropped likewise.
class NoNotices : public Output {
 public:
  void row_description(std::string_view) override {}
  void row(std::string_view) override {}
  void frame(std::string_view) override {}
  io::Task<Result<>> flow() override { co_return Result<>(); }
};

}  // namespace

io::Task<Result<std::size_t>> CopyStreams::open(ShardId shard, std::string copy_text,
                                                std::string_view prefix) {
  Result<backend::Connection*> c = co_await transaction_.use(shard);
  if (!c) co_return c.error();
  if (user_code_) (*c)->user_code = true;
  append_simple(**c, copy_text);
  streams_.push_back({shard, *c});
  if (!prefix.empty()) append(streams_.size() - 1, prefix);
  co_return streams_.size() - 1;
}

io::Task<Result<std::string>> CopyStreams::wait_open(std::size_t i) {
  end_frame(streams_[i]);
  streams_[i].connection->send();
  while (streams_[i].response.empty()) {
    if (Result<> filled = co_await streams_[i].connection->fill(); !filled)
      co_return filled.error();
    if (Result<bool> taken = take_frames(streams_[i]); !taken) co_return taken.error();
  }
  co_return streams_[i].response;
}

void CopyStreams::end_frame(Stream& s) {
  if (s.frame == kNoFrame) return;
  std::string& out = s.connection->out();
  const std::size_t length = out.size() - s.frame - 1;
  for (std::size_t i = 0; i < 4; ++i)
    out[s.frame + 1 + i] = static_cast<char>(length >> (24 - 8 * i));
  s.frame = kNoFrame;
}

void CopyStreams::append(std::size_t i, std::string_view bytes) {
  Stream& s = streams_[i];
  std::string& out = s.connection->out();
  if (s.frame == kNoFrame) {
    s.frame = out.size();
    out.append("d\0\0\0\0", 5);
  }
  out.append(bytes);
  if (out.size() - s.frame < kFrameBytes) return;
  end_frame(s);
  s.connection->send();
}

Result<bool> CopyStreams::take_frames(Stream& s) {
  backend::Connection& c = *s.connection;
  for (bool any = false;; any = true) {
    Result<std::optional<backend::Piece>> piece = c.try_next();
    if (!piece) return piece.error();
    if (!*piece) return any;
    const wire::Frame& frame = (*piece)->frame;
    const auto verdict = c.pending().on(frame.type);
    if (verdict.action == wire::PendingResponses::Action::kViolation) {
      c.close();
      return violation_of(c);
    }
    if (frame.type == 'G') s.response = frame.bytes;
    if (frame.type == 'E' && !std::exchange(s.failed, true)) return error_of_frame(c, frame, "W");
  }
}

io::Task<Result<>> CopyStreams::flow() {
  io::Milliseconds nap{1};
  for (;;) {
    std::size_t most = 0;
    for (Stream& s : streams_) {
      backend::Connection& c = *s.connection;
      if (c.broken())
        co_return make_error("08006", "a shard's connection was lost during COPY",
                             c.endpoint().name);
      if (c.poll()) {
        Result<bool> taken = take_frames(s);
        if (!taken) co_return taken.error();
        if (!*taken) {  // part of a message: the rest of it is on its way
          if (Result<> filled = co_await c.fill(); !filled) co_return filled.error();
        }
      }
      most = std::max(most, c.unsent());
    }
    if (most < kMostUnsent) co_return Result<>();
    co_await io::sleep_for(nap);
    nap = std::min(nap * 2, kLongestNap);
  }
}

io::Task<Result<std::uint64_t>> CopyStreams::finish(bool copies, std::string_view suffix) {
  Tags tags;
  NoNotices nowhere;
  Fan fan(transaction_, tags, nowhere);
  fan.drop_error_fields("W");
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& s = streams_[i];
    if (!suffix.empty()) append(i, suffix);
    end_frame(s);
    wire::append_copy_done(s.connection->out());
    s.connection->pending().sent('c');
    s.connection->send();
    fan.add(s.connection);
  }
  SHOAL_CO_TRY(co_await fan.run());
  streams_.clear();
  co_return copies ? tags.most : tags.sum;
}

io::Task<> CopyStreams::read_to_end(Stream& s, std::optional<Error>& failure) {
  backend::Connection& c = *s.connection;
  const io::Deadline deadline = io::Deadline::in(io::Milliseconds(10'000));
  while (!c.pending().all_answered() && !c.broken()) {
    Result<wire::Frame> frame = co_await c.next(deadline);
    if (!frame ||
        c.pending().on(frame->type).action == wire::PendingResponses::Action::kViolation) {
      c.close();
      co_return;
    }
    if (frame->type != 'E') continue;
    Error e = error_of_frame(c, *frame, "W");
    if (!failure && !is_echo(e)) failure = std::move(e);
  }
}

io::Task<std::optional<Error>> CopyStreams::abort(std::string reason) {
  for (Stream& s : streams_) {
    end_frame(s);
    if (s.failed) continue;
    wire::append_copy_fail(s.connection->out(), reason);
    s.connection->pending().sent('f');
    s.connection->send();
  }
  std::optional<Error> failure;
  for (Stream& s : streams_) {
    s.connection->send();
    co_await read_to_end(s, failure);
  }
  streams_.clear();
  co_return failure;
}

}  // namespace shoal::exec
