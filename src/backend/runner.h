// Running plain SQL on shards within somebody's transaction, as control's commands need it: the
// session lends its enlisted connections, so that a command is part of the client's transaction.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/task.h"

namespace shoal::backend {

// A result in text format; owned. Column names and values of the last statement that gave rows.
struct TextRows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::string tag;      // of the last statement
  std::string notices;  // whole NoticeResponse frames, for the client
};

class ShardRunner {
 public:
  virtual ~ShardRunner() = default;
  // Runs `sql` (simple protocol, may hold several statements) on the shard in the transaction.
  virtual io::Task<Result<TextRows>> run(ShardId shard, std::string sql) = 0;
  // Sends all rows of `select_sql` (text COPY format) from one shard, routed by `route`, to the
  // table named in `copy_sql` ("COPY t (..) FROM STDIN") of others. route(fields) -> target shards.
  virtual io::Task<Result<std::uint64_t>> copy_rows(
      ShardId from, std::string copy_out_sql, std::string copy_in_sql, std::vector<ShardId> targets,
      std::function<Result<std::vector<ShardId>>(const std::vector<std::optional<std::string>>&)>
          route) = 0;
};

}  // namespace shoal::backend
