// INSERT statements of many rows each, built from rows in the router: values travel as they came,
// in binary, as parameters. Thread rule: one core.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "catalog/snapshot.h"
#include "exec/gathered_rows.h"
#include "exec/nodes.h"
#include "exec/rows.h"

namespace shoal::exec {

struct InsertShape {
  bool deletes = false;  // DELETE the rows whose columns have these values
  std::string schema, table;
  std::vector<std::string> columns;  // target columns, one per column of the rows
  std::string overriding;            // between the columns and VALUES
  std::string conflict;              // behind the values: ON CONFLICT ...
  std::string returning;             // list only, empty if none
  bool one_by_one = false;           // a statement for each row
};

class RowInserter {
 public:
  RowInserter(Run run, InsertShape shape, const GatheredRows& rows)
      : run_(run), shape_(std::move(shape)), rows_(rows) {}

  // Appends statements for these rows and a Sync, and sends. Tags go on from the last call's.
  void send(backend::Connection& c, const std::vector<std::uint32_t>& rows);
  // By statement (tag - 1), the rows that it inserts: for ReturnedRows.
  const std::vector<std::vector<std::uint32_t>>& order() const { return order_; }

 private:
  std::string text(std::size_t rows) const;
  std::size_t rows_per_statement() const;
  void append_batch(backend::Connection& c, std::span<const std::uint32_t> rows, bool parse);

  Run run_;
  InsertShape shape_;
  const GatheredRows& rows_;
  std::vector<std::vector<std::uint32_t>> order_;
};

using RowsOfShard = std::map<ShardId, std::vector<std::uint32_t>>;
RowsOfShard all_rows(std::size_t rows, const std::vector<ShardId>& shards);

// Sends rows to their shards and reads all answers; RETURNING goes to the client, in the order of
// the rows, when `with_rows`.
io::Task<Result<TagSum>> send_rows(Run run, InsertShape shape, const GatheredRows& rows,
                                   RowsOfShard placed, bool with_rows);

}  // namespace shoal::exec
