// Gathering rows in temporary tables of a workspace and finishing the statement there.
//
// Each step's rows come by extended-protocol SELECT in binary format, and their bytes go on to a
// binary COPY as they are. All steps of one shard run one after the other on its connection, bound
// at one moment: outside a transaction under one snapshot (REPEATABLE READ), inside it right behind
// each other.
#include "exec/describe.h"
#include "exec/fan.h"
#include "exec/nodes.h"
#include "exec/statement.h"
#include "exec/workspace.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

// What is gathered so far, over all steps of a statement.
struct Gathered {
  std::uint64_t rows = 0;
  std::size_t bytes = 0;
};

class StepRows : public Fan::Handler {
 public:
  StepRows(Run run, Workspace& workspace, Gathered& gathered, io::Deadline deadline)
      : run_(run), workspace_(workspace), gathered_(gathered), deadline_(deadline) {}

  Result<> on_frame(std::size_t, const wire::Frame& frame, std::uint32_t) override {
    if (frame.type != 'D') return {};
    ++rows;
    gathered_.bytes += frame.body.size();
    if (++gathered_.rows > run_.limits().pull_rows)
      return refuse(Refusal::kPullRows, fmt::format("more than {}", run_.limits().pull_rows));
    if (gathered_.bytes > run_.limits().pull_bytes)
      return refuse(Refusal::kPullBytes, fmt::format("more than {}", run_.limits().pull_bytes));
    workspace_.add_row(frame.body);
    return {};
  }
  io::Task<Result<>> batch(std::size_t) override {
    return workspace_.flow(deadline_, Refusal::kPullTime);
  }

  std::uint64_t rows = 0;

 private:
  Run run_;
  Workspace& workspace_;
  Gathered& gathered_;
  io::Deadline deadline_;
};

class Puller {
 public:
  Puller(Run run, const plan::Pull& pull, Workspace workspace)
      : run_(run), pull_(pull), workspace_(std::move(workspace)) {}

  io::Task<Result<std::string>> run();

 private:
  struct Shard {
    ShardId id;
    backend::Connection* connection = nullptr;
    std::vector<std::size_t> steps;
    bool own_transaction = false;
  };
  io::Task<Result<>> find_forms();
  io::Task<Result<>> send_steps();
  void send_steps_of(Shard& shard);
  io::Task<Result<>> gather(std::size_t step);
  io::Task<Result<>> end_steps(std::optional<Error> error);
  io::Task<Result<std::string>> gather_and_finish();
  std::string tables_sql() const;
  std::string search_path() const;
  // Portals live until the client's transaction ends, so no two pulls may use one name.
  std::string portal(std::size_t step) const { return fmt::format("pull_{}_{}", number_, step); }

  Run run_;
  const plan::Pull& pull_;
  Workspace workspace_;
  std::uint64_t number_ = run_.context().next_transaction++;
  std::vector<CopyForm> forms_;  // by step
  std::vector<Shard> shards_;
  Gathered gathered_;
  io::Deadline deadline_;
};

std::string Puller::search_path() const {
  const auto& settings = run_.transaction.settings();
  auto at = settings.find("search_path");
  return at == settings.end() ? std::string() : at->second;
}

std::string Puller::tables_sql() const {
  std::string sql = run_.request.workspace_settings;
  if (!sql.empty()) sql += ';';
  // The client's own transaction may hold a lock on the model (LOCK TABLE, TRUNCATE), which no
  // deadlock detector would see.
  const bool may_block = !run_.transaction.idle();
  if (may_block) sql += "SET LOCAL lock_timeout = '3s';";
  for (const plan::PullStep& step : pull_.steps) {
    const std::string name = sql::quote_identifier(step.temp_table);
    sql +=
        fmt::format("CREATE TEMP TABLE {} ON COMMIT DROP AS {} WITH NO DATA;", name, step.like_sql);
    if (step.index_columns.empty()) continue;
    std::string columns;
    for (const std::string& column : step.index_columns)
      columns += (columns.empty() ? "" : ", ") + sql::quote_identifier(column);
    sql += fmt::format("ALTER TABLE pg_temp.{} ADD PRIMARY KEY ({});", name, columns);
  }
  if (!may_block) return sql;
  const auto own = run_.transaction.settings().find("lock_timeout");
  return sql + (own == run_.transaction.settings().end() ? "SET LOCAL lock_timeout TO DEFAULT"
                                                         : own->second);
}

io::Task<Result<>> Puller::find_forms() {
  const std::string path = search_path();
  const std::vector<std::uint32_t> no_types;
  for (const plan::PullStep& step : pull_.steps) {
    Result<DescriptionPtr> like = co_await describe_cached(run_.context(), workspace_.connection(),
                                                           step.like_sql, no_types, path);
    if (!like) co_return like.error();
    const std::vector<std::uint32_t>& types = (*like)->column_types;
    forms_.push_back(copy_form(run_.request.snapshot, types));
    if (forms_.back() == CopyForm::kText)
      SHOAL_CO_TRY(
          check_text_form(run_.transaction, workspace_.connection(), run_.request.snapshot, types));
  }
  co_return Result<>();
}

