// The table, its COPY, and the SELECT that reads it.
#include "exec/kept_rows.h"

#include <charconv>

#include "exec/statement.h"
#include "sql/deparse.h"
#include "wire/backend.h"

namespace shoal::exec {
namespace {

constexpr io::Milliseconds kGiveUpLimit{5'000};

Result<wire::RowDescription> columns_of(const Description& description) {
  return wire::decode_row_description(
      std::string_view(description.row_description).substr(wire::kHeaderBytes));
}

}  // namespace

KeptRows::KeptRows(Transaction& transaction, backend::Connection& connection,
                   DescriptionPtr description, Output& notices)
    : transaction_(transaction),
      connection_(connection),
      description_(std::move(description)),
      notices_(notices),
      name_(fmt::format("shoal_rows_{}", transaction.context().next_transaction++)),
      writer_(connection, 0) {}

io::Task<Result<std::unique_ptr<KeptRows>>> KeptRows::make(Transaction& transaction,
                                                           const catalog::Snapshot& snapshot,
                                                           DescriptionPtr description,
                                                           Output& notices,
                                                           std::optional<CopyForm> form) {
  for (std::uint32_t oid : description->column_types) {
    const catalog::Type* type = snapshot.type(Oid(oid));
    if (!type || type->typtype != 'p') continue;
    co_return refuse(Refusal::kCursorOverShards,
                     fmt::format("a column of pseudo-type {} cannot be kept", type->name),
                     "cast it, or restrict the query to one shard key value");
  }
  Result<backend::Connection*> c = co_await transaction.use(kWorkspace);
  if (!c) co_return c.error();
  std::unique_ptr<KeptRows> rows(new KeptRows(transaction, **c, std::move(description), notices));
  const std::vector<std::uint32_t>& types = rows->description_->column_types;
  rows->form_ = form ? *form : copy_form(snapshot, types);
  if (rows->form_ == CopyForm::kText)
    SHOAL_CO_TRY(check_text_form(transaction, rows->connection_, snapshot, types));
  SHOAL_CO_TRY(co_await rows->make_table());
  co_return std::move(rows);
}

// Types are named by the server, from what it said of the query itself: so the table locks nothing
// that the query reads, and has its exact types.
io::Task<Result<>> KeptRows::make_table() {
  Result<wire::RowDescription> described = columns_of(*description_);
  if (!described) co_return described.error();
  std::string ask, columns;
  for (const wire::Column& column : described->columns) {
    columns_.emplace_back(column.name);
    ask += fmt::format("{}pg_catalog.format_type({}, {})", ask.empty() ? "SELECT " : ", ",
                       column.type_oid, column.typmod);
  }
  if (!ask.empty()) {
    Result<backend::TextRows> types = co_await connection_.query(std::move(ask));
    if (!types) co_return types.error();
    std::size_t number = 0;
    for (const auto& type : types->rows.at(0)) {
      if (!type || *type == "???")
        co_return refuse(Refusal::kDdlThenPull, "a type of this transaction's own");
      columns += fmt::format("{}c{} {}", number == 0 ? "" : ", ", number + 1, *type);
      ++number;
    }
  }
  Result<backend::TextRows> made = co_await connection_.query(
      fmt::format("CREATE TEMP TABLE {0} ({1}) ON COMMIT DROP;"
                  "SELECT 'pg_temp.{0}'::pg_catalog.regclass::pg_catalog.oid",
                  name_, columns));
  if (!made) co_return made.error();
  const std::string oid = made->rows.at(0).at(0).value_or("");
  std::from_chars(oid.data(), oid.data() + oid.size(), table_oid_);
  writer_.begin(name_, form_);
  co_return Result<>();
}

std::string KeptRows::select_sql() const {
  // A heap that is filled by one COPY is read in the order of the COPY, and a temporary table by
  // one process from its start.
  std::string list;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    list +=
        fmt::format("{} c{} AS {}", i == 0 ? "" : ",", i + 1, sql::quote_identifier(columns_[i]));
  return fmt::format("SELECT{} FROM pg_temp.{}", list, name_);
}

void KeptRows::row(std::string_view body) {
  ++rows_;
  bytes_ += body.size();
  if (check_limits()) writer_.add_row(body);
}

Result<> KeptRows::check_limits() const {
  const Limits& limits = transaction_.context().limits;
  if (rows_ > limits.pull_rows)
    return refuse(Refusal::kPullRows, fmt::format("more than {}", limits.pull_rows));
  if (bytes_ > limits.pull_bytes)
    return refuse(Refusal::kPullBytes, fmt::format("more than {}", limits.pull_bytes));
  return {};
}

io::Task<Result<>> KeptRows::flow() {
  SHOAL_CO_TRY(check_limits());
  co_return co_await writer_.flow(io::Deadline::in(transaction_.context().limits.pull_time),
                                  Refusal::kPullTime);
}

io::Task<Result<>> KeptRows::end() {
  if (Result<> within = check_limits(); !within) {
    co_await give_up();
    co_return within.error();
  }
  writer_.end();
  std::optional<Error> failure;
  while (!connection_.pending().all_answered()) {
    Result<wire::Frame> frame = co_await connection_.next();
    if (!frame) co_return frame.error();
    const auto verdict = connection_.pending().on(frame->type);
    if (verdict.action == wire::PendingResponses::Action::kViolation) {
      connection_.close();
      co_return violation_of(connection_);
    }
    if (frame->type == 'E' && !failure) failure = error_of_frame(connection_, *frame, "W");
  }
  if (failure) co_return *failure;
  co_return Result<>();
}

io::Task<> KeptRows::give_up() {
  if (connection_.broken()) co_return;
  writer_.give_up();
  connection_.send();
  const bool clean = co_await connection_.drain(io::Deadline::in(kGiveUpLimit));
  if (!clean) connection_.close();
}

}  // namespace shoal::exec
