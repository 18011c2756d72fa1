// Columns that COPY's data lack and that must not be left to each shard: home computes them
// (sequences in input order, one moment for all rows, a key's default), SET shoal.key gives the
// key, and every row gets them behind its own fields. Thread rule: one core.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/copy_format.h"
#include "exec/transaction.h"
#include "plan/plan.h"

namespace shoal::exec {

class CopyFill {
 public:
  CopyFill() = default;
  // Refused: formats and types into which nothing can be filled.
  static Result<CopyFill> make(const plan::CopyIn& plan, const CopyFormat& format);

  bool empty() const { return columns_.empty(); }
  // Something is computed anew for each row.
  bool draws() const;
  std::size_t columns_in_data() const { return in_data_; }
  // Positions of the key columns that the data have.
  std::vector<int> keys_in_data() const;

  // Values that are equal for all rows, within the client's transaction. Before any COPY runs.
  io::Task<Result<>> compute_constants(Transaction& transaction, ShardId home);
  // Values for so many rows more; nothing may be pending on the connection, which is idle. Refused
  // (SH0405): sequences that the client's transaction itself holds.
  io::Task<Result<>> draw(backend::Connection& home, std::size_t rows);
  // Turns to the values of the next row.
  void next_row() { ++row_; }

  // The whole key: `from_data` and what is filled. Views live until the next draw().
  std::vector<std::string_view> key(const std::vector<std::string_view>& from_data) const;
  void append(std::string& out, const CopyFormat& format, std::string_view row) const;

 private:
  struct Column {
    plan::CopyIn::Filled what;
    std::string value;  // `once`
  };
  static Error unreachable(const Error& e);
  io::Task<Result<>> draw_within(backend::Connection& home, std::size_t rows);
  const std::string& value(std::size_t column) const;
  std::string expression(const Column& column) const;
  Result<std::string> read(std::optional<std::string> text) const;

  std::vector<Column> columns_;
  std::vector<int> key_fields_;
  std::size_t in_data_ = 0;
  bool binary_ = false;
  std::vector<std::vector<std::string>> drawn_;  // by row, then by column that is drawn
  std::size_t row_ = 0;
};

}  // namespace shoal::exec
