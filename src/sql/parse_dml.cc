// INSERT, UPDATE, DELETE, MERGE: the parser's tree -> ours.
#include "sql/convert.h"

namespace shoal::sql {

std::vector<InsertColumn> Converter::insert_columns(Nodes items) {
  std::vector<InsertColumn> out;
  out.reserve(items.size());
  for (const Node* n : items) {
    if (!is(n, PG_QUERY__NODE__NODE_RES_TARGET)) continue;
    const auto& t = *n->res_target;
    out.push_back({text_of(t.name), steps(nodes(t.indirection, t.n_indirection))});
  }
  return out;
}

std::vector<Assignment> Converter::assignments(Nodes items) {
  std::vector<Assignment> out;
  out.reserve(items.size());
  for (const Node* n : items) {
    if (!is(n, PG_QUERY__NODE__NODE_RES_TARGET)) continue;
    const auto& t = *n->res_target;
    auto path = steps(nodes(t.indirection, t.n_indirection));
    out.push_back({text_of(t.name), std::move(path), expr(t.val)});
  }
  return out;
}

namespace {

Insert::Overriding overriding_of(PgQuery__OverridingKind kind) {
  if (kind == PG_QUERY__OVERRIDING_KIND__OVERRIDING_USER_VALUE) return Insert::Overriding::kUser;
  if (kind == PG_QUERY__OVERRIDING_KIND__OVERRIDING_SYSTEM_VALUE) {
    return Insert::Overriding::kSystem;
  }
  return Insert::Overriding::kNone;
}

}  // namespace

OnConflict Converter::on_conflict(const PgQuery__OnConflictClause& c) {
  OnConflict out;
  out.do_update = c.action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE;
  if (c.infer != nullptr) {
    out.constraint = text_of(c.infer->conname);
    for (const Node* n : nodes(c.infer->index_elems, c.infer->n_index_elems)) {
      OnConflict::Element element;
      if (!is(n, PG_QUERY__NODE__NODE_INDEX_ELEM)) continue;
      const auto& e = *n->index_elem;
      element.column = text_of(e.name);
      element.expr = expr(e.expr);
      element.collation = strings_of(nodes(e.collation, e.n_collation));
      element.opclass = strings_of(nodes(e.opclass, e.n_opclass));
      // ASC, NULLS FIRST and operator class options: the grammar takes them, the server refuses.
      const bool odd = e.ordering > PG_QUERY__SORT_BY_DIR__SORTBY_DEFAULT ||
                       e.nulls_ordering > PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_DEFAULT ||
                       e.n_opclassopts > 0;
      if (odd) element.expr = opaque("ON CONFLICT element");
      out.elements.push_back(std::move(element));
    }
    out.elements_where = expr(c.infer->where_clause);
  }
  out.set = assignments(nodes(c.target_list, c.n_target_list));
  out.where = expr(c.where_clause);
  return out;
}

std::unique_ptr<Insert> Converter::insert(const PgQuery__InsertStmt& s) {
  auto out = std::make_unique<Insert>();
  out->with = with(s.with_clause);
  out->table = range_var(s.relation);
  out->columns = insert_columns(nodes(s.cols, s.n_cols));
  if (s.select_stmt != nullptr) out->source = select(s.select_stmt);
  out->overriding = overriding_of(s.override);
  if (s.on_conflict_clause != nullptr) out->on_conflict = on_conflict(*s.on_conflict_clause);
  out->returning = targets(nodes(s.returning_list, s.n_returning_list));
  return out;
}

std::unique_ptr<Update> Converter::update(const PgQuery__UpdateStmt& s) {
  auto out = std::make_unique<Update>();
  out->with = with(s.with_clause);
  out->table = range_var(s.relation);
  out->set = assignments(nodes(s.target_list, s.n_target_list));
  out->from = from_list(nodes(s.from_clause, s.n_from_clause));
  out->where = expr(s.where_clause);
  out->returning = targets(nodes(s.returning_list, s.n_returning_list));
  return out;
}

std::unique_ptr<Delete> Converter::remove(const PgQuery__DeleteStmt& s) {
  auto out = std::make_unique<Delete>();
  out->with = with(s.with_clause);
  out->table = range_var(s.relation);
  out->using_items = from_list(nodes(s.using_clause, s.n_using_clause));
  out->where = expr(s.where_clause);
  out->returning = targets(nodes(s.returning_list, s.n_returning_list));
  return out;
}

std::unique_ptr<Merge> Converter::merge(const PgQuery__MergeStmt& s) {
  auto out = std::make_unique<Merge>();
  out->with = with(s.with_clause);
  out->target = range_var(s.relation);
  out->source = from_item(s.source_relation);
  out->on = expr(s.join_condition);
  for (const Node* n : nodes(s.merge_when_clauses, s.n_merge_when_clauses)) {
    if (!is(n, PG_QUERY__NODE__NODE_MERGE_WHEN_CLAUSE)) continue;
    const auto& w = *n->merge_when_clause;
    MergeWhen when;
    when.matched = w.matched;
    when.condition = expr(w.condition);
    when.overriding = overriding_of(w.override);
    const Nodes list = nodes(w.target_list, w.n_target_list);
    switch (w.command_type) {
      case PG_QUERY__CMD_TYPE__CMD_INSERT:
        when.action = MergeWhen::Action::kInsert;
        when.columns = insert_columns(list);
        when.values = exprs(nodes(w.values, w.n_values));
        break;
      case PG_QUERY__CMD_TYPE__CMD_UPDATE:
        when.action = MergeWhen::Action::kUpdate;
        when.set = assignments(list);
        break;
      case PG_QUERY__CMD_TYPE__CMD_DELETE:
        when.action = MergeWhen::Action::kDelete;
        break;
      default:
        when.action = MergeWhen::Action::kNothing;
    }
    out->whens.push_back(std::move(when));
  }
  return out;
}

}  // namespace shoal::sql
