// What a session answers by itself, DISCARD and EXPLAIN. Settings are in settings.cc, SQL-level
// prepared statements in prepare.cc, transaction control in transactions.cc, DDL and shoal.* calls
// in schema.cc.
#include "session/session.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::session {

std::optional<std::vector<std::string>> constant_values(const sql::ExprList& values) {
  std::vector<std::string> words;
  for (const sql::ExprPtr& e : values) {
    const sql::Expr* at = e.get();
    while (const auto* cast = std::get_if<sql::Cast>(&at->node)) at = cast->arg.get();
    if (const auto* c = std::get_if<sql::Const>(&at->node)) {
      words.push_back(c->kind == sql::Const::Kind::kBool ? (c->text == "t" ? "on" : "off")
                                                         : c->text);
    } else if (const auto* name = std::get_if<sql::ColumnRef>(&at->node);
               name && name->fields.size() == 1) {
      words.push_back(name->fields[0]);
    } else {
      return std::nullopt;
    }
  }
  return words;
}

void Session::complete(std::string_view tag) {
  wire::append_command_complete(client_.out(), tag);
}

void Session::rows_of_text(const std::vector<std::string>& columns,
                           const std::vector<std::vector<std::optional<std::string>>>& rows,
                           bool simple) {
  constexpr std::uint32_t kTextOid = 25;
  if (simple) {
    std::vector<wire::Column> described;
    for (const std::string& name : columns) {
      wire::Column c;
      c.name = name;
      c.type_oid = kTextOid;
      described.push_back(c);
    }
    wire::append_row_description(client_.out(), described);
  }
  for (const auto& row : rows) {
    std::vector<wire::Value> values;
    for (const auto& v : row) values.push_back(v ? wire::Value(*v) : std::nullopt);
    wire::append_data_row(client_.out(), values);
  }
}

io::Task<Result<>> Session::run_session_statement(const sql::Statement& statement,
                                                  std::string_view text, const exec::Bound* asked) {
  const bool simple = asked == nullptr;
  const auto& node = statement.node;
  if (const auto* t = std::get_if<sql::Transaction>(&node))
    co_return co_await run_transaction(*t, text);
  if (txn_.state() == exec::Transaction::State::kFailed) co_return aborted_error();
  if (const auto* s = std::get_if<sql::SetVariable>(&node)) co_return co_await run_set(*s, text);
  if (const auto* s = std::get_if<sql::ShowVariable>(&node)) co_return run_show_shoal(*s, simple);
  if (const auto* p = std::get_if<sql::Prepare>(&node)) {
    if (!statement.inner) co_return refuse(Refusal::kUnknownGrammar, "PREPARE of this statement");
    co_return co_await run_prepare(*p, *statement.inner);
  }
  if (const auto* e = std::get_if<sql::Execute>(&node)) co_return co_await run_execute(*e, asked);
  if (const auto* d = std::get_if<sql::Deallocate>(&node)) co_return co_await run_deallocate(*d);
  if (const auto* d = std::get_if<sql::Discard>(&node)) co_return co_await run_discard(*d, text);
  if (std::get_if<sql::ClosePortal>(&node)) co_return co_await close_all_cursors(text, simple);
  if (const auto* e = std::get_if<sql::Explain>(&node))
    co_return co_await run_explain(*e, statement, simple);
  if (const auto* l = std::get_if<sql::Listen>(&node)) {
    if (l->kind == sql::Listen::Kind::kUnlisten) {
      complete("UNLISTEN");
      co_return Result<>();
    }
    co_return refuse(Refusal::kListen);
  }
  if (std::get_if<sql::SetConstraints>(&node)) {
    if (txn_.idle()) co_return co_await pass_text(home_or_enlisted(), text, simple);
    SHOAL_CO_TRY(co_await txn_.run_everywhere(std::string(text)));
    txn_.replay(std::string(text));
    complete("SET CONSTRAINTS");
    co_return Result<>();
  }
  co_return refuse(Refusal::kUnknownGrammar);
}

io::Task<Result<>> Session::pass_text(ShardId shard, std::string_view text, bool simple) {
  plan::Plan plan;
  hide_row_description_ = !simple;
  Result<> done = co_await forward_text(shard, plan, text);
  hide_row_description_ = false;
  co_return done;
}

