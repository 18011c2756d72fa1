// Queries and FROM items: the parser's tree -> Select, FromItem.
#include "sql/convert.h"

namespace shoal::sql {

RangeVar Converter::range_var(const PgQuery__RangeVar* r) {
  RangeVar out;
  if (r == nullptr) return out;
  out.database = text_of(r->catalogname);
  out.schema = text_of(r->schemaname);
  out.name = text_of(r->relname);
  out.only = !r->inh;
  out.alias = alias(r->alias);
  out.location = r->location;
  if (r->relpersistence != nullptr && r->relpersistence[0] != '\0') {
    out.persistence = r->relpersistence[0];
  }
  return out;
}

std::vector<RangeVar> Converter::range_vars(Nodes items) {
  std::vector<RangeVar> out;
  out.reserve(items.size());
  for (const Node* n : items) {
    if (is(n, PG_QUERY__NODE__NODE_RANGE_VAR)) out.push_back(range_var(n->range_var));
  }
  return out;
}

std::optional<Alias> Converter::alias(const PgQuery__Alias* a) {
  if (a == nullptr) return std::nullopt;
  return Alias{text_of(a->aliasname), strings_of(nodes(a->colnames, a->n_colnames))};
}

std::vector<Target> Converter::targets(Nodes items) {
  std::vector<Target> out;
  out.reserve(items.size());
  for (const Node* n : items) {
    if (!is(n, PG_QUERY__NODE__NODE_RES_TARGET)) {
      out.push_back({opaque("target"), {}});
      continue;
    }
    out.push_back({expr(n->res_target->val), text_of(n->res_target->name)});
  }
  return out;
}

std::vector<ColumnDef> Converter::column_defs(Nodes items) {
  std::vector<ColumnDef> out;
  out.reserve(items.size());
  for (const Node* n : items) {
    if (!is(n, PG_QUERY__NODE__NODE_COLUMN_DEF)) continue;
    const auto& c = *n->column_def;
    ColumnDef def{text_of(c.colname), type_name(c.type_name), {}};
    if (c.coll_clause != nullptr) {
      def.collation = strings_of(nodes(c.coll_clause->collname, c.coll_clause->n_collname));
    }
    out.push_back(std::move(def));
  }
  return out;
}

// ---- FROM -------------------------------------------------------------------------------------

std::vector<FromPtr> Converter::from_list(Nodes items) {
  std::vector<FromPtr> out;
  out.reserve(items.size());
  for (const Node* n : items) out.push_back(from_item(n));
  return out;
}

FromPtr Converter::from_item(const Node* n) {
  auto out = std::make_unique<FromItem>();
  Level level(*this);
  if (n == nullptr || !level.ok()) {
    out->node = FromOpaque{"too deep"};
    return out;
  }
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
      out->node = range_var(n->range_var);
      break;
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
      out->node = join(*n->join_expr);
      break;
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT: {
      const auto& s = *n->range_subselect;
      out->node = FromSelect{select(s.subquery), s.lateral != 0, alias(s.alias)};
      break;
    }
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
      out->node = from_function(*n->range_function);
      break;
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
      out->node = table_sample(*n->range_table_sample);
      break;
    default:
      has_opaque_ = true;
      out->node =
          FromOpaque{is(n, PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC) ? "XMLTABLE" : "FROM item"};
  }
  return out;
}

FromFunction Converter::from_function(const PgQuery__RangeFunction& f) {
  FromFunction out;
  for (const Node* n : nodes(f.functions, f.n_functions)) {
    FromFunction::Item item;
    if (is(n, PG_QUERY__NODE__NODE_LIST) && n->list->n_items > 0) {
      item.call = expr(n->list->items[0]);
      const Node* columns = n->list->n_items > 1 ? n->list->items[1] : nullptr;
      if (is(columns, PG_QUERY__NODE__NODE_LIST)) {
        item.columns = column_defs(nodes(columns->list->items, columns->list->n_items));
      }
    } else {
      item.call = opaque("function in FROM");
    }
    out.items.push_back(std::move(item));
  }
  out.lateral = f.lateral;
  out.ordinality = f.ordinality;
  out.rows_from = f.is_rowsfrom;
  out.alias = alias(f.alias);
  out.columns = column_defs(nodes(f.coldeflist, f.n_coldeflist));
  return out;
}

