// The plans of statements under SET shoal.key and SET shoal.shard.
#include "plan/planner.h"
#include "plan/scope.h"
#include "plan/texts.h"
#include "route/bind.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::plan {

using catalog::TableKind;

std::optional<Error> Planner::own_texts(Plan& plan, const sql::Statement& changed) const {
  ShardText* text = nullptr;
  if (auto* f = std::get_if<Forward>(&plan.node)) text = &f->text;
  if (auto* s = std::get_if<Scatter>(&plan.node)) text = &s->text;
  if (auto* r = std::get_if<ReferenceWrite>(&plan.node)) text = &r->text;
  if (text == nullptr || !text->sql.empty()) return std::nullopt;
  std::optional<Error> error;
  const auto take = [&](Result<ShardText> made) {
    if (made)
      *text = std::move(*made);
    else
      error = made.error();
  };
  if (const auto* q = std::get_if<sql::SelectPtr>(&changed.node)) take(text_of(*sql::clone(**q)));
  if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&changed.node))
    take(text_of(*sql::clone(**i)));
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&changed.node))
    take(text_of(*sql::clone(**u)));
  if (const auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&changed.node))
    take(text_of(*sql::clone(**d)));
  return error;
}

namespace {

sql::Statement copy_of(const sql::Statement& s) {
  sql::Statement out;
  out.text = s.text;
  out.max_param = s.max_param;
  out.has_opaque = s.has_opaque;
  if (const auto* q = std::get_if<sql::SelectPtr>(&s.node))
    out.node = sql::clone(**q);
  else if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&s.node))
    out.node = sql::clone(**i);
  else if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&s.node))
    out.node = sql::clone(**u);
  else if (const auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&s.node))
    out.node = sql::clone(**d);
  return out;
}

bool is_row_statement(const sql::Statement& s) {
  return s.node.index() <= 3;  // SELECT, INSERT, UPDATE, DELETE
}

}  // namespace

// Statements about whole tables have no place for the condition: they may only touch what no key
// has rows in.
Plan Planner::scoped_utility(route::SessionFacts free) {
  const auto& node = in_.statement.node;
  const bool code = std::holds_alternative<sql::CallProcedure>(node) ||
                    std::holds_alternative<sql::DoBlock>(node) ||
                    std::holds_alternative<std::unique_ptr<sql::Merge>>(node);
  if (code) return refused(Refusal::kScope, "what it does can't be kept to one key");
  if (const auto* t = std::get_if<sql::Truncate>(&node); t != nullptr && t->cascade)
    return refused(Refusal::kScope, "TRUNCATE CASCADE reaches other tables");
  const PlanInput input{in_.statement, snapshot_, free, in_.params, in_.unique};
  Plan plan = make_plan(input);
  if (std::holds_alternative<Error>(plan.node)) return plan;
  const bool touches = std::any_of(plan.tables.begin(), plan.tables.end(), [&](Oid oid) {
    const catalog::Table* t = snapshot_.table(oid);
    return t != nullptr && (t->kind == TableKind::kSharded || t->kind == TableKind::kCatalog);
  });
  if (touches || !std::holds_alternative<Forward>(plan.node))
    return refused(Refusal::kScope, "the statement is about all rows of its tables");
  return plan;
}

Plan Planner::scoped() {
  route::SessionFacts free = in_.session;
  free.scope_key.reset();
  free.require_key = false;
  if (const auto* c = std::get_if<sql::Copy>(&in_.statement.node)) return scoped_copy(*c, free);
  if (!is_row_statement(in_.statement)) return scoped_utility(std::move(free));
  sql::Statement changed = copy_of(in_.statement);
  auto filtered = filter_by_scope(changed, snapshot_, in_.session, reader_);
  // What a parameter is worth is only known with its type.
  if (reader_.need_types) return Plan{};
  if (!filtered) return error(filtered.error());
  const std::optional<std::string> bound = std::exchange(free.shard, std::nullopt);
  const sql::Statement& planned = *filtered ? changed : in_.statement;
  const PlanInput input{planned, snapshot_, free, in_.params, in_.unique};
  Plan plan = make_plan(input);
  if (std::holds_alternative<Error>(plan.node) || std::holds_alternative<NeedTypes>(plan.node))
    return plan;
  if (*filtered) {
    if (auto e = own_texts(plan, changed)) return error(std::move(*e));
  }
  if (bound) {
    const auto* f = std::get_if<Forward>(&plan.node);
    if (f == nullptr || shard_name(f->shard) != *bound) {
      return refused(Refusal::kScope, "shoal.key lies elsewhere than shoal.shard says");
    }
  }
  if (!*filtered) return plan;
  plan.reuse.reset();
  shape_all(plan);
  plan.depends_on_params = in_.statement.max_param > 0;
  plan.reason = "shoal.key = '" + *in_.session.scope_key + "'";
  return plan;
}

