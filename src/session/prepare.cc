// PREPARE, EXECUTE and DEALLOCATE as SQL.
#include "session/session.h"
#include "sql/deparse.h"
#include "sql/visit.h"
#include "wire/frontend.h"

namespace shoal::session {
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

}  // namespace shoal::session
