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

namespace shoal::exec {

enum class CopyForm { kBinary, kText };

class Workspace {
 public:
  static io::Task<Result<Workspace>> take(Run run);
  Workspace(Workspace&& other) noexcept = default;

  backend::Connection& connection() { return *connection_; }

  // Sends BEGIN and these statements.
  void open(const std::string& sql);
  void begin_copy(std::string_view table, CopyForm form);
  // One row as the body of a DataRow in the form's format.
  void add_row(std::string_view body);
  void end_copy(std::string_view table, std::uint64_t rows);
  // Waits while much is unsent; `late` is the error at the deadline.
  io::Task<Result<>> flow(io::Deadline deadline, Refusal late);
  // Runs the statement and sends its rows to the output; ends the transaction.
  io::Task<Result<std::string>> finish(Run run, const ShardStatement& statement,
                                       std::vector<wire::Format> results);
  // Gives everything up and makes the connection clean or destroys it.
  io::Task<> abort();

 private:
  explicit Workspace(Borrowed connection) : connection_(std::move(connection)) {}
  void append(std::string_view bytes);
  void end_frame();
  void append_text_row(std::string_view body);

  static constexpr std::size_t kNoFrame = SIZE_MAX;
  Borrowed connection_;
  std::size_t frame_ = kNoFrame;
  bool copying_ = false;
  CopyForm form_ = CopyForm::kBinary;
  std::string line_;
};

}  // namespace shoal::exec
