// The COPY ... FROM STDIN that run on shards at the same time: opened when a shard's first row
// comes, fed in large CopyData messages, ended together. Invariant: after finish() or abort() every
// stream was read to its end or its connection is broken. Thread rule: one core.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/connection.h"
#include "exec/nodes.h"
#include "exec/transaction.h"

namespace shoal::exec {

class CopyStreams {
 public:
  CopyStreams(Transaction& transaction, bool user_code)
      : transaction_(transaction), user_code_(user_code) {}

  // Index of the shard's stream, or nullopt if it was not opened yet.
  std::optional<std::size_t> find(ShardId shard) const {
    for (std::size_t i = 0; i < streams_.size(); ++i)
      if (streams_[i].shard == shard) return i;
    return std::nullopt;
  }
  // Sends the COPY; its refusal may come later. `prefix` goes in front of the first row.
  io::Task<Result<std::size_t>> open(ShardId shard, std::string copy_text,
                                     std::string_view prefix = {});
  // Waits until the shard asks for data; the whole CopyInResponse frame.
  io::Task<Result<std::string>> wait_open(std::size_t stream);

  // Appends the bytes of one row (or of a part of it, or of a header) to a stream.
  void append(std::size_t stream, std::string_view bytes);
  // A row goes there: the shard is one that writes.
  void mark_row(std::size_t stream) {
    if (!std::exchange(streams_[stream].rows, true))
      transaction_.mark_wrote(streams_[stream].shard);
  }
  std::size_t size() const { return streams_.size(); }
  // Of the stream's shard; null: home's own.
  const wire::OidMap* oids(std::size_t stream) const { return streams_[stream].connection->oids(); }

  // Lets full sockets drain and sees early errors.
  io::Task<Result<>> flow();
  // Ends all streams well; the sum of rows, or of one stream only (copies of one table).
  io::Task<Result<std::uint64_t>> finish(bool copies, std::string_view suffix);
  // Ends all with an error. The first error that a shard raised by itself, if any.
  io::Task<std::optional<Error>> abort(std::string reason);

 private:
  struct Stream {
    ShardId shard;
    backend::Connection* connection;
    std::size_t frame = kNoFrame;  // where the open CopyData message begins in out()
    bool rows = false;
    bool failed = false;
    std::string response;
  };
  static constexpr std::size_t kNoFrame = SIZE_MAX;

  void end_frame(Stream& stream);
  // Handles the frames that are here; false when there was none.
  Result<bool> take_frames(Stream& stream);
  io::Task<> read_to_end(Stream& stream, std::optional<Error>& failure);

  Transaction& transaction_;
  bool user_code_;
  std::vector<Stream> streams_;
};

}  // namespace shoal::exec
