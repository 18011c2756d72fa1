// DDL over the shards, and calls of the control plane's functions, in the client's transaction.
#include "session/outputs.h"
#include "session/session.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::session {

io::Task<Result<>> Session::run_ddl(const sql::Statement& statement, std::string_view text) {
  const auto* ddl = std::get_if<sql::Ddl>(&statement.node);
  ShardId home = snapshot()->home;
  const auto* select = std::get_if<sql::SelectPtr>(&statement.node);
  const sql::RangeVar* into = select && (*select)->into ? &*(*select)->into : nullptr;
  if ((ddl && ddl->temporary) || (into && into->persistence == 't')) {
    Result<> done = co_await pass_text(home, text, true);
    if (!done || server_error_) co_return done;
    if (into) temp_tables_.insert(into->name);
    if (ddl)
      for (const sql::RangeVar& name : ddl->names) temp_tables_.insert(name.name);
    txn_.mark_temp(home);
    txn_.pin(home);
    facts_changed();
    co_return Result<>();
  }
  if (!services_.commands || facts_.shard) {
    // SET shoal.shard: the client speaks to one server, on its own responsibility.
    plan::Plan plan;
    plan.writes = true;
    co_return co_await forward_text(home_or_enlisted(), plan, text);
  }
  Result<DdlPlan> plan = services_.commands->plan_ddl(statement, *snapshot(), facts_.search_path);
  if (!plan) co_return plan.error();
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
  bool told = false;
  for (const DdlPlan::Step& step : plan->steps) {
    for (ShardId shard : step.shards) {
      bool answers = !told && step.sql.empty() && shard == home;
      if (answers) {
        plan::Plan one;
        one.writes = true;
        SHOAL_CO_TRY(co_await forward_text(shard, one, text));
        if (server_error_) co_return Result<>();
        told = true;
        continue;
      }
      Result<backend::Connection*> c = co_await txn_.use(shard);
      if (!c) co_return shard_down(c.error());
      txn_.mark_wrote(shard);
      // Not as an argument: GCC 12 destroys a conditional's temporaries twice around co_await.
      std::string sql = step.sql.empty() ? std::string(text) : step.sql;
      Result<backend::TextRows> done = co_await (*c)->query(std::move(sql));
      if (!done) co_return done.error();
      if (!told && step.sql.empty() && step.shards.front() == shard &&
          std::find(step.shards.begin(), step.shards.end(), home) == step.shards.end()) {
        client_.out() += done->notices;
        complete(done->tag);
        told = true;
      }
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
  if (ddl && ddl->verb == "DROP")
    for (const sql::RangeVar& name : ddl->names)
      if (temp_tables_.erase(name.name) > 0) facts_changed();
  if (!told) complete(ddl ? ddl->verb + " " + ddl->object : "SELECT 0");
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
  ddl_in_transaction_ = true;
  co_return Result<>();
}

// SELECT shoal.f(constants): home evaluates the arguments (they may be expressions).
io::Task<Result<>> Session::run_command(const sql::Statement& statement, const exec::Bound* bound,
                                        bool simple) {
  const sql::Call* call = sole_call(statement);
  CommandCall command;
  command.schema = call->name.size() > 1 ? call->name[call->name.size() - 2] : "";
  command.function = call->name.back();
  command.user = facts_.user;
  command.in_transaction = !txn_.idle() && !txn_.implicit();
  if (txn_.idle()) begin_implicit();
  std::string select = "SELECT ";
  std::vector<std::string> names;
  for (const sql::ExprPtr& arg : call->args) {
    const sql::Expr* e = arg.get();
    std::string name;
    if (const auto* named = std::get_if<sql::NamedArg>(&e->node)) {
      name = named->name;
      e = named->arg.get();
    }
    std::string value;
    if (const auto* p = std::get_if<sql::Param>(&e->node)) {
      auto i = static_cast<std::size_t>(p->number - 1);
      if (!bound || i >= bound->values.size())
        co_return make_error("42P02", fmt::format("there is no parameter ${}", p->number));
      if (bound->formats[i] == wire::Format::kBinary)
        co_return refuse(Refusal::kCatalogCall, "binary parameters are not read here");
      value = bound->values[i] ? sql::quote_literal(*bound->values[i]) : "NULL";
    } else {
      value = sql::deparse(*e);
    }
    select += fmt::format("{}({})::text", names.empty() ? "" : ", ", value);
    names.push_back(name);
  }
  if (!names.empty()) {
    Result<backend::Connection*> c = co_await txn_.use(snapshot()->home);
    if (!c) co_return c.error();
    Result<backend::TextRows> values = co_await (*c)->query(select);
    if (!values) co_return values.error();
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::optional<std::string>& v = values->rows.at(0).at(i);
      if (names[i].empty())
        command.args.push_back(std::move(v));
      else
        command.named_args.emplace_back(names[i], std::move(v));
    }
  }
  // Its own hold must not wait for what this transaction has touched before.
  release_touched();
  RunnerAdapter runner(*this);
  bool changed_before = services_.commands->changed();
  Result<backend::TextRows> rows =
      co_await services_.commands->call(runner, snapshot(), std::move(command));
  if (!rows) co_return rows.error();
  if (services_.commands->changed() && !changed_before) ddl_in_transaction_ = true;
  if (services_.commands->changed()) SHOAL_CO_TRY(co_await refresh_derived_snapshot());
  // The real functions on home fix the names and types of the answer.
  exec::DescriptionPtr description;
  if (simple) {
    Result<exec::DescriptionPtr> described = co_await describe(statement.text, {});
    if (described && (*described)->column_types.size() == rows->columns.size())
      description = *described;
  }
  if (description) client_.out() += description->row_description;
  rows_of_text(rows->columns, rows->rows, simple && !description);
  complete(fmt::format("SELECT {}", rows->rows.size()));
  co_return Result<>();
}

}  // namespace shoal::session
