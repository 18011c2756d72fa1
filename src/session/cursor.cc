// Cursors. One over rows of one shard lives there; one over several shards is a cursor of
// PostgreSQL's own on the transaction's workspace (exec/kept_rows.h), opened when all rows are
// there. FETCH, MOVE and CLOSE go where the cursor lives.
#include "exec/kept_rows.h"
#include "session/outputs.h"
#include "session/portal_rows.h"
#include "session/session.h"
#include "sql/deparse.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

constexpr int kCursorBinary = 1, kCursorScroll = 2, kCursorNoScroll = 4, kCursorInsensitive = 8,
              kCursorAsensitive = 16, kCursorHold = 32;  // nodes/parsenodes.h

plan::PlanPtr forward(ShardId shard, bool writes) {
  auto plan = std::make_shared<plan::Plan>();
  plan->node = plan::Forward{shard, {}};
  plan->writes = writes;
  plan->depends_on_params = true;  // never cached: it depends on the session
  return plan;
}

plan::PlanPtr refused(Error e) {
  auto plan = std::make_shared<plan::Plan>();
  plan->node = std::move(e);
  plan->depends_on_params = true;
  return plan;
}

Error unknown_cursor(const std::string& name) {
  return make_error("34000", fmt::format("cursor \"{}\" does not exist", name));
}

Error cursor_exists(const std::string& name) {
  return make_error("42P03", fmt::format("cursor \"{}\" already exists", name));
}

// The cursor of UPDATE or DELETE ... WHERE CURRENT OF.
const sql::CurrentOf* current_of(const sql::Statement& statement) {
  const sql::ExprPtr* where = nullptr;
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&statement.node))
    where = &(*u)->where;
  if (const auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&statement.node))
    where = &(*d)->where;
  return where && *where ? std::get_if<sql::CurrentOf>(&(*where)->node) : nullptr;
}

}  // namespace

std::string declare_text(const sql::DeclareCursor& d, std::string_view query) {
  std::string words;
  if (d.options & kCursorBinary) words += " BINARY";
  if (d.options & kCursorInsensitive) words += " INSENSITIVE";
  if (d.options & kCursorAsensitive) words += " ASENSITIVE";
  if (d.options & kCursorScroll) words += " SCROLL";
  if (d.options & kCursorNoScroll) words += " NO SCROLL";
  const bool hold = d.hold || (d.options & kCursorHold) != 0;
  return fmt::format("DECLARE {}{} CURSOR{} FOR {}", sql::quote_identifier(d.name), words,
                     hold ? " WITH HOLD" : "", query);
}

// Nothing: the statement is not about cursors.
plan::PlanPtr Session::plan_cursor(const sql::Statement& statement,
                                   std::span<const route::Parameter> params) {
  if (const auto* fetch = std::get_if<sql::Fetch>(&statement.node)) {
    if (auto portal = portals_.find(fetch->cursor);
        portal != portals_.end() && portal->second.on_server) {
      if (auto own = check_opened(portal->second.key); !own) return refused(own.error());
      return forward(portal->second.link, false);
    }
    auto cursor = cursors_.find(fetch->cursor);
    if (cursor != cursors_.end()) {
      if (auto own = check_opened(cursor->second.key); !own) return refused(own.error());
      return forward(cursor->second.shard, false);
    }
    if (facts().scope_key) return refused(unknown_cursor(fetch->cursor));
    return forward(home_or_enlisted(), false);
  }
  if (const auto* close = std::get_if<sql::ClosePortal>(&statement.node)) {
    auto cursor = cursors_.find(close->name);
    if (cursor == cursors_.end()) return forward(home_or_enlisted(), false);
    const ShardId shard = cursor->second.shard;
    cursors_.erase(cursor);
    mind_held_cursors();
    return forward(shard, false);
  }
  if (const auto* declare = std::get_if<sql::DeclareCursor>(&statement.node))
    return plan_declare(statement, *declare, params);
  if (!cursors_.empty() && !facts().shard && mentions(statement.text, "pg_cursors") &&
      snapshot()->active_shards().size() > 1)
    return refused(refuse(Refusal::kShardLocalCatalog,
                          "pg_cursors shows the cursors of one server connection"));
  if (const sql::CurrentOf* current = current_of(statement)) {
    if (is_kept_cursor(current->cursor)) {
      return refused(
          refuse(Refusal::kCursorOverShards, "WHERE CURRENT OF", "name the row by its key"));
    }
  }
  return nullptr;
}

