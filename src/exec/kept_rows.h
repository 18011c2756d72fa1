// A query's rows kept in a temporary table of the transaction's workspace, in their order, to be
// read from there by a cursor or portal of PostgreSQL's own.
//
//   make -> run_plan(..., rows) -> end        (or give_up at any point)
//
// The table is dropped with the transaction. Limits::pull_bytes and pull_rows hold for it.
// Thread rule: one core.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "exec/run.h"
#include "exec/temp_table.h"
#include "exec/transaction.h"

namespace shoal::exec {

class KeptRows final : public Output {
 public:
  // Makes the table. `description`: of the query, on home. `notices`: where NoticeResponses go.
  // `form`: in which the rows come; without it, format() says in which they must.
  static io::Task<Result<std::unique_ptr<KeptRows>>> make(Transaction& transaction,
                                                          const catalog::Snapshot& snapshot,
                                                          DescriptionPtr description,
                                                          Output& notices,
                                                          std::optional<CopyForm> form = {});

  wire::Format format() const {
    return form_ == CopyForm::kBinary ? wire::Format::kBinary : wire::Format::kText;
  }
  std::uint32_t table_oid() const { return table_oid_; }
  // Gives the rows as they came, under the query's names.
  std::string select_sql() const;

  void row_description(std::string_view) override {}
  void row(std::string_view body) override;
  void frame(std::string_view bytes) override { notices_.frame(bytes); }
  io::Task<Result<>> flow() override;
  // Waits until the server has all rows.
  io::Task<Result<>> end();
  // The server's part of the transaction fails, as the client's has.
  io::Task<> give_up();

 private:
  KeptRows(Transaction& transaction, backend::Connection& connection, DescriptionPtr description,
           Output& notices);
  io::Task<Result<>> make_table();
  Result<> check_limits() const;

  Transaction& transaction_;
  backend::Connection& connection_;
  DescriptionPtr description_;
  Output& notices_;
  std::string name_;  // of the table
  std::vector<std::string> columns_;
  CopyForm form_ = CopyForm::kBinary;
  TempTableWriter writer_;
  std::uint32_t table_oid_ = 0;
  std::uint64_t rows_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace shoal::exec