// Parse and Bind of all steps, then Execute of all: the snapshots are taken at Bind.
void Puller::send_steps_of(Shard& shard) {
  backend::Connection& c = *shard.connection;
  if (run_.transaction.idle() && shard.steps.size() > 1) {
    shard.own_transaction = true;
    wire::append_query(c.out(), "BEGIN ISOLATION LEVEL REPEATABLE READ");
    c.pending().sent('Q', {.swallow = true});
  }
  c.unnamed.clear();
  for (std::size_t step : shard.steps) {
    const ShardStatement statement = make_statement(pull_.steps[step].text, run_.request.bound);
    const wire::PendingResponses::Options tagged{.swallow = false,
                                                 .tag = static_cast<std::uint32_t>(step + 1)};
    const wire::Format format =
        forms_[step] == CopyForm::kBinary ? wire::Format::kBinary : wire::Format::kText;
    wire::append_parse(c.out(), "", statement.sql, statement.types);
    c.pending().sent('P', tagged);
    wire::append_bind(c.out(), portal(step), "", statement.formats, statement.values,
                      std::span(&format, 1));
    c.pending().sent('B', tagged);
  }
  for (std::size_t step : shard.steps) {
    wire::append_execute(c.out(), portal(step));
    c.pending().sent('E', {.swallow = false, .tag = static_cast<std::uint32_t>(step + 1)});
  }
  append_sync(c);
  if (shard.own_transaction) {
    wire::append_query(c.out(), "COMMIT");
    c.pending().sent('Q', {.swallow = true});
  }
  c.send();
}

io::Task<Result<>> Puller::send_steps() {
  for (std::size_t i = 0; i < pull_.steps.size(); ++i) {
    for (ShardId id : pull_.steps[i].shards) {
      auto at =
          std::find_if(shards_.begin(), shards_.end(), [id](const Shard& s) { return s.id == id; });
      if (at == shards_.end()) at = shards_.insert(at, Shard{.id = id});
      at->steps.push_back(i);
    }
  }
  std::sort(shards_.begin(), shards_.end(),
            [](const Shard& a, const Shard& b) { return a.id < b.id; });
  std::vector<ShardId> ids;
  for (const Shard& shard : shards_) ids.push_back(shard.id);
  Result<std::vector<backend::Connection*>> all = co_await enter_all(run_, std::move(ids), false);
  if (!all) {
    shards_.clear();
    co_return all.error();
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].connection = (*all)[i];
    send_steps_of(shards_[i]);
  }
  co_return Result<>();
}

io::Task<Result<>> Puller::gather(std::size_t step) {
  const std::string& table = pull_.steps[step].temp_table;
  workspace_.begin_copy(table, forms_[step]);
  StepRows rows(run_, workspace_, gathered_, deadline_);
  Fan fan(run_.transaction, rows, run_.output);
  fan.drop_error_fields("P");
  fan.read_until(static_cast<std::uint32_t>(step + 1));
  fan.set_deadline(deadline_, refuse(Refusal::kPullTime));
  for (const Shard& shard : shards_) {
    if (std::find(shard.steps.begin(), shard.steps.end(), step) != shard.steps.end())
      fan.add(shard.connection);
  }
  SHOAL_CO_TRY(co_await fan.run());
  workspace_.end_copy(table, rows.rows);
  co_return Result<>();
}

// Reads what the shards still owe: the ends of their pipelines, or after an error all of it.
io::Task<Result<>> Puller::end_steps(std::optional<Error> error) {
  Gathered ignored;
  StepRows rows(run_, workspace_, ignored, deadline_);
  Fan fan(run_.transaction, rows, run_.output);
  for (const Shard& shard : shards_)
    if (shard.connection) fan.add(shard.connection);
  if (error) fan.fail(*error);
  co_return co_await fan.run();
}

io::Task<Result<std::string>> Puller::gather_and_finish() {
  deadline_ = io::Deadline::in(run_.limits().pull_time);
  const bool may_block = !run_.transaction.idle();
  if (may_block) {
    // See tables_sql(): describing takes the same locks.
    Result<backend::TextRows> set =
        co_await workspace_.connection().query("SET lock_timeout = '3s'");
    if (!set) co_return set.error();
  }
  SHOAL_CO_TRY(co_await find_forms());
  if (may_block) {
    Result<backend::TextRows> reset = co_await workspace_.connection().query("RESET lock_timeout");
    if (!reset) co_return reset.error();
  }
  workspace_.open(tables_sql());
  SHOAL_CO_TRY(co_await send_steps());
  for (std::size_t step = 0; step < pull_.steps.size(); ++step) {
    Result<> gathered = co_await gather(step);
    if (gathered) continue;
    (void)co_await end_steps(gathered.error());
    co_return gathered.error();
  }
  SHOAL_CO_TRY(co_await end_steps(std::nullopt));
  const ShardStatement finish = make_statement(pull_.finish, run_.request.bound);
  co_return co_await workspace_.finish(run_, finish, run_.request.bound.result_formats);
}

io::Task<Result<std::string>> Puller::run() {
  run_.transaction.set_workspace(&workspace_.connection());
  Result<std::string> tag = co_await gather_and_finish();
  run_.transaction.set_workspace(nullptr);
  if (tag) co_return std::move(tag);
  co_await workspace_.abort();
  // The client's own lock (TRUNCATE, LOCK TABLE) is the likely one.
  if (!run_.transaction.idle() && tag.error().sqlstate == "55P03") {
    (void)co_await workspace_.connection().query("RESET lock_timeout");
    co_return refuse(Refusal::kDdlThenPull, "a lock keeps the rows from being gathered");
  }
  co_return tag.error();
}

}  // namespace

Answer run_pull(Run run, const plan::Pull& pull) {
  // Before the workspace: who holds one waits for no connection that waits for another.
  std::vector<ShardId> shards;
  for (const plan::PullStep& step : pull.steps)
    shards.insert(shards.end(), step.shards.begin(), step.shards.end());
  std::sort(shards.begin(), shards.end());
  shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
  Result<std::vector<backend::Connection*>> all = co_await enter_all(run, std::move(shards), false);
  if (!all) co_return all.error();
  Result<Workspace> workspace = co_await Workspace::take(run);
  if (!workspace) co_return workspace.error();
  Puller puller(run, pull, std::move(*workspace));
  co_return co_await puller.run();
}

}  // namespace shoal::exec