Join Converter::join(const PgQuery__JoinExpr& j) {
  Join out;
  switch (j.jointype) {
    case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
      out.kind = Join::Kind::kLeft;
      break;
    case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
      out.kind = Join::Kind::kRight;
      break;
    case PG_QUERY__JOIN_TYPE__JOIN_FULL:
      out.kind = Join::Kind::kFull;
      break;
    default:
      out.kind = Join::Kind::kInner;
  }
  out.natural = j.is_natural;
  out.left = from_item(j.larg);
  out.right = from_item(j.rarg);
  out.using_columns = strings_of(nodes(j.using_clause, j.n_using_clause));
  out.using_alias = alias(j.join_using_alias);
  out.on = expr(j.quals);
  out.alias = alias(j.alias);
  const bool condition = out.natural || out.on || !out.using_columns.empty();
  if (!condition && out.kind == Join::Kind::kInner) out.kind = Join::Kind::kCross;
  return out;
}

TableSample Converter::table_sample(const PgQuery__RangeTableSample& t) {
  TableSample out;
  if (is(t.relation, PG_QUERY__NODE__NODE_RANGE_VAR))
    out.table = range_var(t.relation->range_var);
  else
    has_opaque_ = true;
  out.method = strings_of(nodes(t.method, t.n_method));
  out.args = exprs(nodes(t.args, t.n_args));
  out.repeatable = expr(t.repeatable);
  return out;
}

// ---- queries ----------------------------------------------------------------------------------

SelectPtr Converter::select(const Node* n) {
  if (is(n, PG_QUERY__NODE__NODE_SELECT_STMT)) return select(n->select_stmt);
  // A data-modifying statement where only a query may stand: the server rejects it.
  auto out = std::make_unique<Select>();
  out->targets.push_back({opaque("query"), {}});
  return out;
}

SelectPtr Converter::select(const PgQuery__SelectStmt* s) {
  auto out = std::make_unique<Select>();
  Level level(*this);
  if (s == nullptr || !level.ok()) return out;
  out->with = with(s->with_clause);
  switch (s->op) {
    case PG_QUERY__SET_OPERATION__SETOP_UNION:
      out->op = Select::SetOp::kUnion;
      break;
    case PG_QUERY__SET_OPERATION__SETOP_INTERSECT:
      out->op = Select::SetOp::kIntersect;
      break;
    case PG_QUERY__SET_OPERATION__SETOP_EXCEPT:
      out->op = Select::SetOp::kExcept;
      break;
    default:
      out->op = Select::SetOp::kNone;
  }
  if (out->op != Select::SetOp::kNone) {
    out->all = s->all;
    out->left = select(s->larg);
    out->right = select(s->rarg);
  } else if (s->n_values_lists > 0) {
    out->values.reserve(s->n_values_lists);
    for (const Node* n : nodes(s->values_lists, s->n_values_lists)) {
      const bool list = is(n, PG_QUERY__NODE__NODE_LIST);
      out->values.push_back(list ? exprs(nodes(n->list->items, n->list->n_items)) : ExprList());
    }
  } else {
    block(*s, *out);
  }
  out->order_by = sort_list(nodes(s->sort_clause, s->n_sort_clause));
  out->limit = expr(s->limit_count);
  out->offset = expr(s->limit_offset);
  out->with_ties = s->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES;
  for (const Node* n : nodes(s->locking_clause, s->n_locking_clause)) {
    if (is(n, PG_QUERY__NODE__NODE_LOCKING_CLAUSE)) {
      out->locking.push_back(locking(*n->locking_clause));
    }
  }
  return out;
}

