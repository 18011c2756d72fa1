// Planning one statement under the session's circumstances, and keeping it away from tables whose
// placement is being changed.
#include "session/session.h"

namespace shoal::session {
namespace {

bool copies_out_binary(const sql::Copy& copy) {
  return !copy.from && copy.file.empty() && !copy.program &&
         std::any_of(copy.options.begin(), copy.options.end(), [](const auto& option) {
           return option.name == "format" && option.value == "binary";
         });
}

// True when a row of the table may belong elsewhere by the newer map.
bool placement_differs(const catalog::Snapshot& was, const catalog::Snapshot& is, Oid table) {
  const catalog::Table* a = was.table(table);
  const catalog::Table* b = is.table(table);
  if (!a || !b) return a != b;
  if (a->kind != b->kind || a->keyspace != b->keyspace || a->key_attnums != b->key_attnums)
    return true;
  if (a->kind == catalog::TableKind::kReference) return was.active_shards() != is.active_shards();
  if (a->kind != catalog::TableKind::kSharded) return false;
  const catalog::Keyspace* k = was.keyspace(a->keyspace);
  const catalog::Keyspace* l = is.keyspace(b->keyspace);
  if (!k || !l || k->params != l->params) return true;
  return !(k->placement->map == l->placement->map) ||
         k->placement->pins.all() != l->placement->pins.all();
}

}  // namespace

plan::PlanPtr Session::make_plan(const sql::Statement& statement,
                                 std::span<const route::Parameter> params) {
  auto forward = [](ShardId shard, bool writes) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = plan::Forward{shard, {}};
    plan->writes = writes;
    plan->depends_on_params = true;  // never cached: it depends on the session
    return plan;
  };
  auto refused = [](Error e) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = std::move(e);
    plan->depends_on_params = true;
    return plan;
  };
  if (std::get_if<sql::LockTable>(&statement.node) && txn_.idle()) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = make_error("25P01", "LOCK TABLE can only be used in transaction blocks");
    plan->depends_on_params = true;
    return plan;
  }
  if (const auto* show = std::get_if<sql::ShowVariable>(&statement.node); show)
    return forward(home_or_enlisted(), false);
  if (const auto* listen = std::get_if<sql::Listen>(&statement.node); listen)
    return forward(snapshot()->home, true);
  // Statements are prepared on servers under names of the router's own, and not on all of them.
  if (!facts().shard && mentions(statement.text, "pg_prepared_statement")) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = refuse(Refusal::kShardLocalCatalog,
                        "pg_prepared_statements shows the statements of one server connection");
    return plan;
  }
  facts_.in_transaction = !txn_.idle();
  if (hinted_) hinted_->in_transaction = facts_.in_transaction;
  if (plan::PlanPtr cursor = plan_cursor(statement, params)) return cursor;
  if (const auto* explain = std::get_if<sql::Explain>(&statement.node);
      explain && !explain->route && statement.inner) {
    plan::PlanPtr inner = make_plan(*statement.inner, params);
    if (const auto* f = std::get_if<plan::Forward>(&inner->node)) {
      if (!f->text.sql.empty())
        return refused(refuse(Refusal::kUnknownGrammar, "EXPLAIN of a statement that is changed"));
      return forward(f->shard, explain->analyze && inner->writes);
    }
    return inner;
  }
  if (const auto* copy = std::get_if<sql::Copy>(&statement.node);
      copy && (copy->program || !copy->file.empty()) && !facts().scope_key && !facts().shard &&
      snapshot()->active_shards().size() > 1)
    return forward(home_or_enlisted(), true);
  auto plan = std::make_shared<plan::Plan>(
      plan::make_plan({statement, *snapshot(), facts(), params, ++unique_}));
  // Only exec/ puts home's oids into the tuples of binary COPY, so it does so for one shard, too.
  const auto* copy = std::get_if<sql::Copy>(&statement.node);
  const auto* one = std::get_if<plan::Forward>(&plan->node);
  if (copy && one && one->shard != snapshot()->home && copies_out_binary(*copy))
    plan->node = plan::CopyOut{{one->shard}, one->text, false};
  if (mentions(statement.text, "pg_cursors")) plan->depends_on_params = true;  // see plan_cursor
  return plan;
}

// Keeps new statements away from tables whose placement is being changed, and plans made from an
// older map away from tables that were. Between planning and here nothing may suspend.
// kPlanAgain: the map changed while the statement waited; nothing was sent yet.
io::Task<Result<>> Session::wait_for_holds(const plan::Plan& plan) {
  const catalog::SnapshotPtr planned = snapshot();
  if (!context_.held.empty())
    for (Oid table : plan.tables) SHOAL_CO_TRY(co_await wait_for_hold_of(table));
  if (!derived_ && planned != context_.snapshot) {
    for (Oid table : plan.tables) {
      if (!placement_differs(*planned, *context_.snapshot, table)) continue;
      if (txn_.idle() && !link_) co_return plan_again();
      const catalog::Table* was = planned->table(table);
      co_return refuse(Refusal::kPlacementChanged, was ? was->name : "");
    }
  }
  touch(plan.tables);
  co_return Result<>();
}

bool Session::holds_nothing(const plan::Plan& plan) {
  if (!context_.held.empty() || (!derived_ && snapshot() != context_.snapshot)) return false;
  touch(plan.tables);
  return true;
}

void Session::touch(const std::vector<Oid>& tables) {
  for (Oid table : tables) {
    if (std::find(touched_.begin(), touched_.end(), table) != touched_.end()) continue;
    touched_.push_back(table);
    ++context_.in_flight[table];
  }
}

io::Task<Result<>> Session::wait_for_hold_of(Oid table) {
  bool ours =
      ddl_in_transaction_ || std::find(touched_.begin(), touched_.end(), table) != touched_.end();
  io::Deadline deadline = io::Deadline::in(io::Milliseconds(60'000));
  while (!ours && context_.held.contains(table)) {
    if (!co_await context_.changed.wait(deadline))
      co_return make_error("55P03", "the placement of a table is being changed for too long");
  }
  co_return Result<>();
}

void Session::release_touched() {
  if (touched_.empty()) return;
  for (Oid table : touched_) --context_.in_flight[table];
  touched_.clear();
  if (!context_.held.empty() && context_.on_drained) context_.on_drained();
}

void Session::release_touched_if_idle() {
  if (txn_.idle()) release_touched();
}

}  // namespace shoal::session