// COPY TO becomes COPY of a query that can be filtered; COPY FROM takes rows of the key only.
Plan Planner::scoped_copy(const sql::Copy& c, const route::SessionFacts& free) {
  const bool file = !c.file.empty() || c.program;
  if (file) return refused(Refusal::kScope, "COPY with a file or a program of a server");
  if (c.opaque_query) return refused(Refusal::kScope, "COPY of a data-modifying query");
  const catalog::Table* t = nullptr;
  if (!c.query) named_table(c.table, t);
  if (!c.query && t == nullptr) {
    const auto& temps = in_.session.temp_tables;
    if (std::find(temps.begin(), temps.end(), c.table.name) == temps.end())
      return error(make_error("42P01", "relation \"" + c.table.name + "\" does not exist"));
  }
  if (c.from && c.where) {
    sql::Statement condition;
    auto select = std::make_unique<sql::Select>();
    select->where = sql::clone(*c.where);
    condition.node = std::move(select);
    const route::Analysis nothing;
    if (auto e = beyond_scope(condition, nothing, snapshot_, in_.session))
      return error(std::move(*e));
  }
  if (c.from || (!c.query && t == nullptr)) {
    const PlanInput input{in_.statement, snapshot_, free, in_.params, in_.unique};
    Planner planner(input);
    planner.fills_key_ = true;
    Plan plan = planner.plan();
    auto* in = std::get_if<CopyIn>(&plan.node);
    if (in == nullptr || in->reference) return plan;
    if (in->key_fields.size() != 1)
      return refused(Refusal::kScope, "table " + t->name + " has a shard key of several columns");
    in->scope = *in_.session.scope_key;
    if (in_.session.shard) in->shards = {snapshot_.shard(*in_.session.shard)->id};
    return plan;
  }
  sql::Statement query;
  query.node = c.query ? sql::clone(*c.query) : table_query(c, *t);
  auto filtered = filter_by_scope(query, snapshot_, in_.session, reader_);
  if (!filtered) return error(filtered.error());
  const auto& select = std::get<sql::SelectPtr>(query.node);
  auto text = sql::deparse_checked(*select);
  if (!text) return error(text.error());
  sql::Copy copy;
  copy.query = sql::clone(*select);
  copy.options = c.options;
  sql::Statement changed;
  changed.node = std::move(copy);
  const PlanInput input{changed, snapshot_, free, in_.params, in_.unique};
  Plan plan = make_plan(input);
  const std::string whole = "COPY (" + *text + ") TO STDOUT" + sql::copy_options(c, true);
  if (const auto* f = std::get_if<Forward>(&plan.node)) plan.node = CopyOut{{f->shard}, {}, false};
  if (auto* out = std::get_if<CopyOut>(&plan.node)) {
    out->header = has_header(c);
    out->text.sql = whole;
  } else if (!std::holds_alternative<Error>(plan.node)) {
    return refused(Refusal::kScope, "COPY of this query");
  }
  plan.reason = "shoal.key = '" + *in_.session.scope_key + "'";
  return plan;
}

// SELECT of the columns that COPY table TO writes.
sql::SelectPtr Planner::table_query(const sql::Copy& c, const catalog::Table& t) const {
  auto out = std::make_unique<sql::Select>();
  std::vector<std::string> columns = c.columns;
  if (columns.empty()) {
    for (const auto& column : t.columns) {
      if (!column.generated) columns.push_back(column.name);
    }
  }
  for (auto& name : columns) {
    sql::Target target;
    target.expr = make_column("", std::move(name));
    out->targets.push_back(std::move(target));
  }
  auto from = std::make_unique<sql::FromItem>();
  sql::RangeVar table = c.table;
  table.only = t.relkind != 'p';
  from->node = std::move(table);
  out->from.push_back(std::move(from));
  return out;
}

// ---- SET shoal.shard ----------------------------------------------------------------------------

