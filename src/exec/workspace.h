// The connection on home where gathered rows become temporary tables and a statement is finished.
// Its own transaction holds all of it and is rolled back at the end; it is no participant of the
// client's, because a transaction that touched a temporary table cannot be prepared.
//
//   open -> { begin_copy -> add_row* -> end_copy }* -> finish        (or abort at any point)
//
// Nothing is waited for before finish(): the server works while rows are still being gathered, and
// the first error, wherever it happened, is the answer.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "exec/borrow.h"
#include "exec/nodes.h"
#include "exec/statement.h"
#include "exec/temp_table.h"

namespace shoal::exec {

class Workspace {
 public:
  static io::Task<Result<Workspace>> take(Run run);
  Workspace(Workspace&& other) noexcept = default;

  backend::Connection& connection() { return *connection_; }

  // Sends BEGIN and these statements.
  void open(const std::string& sql);
  void begin_copy(std::string_view table, CopyForm form) { rows_.begin(table, form); }
  void add_row(std::string_view body) { rows_.add_row(body); }
  void end_copy(std::string_view table, std::uint64_t rows);
  io::Task<Result<>> flow(io::Deadline deadline, Refusal late) {
    return rows_.flow(deadline, late);
  }
  // Runs the statement and sends its rows to the output; ends the transaction.
  io::Task<Result<std::string>> finish(Run run, const ShardStatement& statement,
                                       std::vector<wire::Format> results);
  // Gives everything up and makes the connection clean or destroys it.
  io::Task<> abort();

 private:
  explicit Workspace(Borrowed connection);

  Borrowed connection_;
  TempTableWriter rows_;
};

}  // namespace shoal::exec
