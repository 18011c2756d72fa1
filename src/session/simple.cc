// The simple protocol: one Query message, one or several statements.
#include "session/session.h"
#include "sql/parse.h"
#include "wire/frontend.h"

namespace shoal::session {

void Session::ready() {
  view_.state = txn_.idle() ? "idle" : "active";
  client_.out() += reports_;
  reports_.clear();
  if (!ended_by_server_) wire::append_ready(client_.out(), txn_.status());
}

io::Task<Result<>> Session::on_query(wire::Frame frame) {
  Result<wire::Query> query = wire::decode_query(frame.body);
  server_error_ = failed_ = false;
  if (!query) {
    wire::append_error(client_.out(), query.error());
    txn_.fail();
    ready();
    co_return Result<>();
  }
  statements_.erase("");  // PostgreSQL: a Query destroys the unnamed statement
  ++context_.counters.queries;
  Result<> done = take_hint(query->sql);
  if (done) done = co_await run_text(query->sql);
  while (!done && is_plan_again(done.error())) done = co_await run_text(query->sql);
  pending_sets_.clear();
  before_sets_.reset();
  before_scope_.reset();
  hinted_.reset();
  if (!done) {
    if (done.error().fatal && done.error().shard.empty()) co_return done.error();
    co_await fail_statement(done.error());
  }
  if (txn_.implicit()) {
    Result<> ended = co_await finish_implicit();
    if (!ended) wire::append_error(client_.out(), ended.error());
  }
  if (txn_.idle()) {
    portals_.clear();
    txn_.release();
    release_touched();
  }
  failed_ = false;  // an error of a Query skips nothing
  ready();
  co_return Result<>();
}

// The plan of a text seen before with other constants, without parsing it.
std::optional<Placed> Session::known_plan(std::string_view text) {
  sql::normalize(text, facts_.standard_strings, normalized_);
  if (!normalized_.cacheable || normalized_.multiple || !normalized_.hint.empty())
    return std::nullopt;
  // Under a scope each text is changed: nothing that was planned without it may be taken.
  if (facts().scope_key || hinted_) return std::nullopt;
  if (txn_.state() == exec::Transaction::State::kFailed || ddl_in_transaction_) return std::nullopt;
  return services_.plans.find(normalized_, *snapshot(), facts_, context_.load);
}

io::Task<Result<>> Session::run_text(std::string_view text) {
  if (std::optional<Placed> known = known_plan(text)) {
    if (!holds_nothing(*known->plan)) SHOAL_CO_TRY(co_await wait_for_holds(*known->plan));
    co_return co_await forward_text(known->shard, *known->plan, text);
  }
  sql::ParseLimits limits{context_.limits.statement_bytes, context_.limits.sql_depth};
  Result<std::vector<sql::Statement>> parsed = sql::parse(text, limits, facts_.standard_strings);
  if (!parsed) co_return co_await run_unparsed(text, parsed.error());
  auto statements = std::make_shared<const std::vector<sql::Statement>>(std::move(*parsed));
  if (statements->empty()) {
    wire::append_empty_query(client_.out());
    co_return Result<>();
  }
  if (statements->size() > 1) co_return co_await run_several(statements, text);
  co_return co_await run_simple_statement(statements->front(), text);
}

Error Session::aborted_error() const {
  return make_error("25P02",
                    "current transaction is aborted, commands ignored until end of transaction "
                    "block");
}

io::Task<Result<>> Session::run_simple_statement(const sql::Statement& statement,
                                                 std::string_view text) {
  Handling handling = handling_of(statement, services_.commands);
  if (handling == Handling::kSession)
    co_return co_await run_session_statement(statement, text, nullptr);
  if (txn_.state() == exec::Transaction::State::kFailed) co_return aborted_error();
  SHOAL_CO_TRY(check_scope(statement, handling));
  if (handling == Handling::kCommand) co_return co_await run_command(statement, nullptr, true);
  if (handling == Handling::kDdl) co_return co_await run_ddl(statement, text);
  plan::PlanPtr plan = make_plan(statement, {});
  const bool cached = !ddl_in_transaction_ && !facts().scope_key && !hinted_;
  if (std::get_if<plan::Forward>(&plan->node) && cached) {
    sql::normalize(text, facts_.standard_strings, normalized_);
    if (normalized_.cacheable && !normalized_.multiple && normalized_.hint.empty() &&
        !touches_session(text))
      services_.plans.insert(normalized_, *snapshot(), facts_, plan);
  }
  co_return co_await run_plan_simple(std::move(plan), statement, text);
}

io::Task<Result<>> Session::forward_text(ShardId shard, const plan::Plan& plan,
                                         std::string_view text) {
  backend::Connection* c = txn_.use_at_once(shard);
  if (!c) {
    Result<backend::Connection*> entered = co_await txn_.use(shard);
    if (!entered) co_return entered.error();
    c = *entered;
  }
  if (plan.writes) txn_.mark_wrote(shard);
  if (plan.user_code) c->user_code = true;
  if (plan.writes || plan.tables.empty() || reads_sequences(text))
    SHOAL_CO_TRY(co_await mind_sequences(*c, plan.writes, text));
  ++context_.counters.one_shard;
  wire::append_query(c->out(), text);
  c->unnamed.clear();  // a Query destroys the unnamed statement
  c->pending().sent('Q', {.tag = ++tag_});
  SHOAL_CO_TRY(co_await relay(*c));
  report_parameters(*c);
  co_return Result<>();
}

io::Task<Result<>> Session::run_plan_simple(plan::PlanPtr plan, const sql::Statement& statement,
                                            std::string_view text) {
  if (const auto* refused = std::get_if<Error>(&plan->node)) {
    ++context_.counters.refused;
    co_return *refused;
  }
  SHOAL_CO_TRY(co_await wait_for_holds(*plan));
  if (const auto* forward = std::get_if<plan::Forward>(&plan->node)) {
    ShardId shard = forward->shard;
    plan::Plan reset;
    if (mentions(text, "set_config")) {
      if (!facts().shard) {
        SHOAL_CO_TRY(note_set_config(statement, nullptr, tag_ + 1));
      } else {
        // A client that speaks to one server is not watched: its connection is reset afterwards.
        reset = *plan;
        reset.user_code = true;
      }
    }
    bool locks = takes_session_locks(text);
    std::string own = forward->text.sql;
    if (own.empty()) own = text;
    Result<> done = co_await forward_text(shard, reset.user_code ? reset : *plan, own);
    // Also when it failed: its lock may have been taken before its error.
    if (locks) txn_.pin(shard);
    co_return done;
  }
  exec::Bound bound;
  bound.text = text;
  co_return co_await run_over_shards(*plan, bound, statement, true);
}

// A text that this grammar rejects. If a server rejects it too, its words are the answer; otherwise
// the server knows more than the router, and only one shard may judge.
io::Task<Result<>> Session::run_unparsed(std::string_view text, Error syntax_error) {
  if (syntax_error.detail.starts_with("SH")) co_return syntax_error;
  ShardId shard = facts().shard ? home_or_enlisted() : snapshot()->home;
  bool one_shard = snapshot()->active_shards().size() == 1 && !facts().scope_key;
  if (one_shard) {
    plan::Plan plan;
    plan.writes = true;
    plan.user_code = true;
    co_return co_await forward_text(shard, plan, text);
  }
  if (txn_.state() == exec::Transaction::State::kFailed) shard = home_or_enlisted();
  Result<backend::Connection*> c = co_await txn_.use(shard);
  if (!c) co_return c.error();
  // Parse alone checks the grammar and runs nothing.
  wire::append_parse((*c)->out(), "", text);
  (*c)->unnamed.clear();
  wire::append_sync((*c)->out());
  (*c)->pending().sent('P', {.swallow = true, .tag = ++tag_});
  (*c)->pending().sent('S', {.swallow = true, .tag = tag_});
  (*c)->send();
  std::optional<Error> judged;
  while (!(*c)->pending().all_answered()) {
    Result<wire::Frame> frame = co_await (*c)->next();
    if (!frame) co_return frame.error();
    auto verdict = (*c)->pending().on(frame->type);
    if (verdict.action == wire::PendingResponses::Action::kViolation) {
      (*c)->close();
      co_return make_error("08P01", "the server broke the protocol");
    }
    if (frame->type != 'E') continue;
    Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
    judged = fields ? wire::error_from(*fields) : fields.error();
    judged->original = frame->body;
  }
  if (judged) co_return *judged;
  co_return refuse(Refusal::kUnknownGrammar, syntax_error.message);
}

// Several statements in one Query are one implicit transaction. If one shard answers all of them,
// the text goes there whole and PostgreSQL sees to the rest.
io::Task<Result<>> Session::run_several(
    std::shared_ptr<const std::vector<sql::Statement>> statements, std::string_view text) {
  if (hinted_) {
    co_return refuse(Refusal::kSetNotTracked, "a shoal: comment in a text of several statements",
                     "send the statement by itself");
  }
  if (txn_.state() != exec::Transaction::State::kFailed && !facts_.scope_key) {
    std::optional<ShardId> only;
    bool whole = !touches_session(text);
    const std::map<std::string, Cursor> cursors = cursors_;
    plan::Plan sum;
    for (const sql::Statement& s : *statements) {
      if (!whole || handling_of(s, services_.commands) != Handling::kPlan) {
        whole = false;
        break;
      }
      plan::PlanPtr plan = make_plan(s, {});
      const auto* forward = std::get_if<plan::Forward>(&plan->node);
      whole = forward && forward->text.sql.empty() && (!only || *only == forward->shard);
      if (!whole) break;
      only = forward->shard;
      sum.writes = sum.writes || plan->writes;
      sum.user_code = sum.user_code || plan->user_code;
      sum.tables.insert(sum.tables.end(), plan->tables.begin(), plan->tables.end());
    }
    if (whole && only) {
      SHOAL_CO_TRY(co_await wait_for_holds(sum));
      co_return co_await forward_text(*only, sum, text);
    }
    cursors_ = cursors;  // nothing was run yet
    mind_held_cursors();
  }
  for (const sql::Statement& s : *statements) {
    // Transaction control ends or begins blocks itself; everything else runs inside one.
    if (txn_.idle() && !std::get_if<sql::Transaction>(&s.node)) begin_implicit();
    several_ = true;
    later_ = &s != &statements->front();
    Result<> done = co_await run_simple_statement(s, s.text);
    several_ = later_ = false;
    if (!done) co_return done.error();
    if (server_error_) co_return Result<>();
    SHOAL_CO_TRY(co_await client_.flow());
  }
  co_return Result<>();
}

}  // namespace shoal::session