// Reads go there as they came, and the answer is that shard's. Writes may not leave rows where they
// do not belong, nor make the copies of a reference table differ.
Plan Planner::planned_shard() {
  const catalog::Shard* s = snapshot_.shard(*in_.session.shard);
  if (s == nullptr)
    return refused(Refusal::kUnknownShard, "shoal.shard is '" + *in_.session.shard + "'");
  const std::string reason = "shoal.shard = '" + s->name + "'";
  Plan out = forward(s->id, reason);
  out.user_code = true;
  const auto& node = in_.statement.node;
  if (!is_row_statement(in_.statement) &&
      !std::holds_alternative<std::unique_ptr<sql::Merge>>(node)) {
    out.writes = true;
    return shard_utility(std::move(out));
  }
  const bool reads = std::holds_alternative<sql::SelectPtr>(node);
  const auto a = route::bind(in_.statement, snapshot_, in_.session);
  out.writes = !reads || a.modifying_cte || a.row_locks || a.effects.home_action;
  out.locks = a.row_locks;
  for (const auto& r : a.relations) {
    if (r->table != nullptr && r->table->kind != TableKind::kCatalog)
      out.tables.push_back(r->table->oid);
  }
  if (reads && !a.modifying_cte) return out;
  const catalog::Table* t = a.target < 0 ? nullptr : a.relation(a.target).table;
  const bool reference =
      (t != nullptr && t->kind == TableKind::kReference) || (a.modifying_cte && a.reference);
  if (reference)
    return refused(Refusal::kScope, "the copies of a reference table would differ",
                   "RESET shoal.shard");
  const bool sharded = a.modifying_cte ? a.sharded : t != nullptr && t->kind == TableKind::kSharded;
  if (!sharded) return out;
  if (std::holds_alternative<std::unique_ptr<sql::Delete>>(node) && !a.modifying_cte) return out;
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&node); u && !a.modifying_cte) {
    const bool sets_key = std::any_of((*u)->set.begin(), (*u)->set.end(), [&](const auto& set) {
      const catalog::Column* c = t->column(std::string_view(set.column));
      return c != nullptr && std::find(t->key_attnums.begin(), t->key_attnums.end(), c->attnum) !=
                                 t->key_attnums.end();
    });
    if (!sets_key) return out;
  }
  return only_on(*s);
}

// What the statement would be without SET shoal.shard, provided that all of it is on that shard.
Plan Planner::only_on(const catalog::Shard& shard) {
  route::SessionFacts free = in_.session;
  free.shard.reset();
  free.require_key = false;
  free.fanout = route::Fanout::kAllow;
  const PlanInput input{in_.statement, snapshot_, free, in_.params, in_.unique};
  Plan plan = make_plan(input);
  if (std::holds_alternative<Error>(plan.node) || std::holds_alternative<NeedTypes>(plan.node))
    return plan;
  if (auto* in = std::get_if<CopyIn>(&plan.node); in != nullptr && !in->reference) {
    in->shards = {shard.id};
    return plan;
  }
  if (auto* rows = std::get_if<RoutedInsert>(&plan.node);
      rows != nullptr && rows->copies.empty() && rows->keyspace.value != 0) {
    rows->only = shard.id;
    return plan;
  }
  plan.reuse.reset();
  shape_all(plan);
  plan.depends_on_params = in_.statement.max_param > 0;
  const auto* f = std::get_if<Forward>(&plan.node);
  if (f != nullptr && f->shard == shard.id) return plan;
  return refused(Refusal::kScope, "some of its rows belong to other shards than " + shard.name,
                 "RESET shoal.shard");
}

Plan Planner::shard_utility(Plan out) {
  const catalog::Shard* s = snapshot_.shard(*in_.session.shard);
  const auto& node = in_.statement.node;
  const auto kind_of = [&](const sql::RangeVar& rv) {
    const catalog::Table* t = nullptr;
    if (named_table(rv, t).value != 0) out.tables.push_back(t->oid);
    return t == nullptr ? TableKind::kSingle : t->kind;
  };
  bool reference = false;
  if (const auto* c = std::get_if<sql::Copy>(&node); c != nullptr) {
    const TableKind kind = c->query ? TableKind::kSingle : kind_of(c->table);
    out.writes = c->from || c->opaque_query;
    if (c->from && kind == TableKind::kSharded) {
      if (!c->file.empty() || c->program)
        return refused(Refusal::kScope, "COPY FROM with a file of a server");
      return only_on(*s);
    }
    reference = c->from && kind == TableKind::kReference;
    if (c->opaque_query && snapshot_.any_sharded())
      return refused(Refusal::kScope, "COPY of a data-modifying query");
  }
  if (const auto* t = std::get_if<sql::Truncate>(&node)) {
    for (const auto& rv : t->tables) reference |= kind_of(rv) == TableKind::kReference;
  }
  if (reference)
    return refused(Refusal::kScope, "the copies of a reference table would differ",
                   "RESET shoal.shard");
  return out;
}

}  // namespace shoal::plan