io::Task<Result<>> Session::mind_sequences(backend::Connection& c, bool writes,
                                           std::string_view text) {
  bool ours = c.pid() == sequence_pid_ && c.served <= sequence_served_ + 1;
  if (reads_sequences(text) && !txn_.is_pinned(c.shard())) {
    if (sequence_pid_ == 0) {
      // Whatever another client left there must not be seen: the server says that there is nothing.
      Result<backend::TextRows> discarded = co_await c.query("DISCARD SEQUENCES");
      if (!discarded) co_return discarded.error();
    } else if (!ours) {
      co_return refuse(Refusal::kShardLocalCatalog,
                       "currval() and lastval() ask the server connection that nextval() ran on, "
                       "which has served another client since: use RETURNING, or a transaction");
    }
    txn_.pin(c.shard());
    writes = true;
  }
  if (ours || writes || mentions(text, "nextval") || mentions(text, "setval")) {
    sequence_pid_ = c.pid();
    sequence_served_ = c.served;
  }
  co_return Result<>();
}

io::Task<Result<>> Session::run_discard(const sql::Discard& d, std::string_view text) {
  if (!txn_.idle() || txn_.implicit()) {
    if (d.what == sql::Discard::What::kAll)
      co_return make_error("25001", "DISCARD ALL cannot run inside a transaction block");
  }
  ShardId shard = home_or_enlisted();
  if (d.what == sql::Discard::What::kAll) {
    txn_.unpin();
    cursors_.clear();
    mind_held_cursors();
    txn_.release();
    sequence_pid_ = 0;
    statements_.clear();
    portals_.clear();
    settings_ = initial_settings_;
    facts_ = initial_facts_;
    local_facts_.reset();
    facts_changed();
    Result<backend::Connection*> c = co_await txn_.use(shard);
    if (!c) co_return c.error();
    report_parameters(**c);
  } else if (d.what == sql::Discard::What::kTemp) {
    SHOAL_CO_TRY(co_await pass_text(snapshot()->home, text, true));
    if (!server_error_) change_facts(false, [&] { facts_.temp_tables.clear(); });
    facts_changed();
    co_return Result<>();
  } else if (d.what != sql::Discard::What::kPlans) {
    co_return co_await pass_text(shard, text, true);
  }
  static const char* const kTags[] = {"DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES",
                                      "DISCARD TEMP"};
  complete(kTags[static_cast<int>(d.what)]);
}

// EXPLAIN (ROUTE), and EXPLAIN of what several shards answer: the route, then each shard's plan.
io::Task<Result<>> Session::run_explain(const sql::Explain& e, const sql::Statement& statement,
                                        bool simple) {
  if (!statement.inner) co_return refuse(Refusal::kUnknownGrammar, "EXPLAIN of this statement");
  SHOAL_CO_TRY(check_scope(statement, Handling::kSession));
  plan::PlanPtr plan = make_plan(*statement.inner, {});
  if (std::get_if<plan::NeedTypes>(&plan->node) && !e.route)
    co_return refuse(Refusal::kNotProvable, "parameters of EXPLAIN have no values");
  if (const auto* f = std::get_if<plan::Forward>(&plan->node); f && !e.route) {
    std::string text = statement.text;
    if (!f->text.sql.empty()) text = explain_text(e, f->text.sql);
    co_return co_await pass_text(f->shard, text, simple);
  }
  if (e.analyze && !e.route)
    co_return refuse(Refusal::kNotProvable, "EXPLAIN ANALYZE runs on one shard only");
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (std::string& line : plan::explain_route(*plan, *snapshot()))
    rows.push_back({std::move(line)});
  if (!e.route) {
    if (const auto* refused = std::get_if<Error>(&plan->node)) co_return *refused;
    if (const auto* scatter = std::get_if<plan::Scatter>(&plan->node)) {
      Result<std::string> text = scatter->text.sql.empty() ? deparse_dml(*statement.inner)
                                                           : Result<std::string>(scatter->text.sql);
      if (!text) co_return text.error();
      const std::string explain = facts().scope_key ? "EXPLAIN (COSTS OFF) " : "EXPLAIN ";
      for (ShardId shard : scatter->shards) {
        Result<backend::Connection*> c = co_await txn_.use(shard);
        if (!c) co_return c.error();
        Result<backend::TextRows> explained = co_await (*c)->query(explain + *text);
        if (!explained) co_return explained.error();
        rows.push_back({fmt::format("on shard {}:", (*c)->endpoint().name)});
        for (auto& row : explained->rows)
          if (!row.empty() && row[0]) rows.push_back({"  " + *row[0]});
      }
    }
  }
  rows_of_text({"QUERY PLAN"}, rows, simple);
  complete("EXPLAIN");
  co_return Result<>();
}

}  // namespace shoal::session
