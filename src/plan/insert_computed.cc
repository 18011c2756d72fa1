// INSERT whose values or rows must be known before they can be placed: they are computed on home
// (or gathered) first, in input order, and each row then goes to the shard of its key. The values
// travel with their own types, so that the shards convert them by assignment as PostgreSQL does.
#include "plan/insert.h"
#include "plan/planner.h"
#include "plan/texts.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::plan {

using catalog::TableKind;

namespace {

Plan failed(Error e) {
  Plan out;
  out.reason = e.detail.empty() ? e.message : e.detail;
  out.node = std::move(e);
  return out;
}

// The text of ON CONFLICT as it stands behind the values.
Result<std::string> conflict_text(const sql::Insert& s) {
  if (!s.on_conflict) return std::string();
  if (s.table.alias)
    return refuse(Refusal::kInsertSource, "ON CONFLICT with an alias of the table");
  auto shape = sql::clone(s);
  shape->with = {};
  shape->columns.clear();
  shape->returning.clear();
  shape->overriding = sql::Insert::Overriding::kNone;
  shape->source = std::make_unique<sql::Select>();
  shape->source->values.emplace_back();
  shape->source->values.back().push_back(make_integer(1));
  bool parameters = false;
  sql::walk(*shape, [&](const auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
      parameters = parameters || std::holds_alternative<sql::Param>(node.node);
    }
    return true;
  });
  if (parameters)
    return refuse(Refusal::kInsertSource, "parameters in ON CONFLICT of computed rows");
  if (s.on_conflict->do_update && s.on_conflict->where && !s.returning.empty()) {
    return refuse(Refusal::kConflictArbiter, "RETURNING of ON CONFLICT DO UPDATE ... WHERE");
  }
  const std::string text = sql::deparse(*shape);
  const auto at = text.find("ON CONFLICT");
  if (at == std::string::npos) return refuse(Refusal::kUnknownGrammar, "ON CONFLICT");
  return text.substr(at);
}

Result<std::string> returning_text(const sql::Insert& s) {
  std::string out;
  for (const auto& t : s.returning) {
    if (s.table.alias || !sql::params(*t.expr).empty()) {
      return refuse(Refusal::kInsertSource,
                    "an alias or a parameter in RETURNING of computed rows");
    }
    if (!out.empty()) out += ", ";
    out += sql::deparse(*t.expr);
    const auto* c = std::get_if<sql::ColumnRef>(&t.expr->node);
    if (c != nullptr && c->star) continue;
    const std::string name = sql::output_name(t);
    if (!t.name.empty())
      out += " AS " + sql::quote_identifier(t.name);
    else if (!name.empty() && name != "?column?")
      out += " AS " + sql::quote_identifier(name);
  }
  return out;
}

// Everything of a RoutedInsert but its source.
Result<RoutedInsert> shape_of(const InsertWork& w) {
  RoutedInsert insert;
  const catalog::Table& t = *w.target.table;
  auto conflict = conflict_text(w.s);
  if (!conflict) return conflict.error();
  auto returning = returning_text(w.s);
  if (!returning) return returning.error();
  insert.returning = std::move(*returning);
  insert.table = t.oid;
  bool identity = w.s.overriding == sql::Insert::Overriding::kSystem;
  if (w.s.overriding == sql::Insert::Overriding::kUser) {
    return refuse(Refusal::kInsertSource, "OVERRIDING USER VALUE with computed rows");
  }
  for (const auto* c : w.target.columns) insert.columns.push_back(c->name);
  for (const auto* c : w.filled) insert.columns.push_back(c->name);
  // An identity column takes the value that was drawn for it.
  const auto drawn = [](const catalog::Column* c) { return c->identity; };
  identity = identity || std::any_of(w.filled.begin(), w.filled.end(), drawn);
  if (plain_values(w.s)) {
    for (std::size_t i = 0; i < w.target.columns.size(); ++i) {
      if (!w.target.columns[i]->identity) continue;
      const bool all_drawn =
          std::all_of(w.s.source->values.begin(), w.s.source->values.end(),
                      [&](const auto& row) { return i >= row.size() || is_default(row[i]); });
      identity = identity || all_drawn;
    }
  }
  if (identity) insert.insert_suffix = "OVERRIDING SYSTEM VALUE";
  if (!conflict->empty()) insert.insert_suffix += (identity ? " " : "") + *conflict;
  if (t.kind != TableKind::kSharded) {
    insert.copies = t.kind == TableKind::kReference ? w.in.snapshot.active_shards()
                                                    : std::vector<ShardId>{w.in.snapshot.home};
    return insert;
  }
  insert.keyspace = t.keyspace;
  for (const std::int16_t attnum : t.key_attnums) {
    const std::string& name = t.column(attnum)->name;
    const auto at = std::find(insert.columns.begin(), insert.columns.end(), name);
    if (at == insert.columns.end()) return refuse(Refusal::kNullKey, "column " + name);
    insert.key_columns.push_back(static_cast<int>(at - insert.columns.begin()));
  }
  return insert;
}

