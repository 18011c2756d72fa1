// What a session answers by itself: settings, SQL-level prepared statements, SHOW, EXPLAIN.
// Transaction control is in transactions.cc, DDL and shoal.* calls in schema.cc.
#include "session/outputs.h"
#include "session/session.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/visit.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

std::string lower(std::string_view text) {
  std::string s(text);
  std::transform(s.begin(), s.end(), s.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

}  // namespace

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

// ---- SET --------------------------------------------------------------------------------------

io::Task<Result<>> Session::run_set(const sql::SetVariable& set, std::string_view given) {
  using Kind = sql::SetVariable::Kind;
  std::string name = lower(set.name);
  if (name.starts_with("shoal.")) co_return run_set_shoal(set, name);
  if (set.kind == Kind::kResetAll) SHOAL_CO_TRY(check_reset_all());
  std::string text(given);
  bool reset = set.kind == Kind::kReset || set.kind == Kind::kDefault;
  if (set.kind == Kind::kMulti && name == "transaction") {
    if (txn_.idle()) co_return co_await pass_text(home_or_enlisted(), text, true);
    SHOAL_CO_TRY(co_await txn_.set_characteristics(text));
    note_isolation(set.isolation);
    mind_isolation();
    complete("SET");
    co_return Result<>();
  }
  if (set.kind == Kind::kMulti && name != "session characteristics")
    co_return refuse(Refusal::kSetNotTracked, "SET " + set.name);
  if (set.local && txn_.idle()) co_return co_await pass_text(home_or_enlisted(), text, true);

  // RESET goes back to what the start-up packet said, which servers do not know.
  std::string run = text;
  if (reset && initial_settings_.contains(name)) run = initial_settings_[name];
  if (set.kind == Kind::kResetAll) {
    for (const auto& [n, value] : initial_settings_) run += ";" + value;
  }
  bool was_idle = txn_.idle();
  const std::string user = facts_.user;
  ShardId shard = home_or_enlisted();
  Result<backend::Connection*> c = co_await txn_.use_for_words(shard);
  if (!c) co_return c.error();
  Result<backend::TextRows> done = co_await (*c)->query(run);
  if (!done) co_return done.error();
  client_.out() += done->notices;
  if (!was_idle) {
    for (exec::Transaction::Participant& p : txn_.participants()) {
      if (!p.begun || p.shard == shard) continue;
      Result<backend::TextRows> other = co_await p.connection->query(run);
      if (!other) co_return other.error();
    }
    txn_.replay(run);
    sets_.push_back(run);
  }
  if (!set.local) {
    auto record = [&](const std::string& n, std::optional<std::string> statement) {
      if (statement) {
        settings_[n] = *statement;
      } else {
        settings_.erase(n);
      }
    };
    if (set.kind == Kind::kResetAll) {
      // The role is not a parameter that RESET ALL touches.
      backend::Settings kept = initial_settings_;
      for (const char* special : {"role", "session_authorization"})
        if (auto it = settings_.find(special); it != settings_.end()) kept.insert(*it);
      settings_ = std::move(kept);
      if (txn_.idle() && !before_scope_) before_scope_ = facts_;
      std::vector<std::string> temporary = std::move(facts_.temp_tables);
      facts_ = initial_facts_;
      facts_.temp_tables = std::move(temporary);
      if (auto role = settings_.find("role"); role != settings_.end()) facts_.user = user;
      local_facts_.reset();
    } else if (set.kind == Kind::kMulti) {
      if (!set.isolation.empty())
        record("default_transaction_isolation",
               fmt::format("SET default_transaction_isolation TO '{}'", set.isolation));
      if (set.read_only)
        record(
            "default_transaction_read_only",
            fmt::format("SET default_transaction_read_only TO {}", *set.read_only ? "on" : "off"));
      if (set.deferrable)
        record("default_transaction_deferrable",
               fmt::format("SET default_transaction_deferrable TO {}",
                           *set.deferrable ? "on" : "off"));
    } else if (reset) {
      auto initial = initial_settings_.find(name);
      record(name, initial == initial_settings_.end() ? std::optional<std::string>()
                                                      : std::optional(initial->second));
    } else {
      record(name, text);
    }
    if (was_idle) (*c)->settings = settings_;
  }
  if (set.kind != Kind::kMulti) {
    std::optional<std::vector<std::string>> values = constant_values(set.values);
    change_facts(set.local, [&] {
      if (reset)
        reset_setting_in_facts(name);
      else if (values)
        apply_setting_to_facts(name, *values);
    });
    if (name == "transaction_isolation" && values && !txn_.idle()) {
      note_isolation(values->front());
      mind_isolation();
    }
  } else if (!set.isolation.empty()) {
    change_facts(false, [&] { facts_.default_isolation = set.isolation; });
  }
  facts_changed();
  report_parameters(**c);
  complete(set.kind == Kind::kReset || set.kind == Kind::kResetAll ? "RESET" : "SET");
  co_return Result<>();
}

void Session::reset_setting_in_facts(const std::string& name) {
  if (name == "search_path") facts_.search_path = initial_facts_.search_path;
  if (name == "datestyle") facts_.date_style = initial_facts_.date_style;
  if (name == "timezone") facts_.time_zone = initial_facts_.time_zone;
  if (name == "standard_conforming_strings")
    facts_.standard_strings = initial_facts_.standard_strings;
  if (name == "role") facts_.user = identity_.login.user;
  if (name == "default_transaction_isolation")
    facts_.default_isolation = initial_facts_.default_isolation;
}

void Session::apply_setting_to_facts(const std::string& name,
                                     const std::vector<std::string>& values) {
  if (values.empty()) return;
  const std::string& first = values.front();
  if (name == "search_path") {
    // One quoted list ('a, b' of set_config and start-up) or one entry for each value.
    std::vector<std::string> entries = values;
    if (values.size() == 1 && (first.find(',') != std::string::npos || first.empty() ||
                               first.find('"') != std::string::npos)) {
      entries.clear();
      std::string entry;
      bool quoted = false;
      for (char ch : first + ",") {
        if (ch == '"') {
          quoted = !quoted;
        } else if (ch == ',' && !quoted) {
          if (!entry.empty()) entries.push_back(entry);
          entry.clear();
        } else if (quoted || !std::isspace(static_cast<unsigned char>(ch))) {
          entry.push_back(quoted ? ch
                                 : static_cast<char>(std::tolower(static_cast<unsigned char>(ch))));
        }
      }
    }
    facts_.search_path.clear();
    for (std::string& e : entries) facts_.search_path.push_back(e == "$user" ? facts_.user : e);
  } else if (name == "datestyle") {
    std::string joined;
    for (const std::string& v : values) joined += (joined.empty() ? "" : ", ") + v;
    facts_.date_style = joined;
  } else if (name == "timezone") {
    facts_.time_zone = first;
  } else if (name == "standard_conforming_strings") {
    facts_.standard_strings = lower(first) == "on" || lower(first) == "true" || first == "1";
  } else if (name == "role") {
    facts_.user = lower(first) == "none" ? identity_.login.user : first;
  } else if (name == "default_transaction_isolation") {
    facts_.default_isolation = first;
  }
  facts_changed();
}

void Session::facts_changed() {
  hash_facts(facts_);
}

void Session::hash_facts(route::SessionFacts& facts) {
  std::string all;
  for (const std::string& s : facts.search_path) all += s + '\1';
  all += facts.user + '\2' + facts.date_style + '\2' + facts.time_zone + '\2';
  all += facts.standard_strings ? '1' : '0';
  all += facts.scope_key ? "k" + *facts.scope_key : "-";
  all += facts.shard ? "s" + *facts.shard : "-";
  all += static_cast<char>('0' + static_cast<int>(facts.fanout));
  all += facts.require_key ? 'r' : '-';
  for (const std::string& t : facts.temp_tables) all += '\3' + t;
  facts.settings_hash = std::hash<std::string>{}(all);
}

// A set_config call reaches the client's other connections by being recorded like SET.
Result<> Session::note_set_config(const sql::Statement& statement, const exec::Bound* bound,
                                  std::uint32_t tag) {
  const auto* select = std::get_if<sql::SelectPtr>(&statement.node);
  if (!select) return refuse(Refusal::kSetNotTracked);
  const sql::Select& s = **select;
  if (!s.from.empty() || s.op != sql::Select::SetOp::kNone || s.where || !s.with.ctes.empty())
    return refuse(Refusal::kSetNotTracked, "set_config inside a larger query");
  auto text_of = [&](const sql::Expr& e) -> std::optional<std::string> {
    const sql::Expr* at = &e;
    while (const auto* cast = std::get_if<sql::Cast>(&at->node)) at = cast->arg.get();
    if (const auto* c = std::get_if<sql::Const>(&at->node))
      return c->kind == sql::Const::Kind::kNull ? std::nullopt : std::optional(c->text);
    if (const auto* p = std::get_if<sql::Param>(&at->node); p && bound) {
      auto i = static_cast<std::size_t>(p->number - 1);
      if (i >= bound->values.size() || !bound->values[i]) return std::nullopt;
      std::string value(*bound->values[i]);
      if (bound->formats[i] == wire::Format::kBinary && value.size() == 1)
        return value[0] ? "t" : "f";  // boolean
      return value;
    }
    return std::nullopt;
  };
  std::vector<PendingSet> sets;
  for (const sql::Target& t : s.targets) {
    const auto* call = t.expr ? std::get_if<sql::Call>(&t.expr->node) : nullptr;
    bool is_set = call && call->name.back() == "set_config";
    if (!is_set) {
      if (t.expr && mentions(sql::deparse(*t.expr), "set_config"))
        return refuse(Refusal::kSetNotTracked, "set_config inside an expression");
      continue;
    }
    if (call->args.size() != 3) continue;  // PostgreSQL's error
    std::optional<std::string> name = text_of(*call->args[0]), value = text_of(*call->args[1]),
                               local = text_of(*call->args[2]);
    if (!name || !value || !local) return refuse(Refusal::kSetNotTracked, "NULL or an expression");
    if (lower(*name).starts_with("shoal."))
      return refuse(Refusal::kScope, "shoal settings change by SET only");
    bool is_local = lower(*local) == "t" || lower(*local) == "true" || *local == "1";
    if (lower(*name) == "transaction_isolation" && !txn_.idle()) {
      note_isolation(*value);
      mind_isolation();
    }
    if (is_local && txn_.idle()) continue;
    sets.push_back({tag, lower(*name), *value, is_local});
  }
  pending_sets_.insert(pending_sets_.end(), sets.begin(), sets.end());
  return {};
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

// Where EXECUTE's arguments may be computed: they must not read what is elsewhere, or not the
// session's to see.
Result<ShardId> Session::place_arguments(const sql::Execute& e, const std::string& select) {
  for (const sql::ExprPtr& arg : e.params) {
    if (sql::contains_sublink(*arg))
      return make_error("0A000", "cannot use subquery in EXECUTE parameter");
  }
  sql::ParseLimits limits{context_.limits.statement_bytes, context_.limits.sql_depth};
  auto parsed = sql::parse(select, limits, true);
  if (!parsed) return parsed.error();
  plan::PlanPtr plan = make_plan(parsed->front(), {});
  if (const auto* refused = std::get_if<Error>(&plan->node)) return *refused;
  const auto* forward = std::get_if<plan::Forward>(&plan->node);
  if (!forward || !forward->text.sql.empty())
    return refuse(Refusal::kScope, "an argument of EXECUTE");
  return home_or_enlisted();
}

// ---- PREPARE, EXECUTE, EXPLAIN ------------------------------------------------------------------

io::Task<Result<>> Session::run_prepare(const sql::Prepare& p, const sql::Statement& inner) {
  if (statements_.contains(p.name))
    co_return make_error("42P05", fmt::format("prepared statement \"{}\" already exists", p.name));
  if (hinted_) {
    co_return refuse(Refusal::kSetNotTracked, "a shoal: comment at PREPARE",
                     "write the comment at EXECUTE");
  }
  Result<std::string> text = deparse_dml(inner);
  if (!text) co_return text.error();
  std::vector<std::uint32_t> types;
  for (const sql::TypeName& t : p.types) {
    const catalog::Type* type = snapshot()->resolve_type(facts_.search_path, t.names);
    if (!type || !t.array_bounds.empty())
      co_return refuse(Refusal::kUnknownGrammar, "PREPARE with this parameter type");
    types.push_back(type->oid.value);
  }
  sql::ParseLimits limits{context_.limits.statement_bytes, context_.limits.sql_depth};
  StatementPtr statement = make_statement(*text, types, limits, true, services_.commands);
  if (statement->syntax_error) co_return *statement->syntax_error;
  Result<exec::DescriptionPtr> description = co_await describe(*text, types);
  if (!description) co_return description.error();
  statements_[p.name] = {statement, shape_of((*description)->row_description), snapshot()->epoch};
  complete("PREPARE");
  co_return Result<>();
}

io::Task<Result<>> Session::run_execute(const sql::Execute& e, const exec::Bound* asked) {
  const bool simple = asked == nullptr;
  auto found = statements_.find(e.name);
  if (found == statements_.end() || e.name.empty())
    co_return make_error("26000", fmt::format("prepared statement \"{}\" does not exist", e.name));
  const Named named = found->second;
  StatementPtr statement = named.statement;
  Result<exec::DescriptionPtr> description = co_await describe(statement->text, statement->types);
  if (!description) co_return description.error();
  SHOAL_CO_TRY(same_shape(named, **description));
  const std::vector<std::uint32_t>& types = (*description)->param_types;
  if (types.size() != e.params.size())
    co_return make_error(
        "42601", fmt::format("wrong number of parameters for prepared statement \"{}\"", e.name),
        fmt::format("Expected {} parameters but got {}.", types.size(), e.params.size()));
  Portal portal;
  portal.statement = statement;
  std::vector<std::optional<std::string>> owned;
  if (!e.params.empty()) {
    // Home computes the arguments: they are expressions.
    std::string sql = "SELECT ";
    for (std::size_t i = 0; i < e.params.size(); ++i) {
      const catalog::Type* type = snapshot()->type(Oid(types[i]));
      sql += fmt::format("{}({})", i ? ", " : "", sql::deparse(*e.params[i]));
      if (type)
        sql += fmt::format("::{}.{}", sql::quote_identifier(type->schema),
                           sql::quote_identifier(type->name));
    }
    Result<ShardId> where = place_arguments(e, sql);
    if (!where) co_return where.error();
    Result<backend::Connection*> c = co_await txn_.use(*where);
    if (!c) co_return c.error();
    Result<backend::TextRows> values = co_await (*c)->query(sql);
    if (!values) co_return values.error();
    owned = values->rows.at(0);
    txn_.release();
  }
  exec::Bound& bound = portal.bound;
  bound.text = statement->text;
  bound.types = types;
  if (asked) bound.result_formats = asked->result_formats;
  for (const auto& v : owned) {
    bound.values.push_back(v ? wire::Value(*v) : std::nullopt);
    bound.formats.push_back(wire::Format::kText);
  }
  Result<plan::PlanPtr> plan = co_await plan_bound(statement, bound);
  if (!plan) co_return plan.error();
  for (;;) {
    if (const auto* refused = std::get_if<Error>(&(*plan)->node)) co_return *refused;
    Result<> held = co_await wait_for_holds(**plan);
    if (held) break;
    if (!is_plan_again(held.error())) co_return held.error();
    plan = co_await plan_bound(statement, bound);
    if (!plan) co_return plan.error();
  }
  const auto* forward = std::get_if<plan::Forward>(&(*plan)->node);
  if (!forward || !forward->text.sql.empty())
    co_return co_await run_over_shards(**plan, bound, statement->statement(), simple);
  Result<backend::Connection*> c = co_await txn_.use(forward->shard);
  if (!c) co_return c.error();
  if ((*plan)->writes) txn_.mark_wrote(forward->shard);
  if ((*plan)->user_code) (*c)->user_code = true;
  ++tag_;
  wire::append_parse((*c)->out(), "", statement->text, types);
  (*c)->unnamed.clear();
  wire::append_bind((*c)->out(), "", "", bound.formats, bound.values, bound.result_formats);
  (*c)->pending().sent('P', {.swallow = true, .tag = tag_});
  (*c)->pending().sent('B', {.swallow = true, .tag = tag_});
  if (simple && (*description)->returns_rows) {
    wire::append_describe((*c)->out(), wire::Target::kPortal, "");
    (*c)->pending().sent_describe(wire::Target::kPortal, {.tag = tag_});
  }
  wire::append_execute((*c)->out(), "");
  wire::append_sync((*c)->out());
  (*c)->pending().sent('E', {.tag = tag_});
  (*c)->pending().sent('S', {.swallow = true, .tag = tag_});
  co_return co_await relay(**c);
}

io::Task<Result<>> Session::run_deallocate(const sql::Deallocate& d) {
  if (d.all) {
    std::erase_if(statements_, [](const auto& s) { return !s.first.empty(); });
    complete("DEALLOCATE ALL");
    co_return Result<>();
  }
  if (statements_.erase(d.name) == 0)
    co_return make_error("26000", fmt::format("prepared statement \"{}\" does not exist", d.name));
  complete("DEALLOCATE");
  co_return Result<>();
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
