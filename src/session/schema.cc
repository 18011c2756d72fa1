// DDL over the shards, in the client's transaction.
#include "session/fill_table.h"
#include "session/outputs.h"
#include "session/session.h"
#include "wire/frontend.h"

namespace shoal::session {

io::Task<Result<>> Session::run_ddl(const sql::Statement& statement, std::string_view text) {
  const auto* ddl = std::get_if<sql::Ddl>(&statement.node);
  ShardId home = snapshot()->home;
  Result<TableToFill> fill;
  if (!facts_.shard) fill = table_to_fill(statement, *snapshot(), facts_);
  if (!fill) co_return fill.error();
  Result<bool> temporary = is_about_temporary(statement);
  if (!temporary) co_return temporary.error();
  if (*temporary) co_return co_await run_temporary_ddl(statement, text);
  if (!services_.commands || facts_.shard) {
    // SET shoal.shard: the client speaks to one server, on its own responsibility.
    plan::Plan plan;
    plan.writes = true;
    co_return co_await forward_text(home_or_enlisted(), plan, text);
  }
  if (!fill->create_text.empty()) text = fill->create_text;
  Result<DdlPlan> plan = services_.commands->plan_ddl(statement, *snapshot(), facts_.search_path);
  if (!plan) co_return plan.error();
  const bool had_ddl = ddl_in_transaction_;
  if (plan->changes_schema) SHOAL_CO_TRY(co_await wait_for_hold_of(Oid(0)));
  if (!plan->transactional) {
    if (!txn_.idle())
      co_return make_error("25001", fmt::format("{} cannot run inside a transaction block",
                                                ddl ? ddl->verb + " " + ddl->object : "this"));
    co_return co_await run_ddl_outside(*plan, text);
  }
  std::size_t places = 0;
  for (const DdlPlan::Step& s : plan->steps) places += s.shards.size();
  if (txn_.idle() && (places > 1 || plan->changes_schema || !plan->follow.empty()))
    begin_implicit();
  // The client hears of it when every shard has done it; the answer is home's, where it takes part.
  std::string tag;
  for (const DdlPlan::Step& step : plan->steps) {
    for (ShardId shard : step.shards) {
      Result<backend::Connection*> c = co_await txn_.use(shard);
      if (!c) co_return shard_down(c.error());
      txn_.mark_wrote(shard);
      // Not as an argument: GCC 12 destroys a conditional's temporaries twice around co_await.
      std::string sql = step.sql.empty() ? std::string(text) : step.sql;
      Result<backend::TextRows> done = co_await (*c)->query(std::move(sql));
      if (!done) co_return done.error();
      const bool at_home =
          std::find(step.shards.begin(), step.shards.end(), home) != step.shards.end();
      const bool answers = at_home ? shard == home : step.shards.front() == shard;
      if (!tag.empty() || !step.sql.empty() || !answers || !fill->create_text.empty()) continue;
      client_.out() += done->notices;
      tag = done->tag;
    }
  }
  RunnerAdapter runner(*this);
  for (std::string& sql : plan->catalog_sql)
    SHOAL_CO_TRY(co_await services_.commands->write_catalog(runner, snapshot(), std::move(sql)));
  if (plan->changes_schema) {
    services_.commands->schema_changed();
    SHOAL_CO_TRY(co_await refresh_derived_snapshot());
  }
  for (CommandCall& call : plan->follow) {
    call.user = facts_.user;
    call.in_transaction = !txn_.implicit();
    Result<backend::TextRows> done =
        co_await services_.commands->call(runner, snapshot(), std::move(call));
    if (!done) co_return done.error();
    SHOAL_CO_TRY(co_await refresh_derived_snapshot());
  }
  // CASCADE may have dropped temporary views.
  if (!facts_.temp_tables.empty()) SHOAL_CO_TRY(co_await read_temporary_names());
  if (!fill->insert_text.empty()) {
    Result<std::uint64_t> rows = co_await fill_table(std::move(fill->insert_text), had_ddl);
    if (!rows) co_return rows.error();
    complete(fmt::format("SELECT {}", *rows));
    co_return Result<>();
  }
  if (tag.empty()) tag = ddl ? ddl->verb + " " + ddl->object : "SELECT 0";
  complete(tag);
  co_return Result<>();
}

Error Session::shard_down(const Error& e) const {
  if (e.sqlstate != "08001" && e.sqlstate != "08006") return e;
  Error refused = refuse(Refusal::kShardDownDdl, e.message);
  refused.shard = e.shard;
  return refused;
}

// CONCURRENTLY and its kind: one shard after the other; what failed is named.
io::Task<Result<>> Session::run_ddl_outside(const DdlPlan& plan, std::string_view text) {
  std::string tag;
  for (const DdlPlan::Step& step : plan.steps) {
    for (ShardId shard : step.shards) {
      Result<backend::Connection*> c = co_await txn_.use(shard);
      if (!c) co_return shard_down(c.error());
      // Not as an argument: GCC 12 destroys a conditional's temporaries twice around co_await.
      std::string sql = step.sql.empty() ? std::string(text) : step.sql;
      Result<backend::TextRows> done = co_await (*c)->query(std::move(sql));
      std::string name = (*c)->endpoint().name;
      if (!done) {
        Error e = done.error();
        if (!tag.empty()) {
          e.original.clear();
          e.detail +=
              fmt::format("{}Shards before {} have it already.", e.detail.empty() ? "" : " ", name);
        }
        co_return e;
      }
      tag = done->tag;
      client_.out() += done->notices;
    }
  }
  if (plan.changes_schema) {
    services_.commands->schema_changed();
    begin_implicit();  // its end raises the epoch
  }
  complete(tag);
  co_return Result<>();
}

io::Task<Result<>> Session::refresh_derived_snapshot() {
  RunnerAdapter runner(*this);
  Result<catalog::SnapshotPtr> derived = co_await services_.commands->derive(runner, snapshot());
  if (!derived) co_return derived.error();
  derived_ = std::move(*derived);
  txn_.schema_changed(derived_);
  ddl_in_transaction_ = true;
  co_return Result<>();
}

}  // namespace shoal::session