bool is_string_or_null(const sql::Expr& e) {
  const auto* c = std::get_if<sql::Const>(&e.node);
  return c != nullptr &&
         (c->kind == sql::Const::Kind::kString || c->kind == sql::Const::Kind::kNull);
}

bool is_number(const sql::Expr& e) {
  const auto* c = std::get_if<sql::Const>(&e.node);
  return c != nullptr &&
         (c->kind == sql::Const::Kind::kInteger || c->kind == sql::Const::Kind::kFloat);
}

// A literal without a type, or a parameter, takes the column's; everything else keeps its own.
Result<sql::ExprPtr> typed(const InsertWork& w, const sql::Expr& e, const catalog::Column& c) {
  bool open = is_string_or_null(e);
  if (const auto* p = std::get_if<sql::Param>(&e.node)) {
    constexpr std::uint32_t kUnknown = 705;
    const auto i = static_cast<std::size_t>(p->number - 1);
    open = i >= w.in.params.size() || w.in.params[i].type.value == 0 ||
           w.in.params[i].type.value == kUnknown;
  }
  if (!open) return sql::clone(e);
  const catalog::Type* type = w.in.snapshot.type(c.type);
  if (type == nullptr) return refuse(Refusal::kInsertSource, "the type of column " + c.name);
  return make_cast(sql::clone(e), *type);
}

// VALUES gives each column one type for all rows; INSERT would convert each value by itself. The
// two are the same for literals, parameters, defaults and plain numbers, and for a single row.
bool rows_keep_types(const InsertWork& w) {
  const auto& rows = w.s.source->values;
  if (rows.size() == 1) return true;
  return std::all_of(rows.begin(), rows.end(), [](const auto& row) {
    return std::all_of(row.begin(), row.end(), [](const auto& e) {
      return is_default(e) || is_string_or_null(*e) || is_number(*e) ||
             std::holds_alternative<sql::Param>(e->node);
    });
  });
}

}  // namespace

Result<sql::ExprPtr> default_expr(const catalog::Snapshot& snapshot, const catalog::Column& c) {
  const catalog::Type* type = snapshot.type(c.type);
  if (type == nullptr) return refuse(Refusal::kInsertSource, "the type of column " + c.name);
  if (c.sequence.value != 0) {
    const catalog::Table* sequence = snapshot.table(c.sequence);
    if (sequence == nullptr) return refuse(Refusal::kInsertSource, "the sequence of " + c.name);
    sql::Cast regclass;
    regclass.arg = make_string(qualified(*sequence));
    regclass.type.names = {"pg_catalog", "regclass"};
    auto argument = std::make_unique<sql::Expr>();
    argument->node = std::move(regclass);
    return make_cast(make_call("nextval", std::move(argument)), *type);
  }
  if (!c.has_default || c.default_sql.empty()) {
    auto null = std::make_unique<sql::Expr>();
    null->node = sql::Const{};
    return make_cast(std::move(null), *type);
  }
  auto parsed = sql::parse("SELECT " + c.default_sql, sql::ParseLimits{});
  if (!parsed || parsed->size() != 1)
    return refuse(Refusal::kInsertSource, "the default of " + c.name);
  auto& select = std::get<sql::SelectPtr>(parsed->front().node);
  return make_cast(std::move(select->targets.front().expr), *type);
}

namespace {

// The value in the column's type. Home has judged the statement as it came, so that only values
// which assignment may convert get here; a length is cut or refused where the row is stored.
Result<sql::ExprPtr> stored(const InsertWork& w, const sql::Expr& e, const catalog::Column& c) {
  const catalog::Type* type = w.in.snapshot.type(c.type);
  while (type != nullptr && type->typtype == 'd') type = w.in.snapshot.type(type->base);
  if (type == nullptr) return refuse(Refusal::kInsertSource, "the type of column " + c.name);
  return make_cast(sql::clone(e), *type);
}

}  // namespace

namespace {

// WITH queries before INSERT go with its source; one of its own list may hide one of theirs.
Result<sql::SelectPtr> with_before(const InsertWork& w, sql::SelectPtr source) {
  if (w.s.with.ctes.empty()) return source;
  if (!w.a.block(w.a.relation(w.a.target).owner).sublinks.empty()) {
    return refuse(Refusal::kInsertSource,
                  "a WITH list beside a subquery in ON CONFLICT or RETURNING of computed rows");
  }
  if (!source->with.ctes.empty()) {
    sql::FromSelect inner;
    inner.query = std::move(source);
    inner.alias = sql::Alias{"shoal_source", {}};
    auto item = std::make_unique<sql::FromItem>();
    item->node = std::move(inner);
    sql::ColumnRef all;
    all.star = true;
    sql::Target target;
    target.expr = std::make_unique<sql::Expr>();
    target.expr->node = std::move(all);
    source = std::make_unique<sql::Select>();
    source->targets.push_back(std::move(target));
    source->from.push_back(std::move(item));
  }
  source->with = std::move(sql::clone(w.s)->with);
  return source;
}

// The plan of a query that gives the rows.
Plan source_of(const InsertWork& w, sql::SelectPtr tree) {
  auto whole = with_before(w, std::move(tree));
  if (!whole) return failed(whole.error());
  sql::Statement query;
  query.text = w.in.statement.text;
  query.max_param = w.in.statement.max_param;
  query.node = std::move(*whole);
  return make_source_plan({query, w.in.snapshot, w.in.session, w.in.params, w.in.unique});
}

bool no_plan(const Plan& p) {
  return std::holds_alternative<Error>(p.node) || std::holds_alternative<NeedTypes>(p.node);
}

}  // namespace