// A plan of the query itself where several shards give its rows: see declare_over_shards.
plan::PlanPtr Session::plan_declare(const sql::Statement& statement,
                                    const sql::DeclareCursor& declare,
                                    std::span<const route::Parameter> params) {
  if (declare.query->into) return forward(home_or_enlisted(), false);  // PostgreSQL's error
  sql::Statement inner;
  inner.node = sql::clone(*declare.query);
  inner.text = sql::deparse(*declare.query);
  inner.max_param = statement.max_param;
  inner.has_opaque = statement.has_opaque;
  auto plan = std::make_shared<plan::Plan>(
      plan::make_plan({inner, *snapshot(), facts(), params, ++unique_}));
  plan->depends_on_params = true;
  const auto* one = std::get_if<plan::Forward>(&plan->node);
  if (!one && !std::holds_alternative<plan::Scatter>(plan->node) &&
      !std::holds_alternative<plan::Pull>(plan->node))
    return plan;
  // One server sees its own cursors only.
  auto known = cursors_.find(declare.name);
  if (known != cursors_.end() && !known->second.hold && (!one || known->second.shard != one->shard))
    return refused(cursor_exists(declare.name));
  if (!one) return plan;
  // Without a transaction block the server will refuse it.
  if (declare.hold || !txn_.idle())
    cursors_[declare.name] =
        Cursor{one->shard, declare.hold, facts().scope_key, next_cursor_++, txn_.idle()};
  if (declare.hold) txn_.pin(one->shard);
  if (one->text.sql.empty()) return forward(one->shard, plan->writes);
  std::get<plan::Forward>(plan->node).text.sql = declare_text(declare, one->text.sql);
  return plan;
}

// The rows are gathered now, so that nothing that is written later changes them.
io::Task<Result<>> Session::declare_over_shards(const plan::Plan& plan, const exec::Bound& asked,
                                                const sql::DeclareCursor& declare) {
  if (!declare.hold && (txn_.idle() || (txn_.implicit() && !several_)))
    co_return make_error("25P01", "DECLARE CURSOR can only be used in transaction blocks");
  if (!declare.query->locking.empty()) {
    co_return refuse(Refusal::kCursorOverShards, "FOR UPDATE and its like",
                     "lock the rows by a SELECT of its own");
  }
  if (cursors_.contains(declare.name) || portals_.contains(declare.name))
    co_return cursor_exists(declare.name);
  Result<std::string> query = sql::deparse_checked(*declare.query);
  if (!query) co_return query.error();
  // PostgreSQL's own opinion of the statement.
  sql::DeclareCursor plain{"c", false, declare.options & ~kCursorHold, nullptr};
  const std::string checked = declare_text(plain, *query);
  Result<exec::DescriptionPtr> allowed = co_await describe(checked, asked.types);
  if (!allowed) co_return allowed.error();
  Result<exec::DescriptionPtr> description = co_await describe(*query, asked.types);
  if (!description) co_return description.error();

  if (txn_.idle()) begin_implicit();
  OutputAdapter notices(*this, false);
  Result<std::unique_ptr<exec::KeptRows>> rows =
      co_await exec::KeptRows::make(txn_, *snapshot(), *description, notices);
  if (!rows) co_return rows.error();
  SHOAL_CO_TRY(co_await fill_rows(plan, asked, *query, **rows));
  Result<backend::Connection*> c = co_await txn_.use(exec::kWorkspace);
  if (!c) co_return c.error();
  Result<backend::TextRows> declared =
      co_await (*c)->query(declare_text(declare, (*rows)->select_sql()));
  if (!declared) co_return declared.error();
  cursors_[declare.name] =
      Cursor{exec::kWorkspace, declare.hold, facts().scope_key, next_cursor_++, false};
  kept_[(*rows)->table_oid()] = *description;
  mind_held_cursors();
  if (txn_.implicit() && !several_) SHOAL_CO_TRY(co_await finish_implicit());
  complete("DECLARE CURSOR");
  co_return Result<>();
}

// Runs the query into `rows`.
io::Task<Result<>> Session::fill_rows(const plan::Plan& plan, const exec::Bound& asked,
                                      const std::string& query, exec::KeptRows& rows) {
  exec::Bound bound = asked;
  bound.text = query;
  bound.result_formats = {rows.format()};
  Result<std::string> tag = co_await run_plan_to(plan, bound, rows);
  if (!tag) {
    co_await rows.give_up();
    co_return tag.error();
  }
  Result<> ended = co_await rows.end();
  if (!ended) txn_.fail();
  co_return ended;
}