void Converter::block(const PgQuery__SelectStmt& s, Select& out) {
  out.distinct = s.n_distinct_clause > 0;
  for (const Node* n : nodes(s.distinct_clause, s.n_distinct_clause)) {
    // Plain DISTINCT is a list of one empty node.
    if (n != nullptr && n->node_case != PG_QUERY__NODE__NODE__NOT_SET) {
      out.distinct_on.push_back(expr(n));
    }
  }
  out.targets = targets(nodes(s.target_list, s.n_target_list));
  if (s.into_clause != nullptr) {
    out.into = range_var(s.into_clause->rel);
  }
  out.from = from_list(nodes(s.from_clause, s.n_from_clause));
  out.where = expr(s.where_clause);
  out.group_by = exprs(nodes(s.group_clause, s.n_group_clause));
  out.group_distinct = s.group_distinct;
  out.having = expr(s.having_clause);
  for (const Node* n : nodes(s.window_clause, s.n_window_clause)) {
    if (is(n, PG_QUERY__NODE__NODE_WINDOW_DEF)) {
      out.windows.push_back(window(*n->window_def, false));
    }
  }
}

Locking Converter::locking(const PgQuery__LockingClause& l) {
  Locking out;
  switch (l.strength) {
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORKEYSHARE:
      out.strength = Locking::Strength::kKeyShare;
      break;
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORSHARE:
      out.strength = Locking::Strength::kShare;
      break;
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORNOKEYUPDATE:
      out.strength = Locking::Strength::kNoKeyUpdate;
      break;
    default:
      out.strength = Locking::Strength::kUpdate;
  }
  switch (l.wait_policy) {
    case PG_QUERY__LOCK_WAIT_POLICY__LockWaitSkip:
      out.wait = Locking::Wait::kSkip;
      break;
    case PG_QUERY__LOCK_WAIT_POLICY__LockWaitError:
      out.wait = Locking::Wait::kNoWait;
      break;
    default:
      out.wait = Locking::Wait::kBlock;
  }
  out.of = range_vars(nodes(l.locked_rels, l.n_locked_rels));
  return out;
}

With Converter::with(const PgQuery__WithClause* w) {
  With out;
  if (w == nullptr) return out;
  out.recursive = w->recursive;
  for (const Node* n : nodes(w->ctes, w->n_ctes)) {
    if (is(n, PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR)) {
      out.ctes.push_back(cte(*n->common_table_expr));
    }
  }
  return out;
}

Cte Converter::cte(const PgQuery__CommonTableExpr& c) {
  Cte out;
  out.name = text_of(c.ctename);
  out.columns = strings_of(nodes(c.aliascolnames, c.n_aliascolnames));
  if (c.ctematerialized == PG_QUERY__CTEMATERIALIZE__CTEMaterializeAlways) {
    out.materialized = Cte::Materialized::kAlways;
  } else if (c.ctematerialized == PG_QUERY__CTEMATERIALIZE__CTEMaterializeNever) {
    out.materialized = Cte::Materialized::kNever;
  }
  Level level(*this);
  const Node* q = c.ctequery;
  if (level.ok() && is(q, PG_QUERY__NODE__NODE_INSERT_STMT))
    out.query = insert(*q->insert_stmt);
  else if (level.ok() && is(q, PG_QUERY__NODE__NODE_UPDATE_STMT))
    out.query = update(*q->update_stmt);
  else if (level.ok() && is(q, PG_QUERY__NODE__NODE_DELETE_STMT))
    out.query = remove(*q->delete_stmt);
  else
    out.query = select(q);
  out.has_search_or_cycle = c.search_clause != nullptr || c.cycle_clause != nullptr;
  if (out.has_search_or_cycle) has_opaque_ = true;
  return out;
}

}  // namespace shoal::sql