Plan computed_values(const InsertWork& w) {
  const bool own_types = rows_keep_types(w);
  auto insert = shape_of(w);
  if (!insert) return failed(insert.error());
  auto query = std::make_unique<sql::Select>();
  for (const auto& values : w.s.source->values) {
    sql::ExprList row;
    for (std::size_t i = 0; i < w.target.columns.size(); ++i) {
      const catalog::Column& c = *w.target.columns[i];
      const bool given = i < values.size() && !is_default(values[i]);
      auto value = given ? typed(w, *values[i], c) : default_expr(w.in.snapshot, c);
      if (given && !own_types) value = stored(w, *values[i], c);
      if (!value) return failed(value.error());
      row.push_back(std::move(*value));
    }
    for (const catalog::Column* c : w.filled) {
      auto value = default_expr(w.in.snapshot, *c);
      if (!value) return failed(value.error());
      row.push_back(std::move(*value));
    }
    query->values.push_back(std::move(row));
  }
  Plan source, out;
  const bool at_home =
      w.source.anywhere() || (w.source.singular() && w.source.shards[0] == w.in.snapshot.home);
  if (at_home) {
    auto whole = with_before(w, std::move(query));
    if (!whole) return failed(whole.error());
    auto text = text_of(**whole);
    if (!text) return failed(text.error());
    source.node = Forward{w.in.snapshot.home, std::move(*text)};
    source.reason = "values computed on the home shard";
    out.reason = "values are computed on the home shard, then placed row by row";
  } else {
    source = source_of(w, std::move(query));
    if (no_plan(source)) return source;
    out.explain = source.explain;
    out.reason = "subqueries among the values are gathered, then the rows placed one by one";
  }
  insert->source = std::make_shared<Plan>(std::move(source));
  out.node = std::move(*insert);
  return out;
}

// A gathered source. Columns that the statement leaves out are added where its rows come together.
Plan computed_rows(const InsertWork& w) {
  const route::Block& root = w.a.block(w.a.root);
  if (root.outputs.size() != w.target.columns.size()) {
    return failed(make_error("42601", "INSERT has more target columns than expressions"));
  }
  if (w.moment && !w.a.effects.moment && w.filled.empty() &&
      w.target.table->kind != TableKind::kSingle) {
    return failed(refuse(Refusal::kInsertSource, "a default of the time over several shards"));
  }
  auto insert = shape_of(w);
  if (!insert) return failed(insert.error());
  sql::SelectPtr tree = sql::clone(*w.s.source);
  // A literal in the SELECT list takes the column's type.
  const bool plain =
      tree->op == sql::Select::SetOp::kNone && tree->values.empty() && !tree->distinct;
  for (std::size_t i = 0; plain && i < tree->targets.size(); ++i) {
    if (tree->targets.size() != w.target.columns.size()) break;  // a star is among them
    auto& e = tree->targets[i].expr;
    const bool open = is_string_or_null(*e) || std::holds_alternative<sql::Param>(e->node);
    if (!open) continue;
    auto value = typed(w, *e, *w.target.columns[i]);
    if (!value) return failed(value.error());
    e = std::move(*value);
  }
  if (!w.filled.empty()) {
    sql::Select wrapped;
    sql::FromSelect inner;
    inner.query = std::move(tree);
    inner.alias = sql::Alias{"shoal_source", {}};
    for (std::size_t i = 0; i < w.target.columns.size(); ++i) {
      inner.alias->columns.push_back("shoal_c" + std::to_string(i + 1));
      sql::Target target;
      target.expr = make_column("shoal_source", inner.alias->columns.back());
      wrapped.targets.push_back(std::move(target));
    }
    for (const catalog::Column* c : w.filled) {
      auto value = default_expr(w.in.snapshot, *c);
      if (!value) return failed(value.error());
      sql::Target target;
      target.expr = std::move(*value);
      wrapped.targets.push_back(std::move(target));
    }
    auto item = std::make_unique<sql::FromItem>();
    item->node = std::move(inner);
    wrapped.from.push_back(std::move(item));
    tree = std::make_unique<sql::Select>(std::move(wrapped));
  }
  Plan source = source_of(w, std::move(tree));
  if (no_plan(source)) return source;
  Plan out;
  out.explain = source.explain;
  insert->source = std::make_shared<Plan>(std::move(source));
  out.node = std::move(*insert);
  out.reason = "the rows of the source are gathered, then placed row by row";
  return out;
}

}  // namespace shoal::plan
