// Filling temporary tables and finishing there.
#include "exec/workspace.h"

#include "exec/fan.h"
#include "exec/rows.h"
#include "sql/deparse.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::uint64_t kRowsWorthStatistics = 10'000;
constexpr std::uint32_t kPreparing = 1, kFinishing = 2;  // tags of what is sent

// The answer of the last statement; what the ones before it say is only looked at for errors.
class FinishedRows : public PassingRows {
 public:
  explicit FinishedRows(Run run) : PassingRows(run), run_(run) {}
  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t tag) override {
    if (tag != kFinishing) return {};
    // COPY (query) TO STDOUT: its messages are the client's.
    if (frame.type == 'H' || frame.type == 'd' || frame.type == 'c') {
      run_.output.frame(frame.bytes);
      return {};
    }
    return PassingRows::on_frame(branch, frame, tag);
  }

 private:
  Run run_;
};

}  // namespace

io::Task<Result<Workspace>> Workspace::take(Run run) {
  Result<Borrowed> connection = co_await Borrowed::take(run.transaction, run.request.snapshot.home);
  if (!connection) co_return connection.error();
  SHOAL_CO_TRY(run.transaction.check_cancel());
  if (run.request.plan.user_code) (*connection)->user_code = true;
  co_return Workspace(std::move(*connection));
}

void Workspace::open(const std::string& sql) {
  append_simple(*connection_, "BEGIN READ WRITE;" + sql, kPreparing);
  connection_->send();
}

void Workspace::end_copy(std::string_view table, std::uint64_t rows) {
  rows_.end();
  if (rows < kRowsWorthStatistics) return;
  append_simple(*connection_, fmt::format("ANALYZE pg_temp.{}", sql::quote_identifier(table)),
                kPreparing);
  connection_->send();
}

io::Task<Result<std::string>> Workspace::finish(Run run, const ShardStatement& statement,
                                                std::vector<wire::Format> results) {
  ExecuteOptions options;
  options.results = std::move(results);
  options.tag = kFinishing;
  options.describe = !run.request.description;
  append_execution(*connection_, statement, options);
  append_sync(*connection_);
  wire::append_query(connection_->out(), "ROLLBACK");
  connection_->pending().sent('Q', {.swallow = true, .tag = kPreparing});
  connection_->send();
  FinishedRows rows(run);
  Fan fan(run.transaction, rows, run.output);
  fan.drop_error_fields("P");
  fan.add(&*connection_);
  SHOAL_CO_TRY(co_await fan.run());
  co_return rows.tag().text();
}

Workspace::Workspace(Borrowed connection)
    : connection_(std::move(connection)), rows_(*connection_, kPreparing) {}

io::Task<> Workspace::abort() {
  backend::Connection& c = *connection_;
  if (c.broken()) co_return;
  rows_.give_up();
  append_simple(c, "ROLLBACK");
  c.send();
  const bool clean = co_await c.drain(io::Deadline::in(io::Milliseconds(5'000)));
  if (!clean) c.close();
}

}  // namespace shoal::exec
