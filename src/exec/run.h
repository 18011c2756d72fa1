// Running a plan that needs the router's hand: several shards, gathering, routed writes. One-shard
// plans are relayed by the session frame by frame and do not come here.
// Invariant: when run_plan returns, every connection it used is answered completely or destroyed.
// Thread rule: one core.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/core_context.h"
#include "exec/transaction.h"
#include "plan/plan.h"
#include "sql/ast.h"
#include "wire/values.h"

namespace shoal::exec {

// The client's statement with its parameters. Views point into storage of the caller that outlives
// the run.
struct Bound {
  std::string_view text;
  std::vector<std::uint32_t> types;          // per parameter; 0 only where nobody needs it
  std::vector<wire::Format> formats;         // per parameter
  std::vector<wire::Value> values;           // per parameter
  std::vector<wire::Format> result_formats;  // as Bind gives them: none, one, or per column
};

// Where a plan's answer goes.
class Output {
 public:
  virtual ~Output() = default;
  // Before the first row; `frame` is a whole RowDescription with the formats that rows will have.
  virtual void row_description(std::string_view frame) = 0;
  // The body of a DataRow (count and values); the view dies with the call.
  virtual void row(std::string_view body) = 0;
  // A whole frame to be passed as it is (NoticeResponse, CopyData, CopyOutResponse, CopyDone...).
  virtual void frame(std::string_view bytes) = 0;
  // Waits while the client does not take what was given.
  virtual io::Task<Result<>> flow() = 0;
};

struct RunRequest {
  const plan::Plan& plan;
  const Bound& bound;
  // Of the client's statement on home; set for everything that returns rows.
  DescriptionPtr description;
  const catalog::Snapshot& snapshot;
  std::string workspace_settings;  // spare
};

// Runs the plan inside `transaction` (which the caller opened when the plan writes on several
// shards) and returns the command tag. On error the caller fails the transaction.
io::Task<Result<std::string>> run_plan(Transaction& transaction, RunRequest request,
                                       Output& output);

// Asks home what a statement's parameters and columns are; cached in the context by text, types,
// search path. `in_transaction`: ask through the enlisted connection (uncommitted DDL).
io::Task<Result<DescriptionPtr>> describe(Transaction& transaction, std::string_view text,
                                          const std::vector<std::uint32_t>& types,
                                          std::string_view search_path, bool in_transaction);

// Formats of all columns from Bind's list.
std::vector<wire::Format> column_formats(std::span<const wire::Format> asked, std::size_t columns);
// A 'T' frame of the description with these formats.
std::string row_description_with(const Description& description,
                                 std::span<const wire::Format> asked);

// COPY table FROM STDIN over several shards. The caller hands in the client's CopyData as it comes
// and ends with done() or fail(). Rows travel as the bytes that they came in (nothing is
// re-quoted); only the key fields are decoded. Shards are enlisted when their first row comes.
class CopyRouter {
 public:
  // `plan` holds a plan::CopyIn; the transaction is open (implicit or the client's). Plan, snapshot
  // and statement must outlive the router; done() or fail() must end it unless data() failed.
  static io::Task<Result<std::unique_ptr<CopyRouter>>> start(Transaction& transaction,
                                                             RunRequest request,
                                                             const sql::Copy& statement);
  virtual ~CopyRouter() = default;
  // The whole CopyInResponse frame for the client.
  virtual std::string response() const = 0;
  // Errors end the COPY on all shards; the caller discards what the client still sends.
  virtual io::Task<Result<>> data(std::string_view bytes) = 0;
  virtual io::Task<Result<std::string>> done() = 0;  // the tag
  virtual io::Task<> fail(std::string reason) = 0;   // the client's CopyFail; all shards are told
};

}  // namespace shoal::exec