// All rows of a portal that is read in pieces. Many of them become a portal on the workspace.
io::Task<Result<>> Session::gather_portal(Portal& portal, std::string name) {
  Result<exec::DescriptionPtr> description =
      co_await describe(portal.bound.text, portal.bound.types);
  if (!description) co_return description.error();
  OutputAdapter notices(*this, false);
  PortalRows rows(txn_, *snapshot(), *description, portal.bound.result_formats, portal.rows,
                  portal.row_ends, notices);
  Result<std::string> tag = co_await run_plan_to(*portal.plan, portal.bound, rows);
  if (!tag) {
    if (rows.kept()) co_await rows.kept()->give_up();
    co_return tag.error();
  }
  portal.tag = *tag;
  if (!rows.kept()) co_return Result<>();
  SHOAL_CO_TRY(co_await rows.kept()->end());
  Result<backend::Connection*> c = co_await link_to(exec::kWorkspace);
  if (!c) co_return c.error();
  wire::append_parse((*c)->out(), "", rows.kept()->select_sql());
  (*c)->pending().sent('P', {.swallow = true, .tag = tag_});
  (*c)->unnamed.clear();
  unconfirmed_.emplace_back();
  wire::append_bind((*c)->out(), name, "", {}, {}, portal.bound.result_formats);
  (*c)->pending().sent('B', {.swallow = true, .tag = tag_});
  portal.on_server = true;
  portal.link = exec::kWorkspace;
  kept_[rows.kept()->table_oid()] = *description;
  co_return Result<>();
}

io::Task<Result<>> Session::execute_kept(std::string name, std::int32_t max_rows) {
  Result<backend::Connection*> c = co_await link_to(exec::kWorkspace);
  if (!c) co_return c.error();
  wire::append_execute((*c)->out(), name, max_rows);
  (*c)->pending().sent('E', {.tag = tag_});
  link_executed_ = true;
  co_return Result<>();
}

// CLOSE ALL: on every server that may have one.
io::Task<Result<>> Session::close_all_cursors(std::string_view text, bool simple) {
  cursors_.clear();
  portals_.clear();
  if (txn_.idle() && !txn_.enlisted(exec::kWorkspace))
    co_return co_await pass_text(home_or_enlisted(), text, simple);
  std::vector<ShardId> shards;
  for (const auto& p : txn_.participants()) shards.push_back(p.shard);
  for (ShardId shard : shards) {
    Result<backend::Connection*> c = co_await txn_.use_for_words(shard);
    if (!c) co_return c.error();
    Result<backend::TextRows> closed = co_await (*c)->query("CLOSE ALL");
    if (!closed) co_return closed.error();
  }
  mind_held_cursors();
  complete("CLOSE CURSOR ALL");
  co_return Result<>();
}

bool Session::is_kept_cursor(const std::string& name) const {
  auto cursor = cursors_.find(name);
  return cursor != cursors_.end() && cursor->second.shard == exec::kWorkspace;
}

// The workspace outlives its transaction while it holds cursors.
void Session::mind_held_cursors() {
  const bool held = std::any_of(cursors_.begin(), cursors_.end(), [](const auto& c) {
    return c.second.hold && c.second.shard == exec::kWorkspace;
  });
  txn_.hold_workspace(held);
}

void Session::end_cursors(bool committed) {
  std::erase_if(cursors_, [&](const auto& c) {
    return !c.second.hold || (!committed && !c.second.committed);
  });
  for (auto& [name, cursor] : cursors_) cursor.committed = true;
  mind_held_cursors();
  if (cursors_.empty()) kept_.clear();
}

// ROLLBACK TO: what was declared or bound since the savepoint is gone.
void Session::undo_cursors(std::uint64_t since) {
  std::erase_if(portals_, [&](const auto& p) { return p.second.serial >= since; });
  std::erase_if(cursors_, [&](const auto& c) { return c.second.serial >= since; });
  mind_held_cursors();
}

// Where a FETCH must be described.
std::optional<ShardId> Session::cursor_shard(const StatementInfo& statement) const {
  if (cursors_.empty() || !statement.parsed || statement.parsed->empty()) return std::nullopt;
  const auto* fetch = std::get_if<sql::Fetch>(&statement.statement().node);
  if (!fetch) return std::nullopt;
  auto cursor = cursors_.find(fetch->cursor);
  if (cursor == cursors_.end()) return std::nullopt;
  return cursor->second.shard;
}

// A RowDescription of kept rows names the table that keeps them: the client sees the columns of its
// query.
void Session::append_row_description(const wire::Frame& frame, const backend::Connection& c) {
  if (kept_.empty() || txn_.enlisted(exec::kWorkspace) != &c) {
    client_.out() += frame.bytes;
    return;
  }
  Result<wire::RowDescription> rows = wire::decode_row_description(frame.body);
  const auto kept =
      rows && !rows->columns.empty() ? kept_.find(rows->columns[0].table_oid) : kept_.end();
  if (kept == kept_.end()) {
    client_.out() += frame.bytes;
    return;
  }
  Result<wire::RowDescription> own = wire::decode_row_description(
      std::string_view(kept->second->row_description).substr(wire::kHeaderBytes));
  for (std::size_t i = 0; own && i < rows->columns.size() && i < own->columns.size(); ++i) {
    rows->columns[i].table_oid = own->columns[i].table_oid;
    rows->columns[i].attnum = own->columns[i].attnum;
  }
  wire::append_row_description(client_.out(), rows->columns);
}

}  // namespace shoal::session
