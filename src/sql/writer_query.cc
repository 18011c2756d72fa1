// Queries and FROM items -> text.
#include "sql/writer.h"

namespace shoal::sql {

void Writer::select(const Select& s) {
  with(s.with);
  if (s.op != Select::SetOp::kNone)
    set_operation(s);
  else if (!s.values.empty())
    values(s);
  else
    block(s);
  tail(s);
}

void Writer::set_operation(const Select& s) {
  const auto arm = [this](const SelectPtr& query) { subquery(query.get()); };
  arm(s.left);
  switch (s.op) {
    case Select::SetOp::kUnion:
      put(" UNION ");
      break;
    case Select::SetOp::kIntersect:
      put(" INTERSECT ");
      break;
    case Select::SetOp::kExcept:
      put(" EXCEPT ");
      break;
    case Select::SetOp::kNone:
      break;
  }
  if (s.all) put("ALL ");
  arm(s.right);
}

void Writer::values(const Select& s) {
  put("VALUES ");
  list(s.values, [this](const ExprList& row) {
    put("(");
    exprs(row);
    put(")");
  });
}

void Writer::distinct(const Select& s) {
  if (!s.distinct) return;
  put(" DISTINCT");
  if (s.distinct_on.empty()) return;
  put(" ON (");
  exprs(s.distinct_on);
  put(")");
}

void Writer::block(const Select& s) {
  put("SELECT");
  distinct(s);
  if (!s.targets.empty()) {
    put(" ");
    targets(s.targets);
  }
  if (s.into) {
    put(" INTO ");
    if (s.into->persistence == 't') put("TEMP ");
    if (s.into->persistence == 'u') put("UNLOGGED ");
    put("TABLE ");
    table_name(*s.into);
  }
  if (!s.from.empty()) {
    put(" FROM ");
    from_list(s.from);
  }
  where(s.where);
  if (!s.group_by.empty()) {
    put(s.group_distinct ? " GROUP BY DISTINCT " : " GROUP BY ");
    exprs(s.group_by);
  }
  if (s.having) {
    put(" HAVING ");
    expr(*s.having);
  }
  if (!s.windows.empty()) {
    put(" WINDOW ");
    list(s.windows, [this](const WindowDef& w) {
      name(w.name);
      put(" AS ");
      window(w);
    });
  }
}

void Writer::tail(const Select& s) {
  if (!s.order_by.empty()) {
    put(" ORDER BY ");
    sort_list(s.order_by);
  }
  if (s.offset) {
    put(" OFFSET ");
    expr(*s.offset);
  }
  if (s.limit && s.with_ties) {
    put(" FETCH FIRST (");
    expr(*s.limit);
    put(") ROWS WITH TIES");
  } else if (s.limit) {
    put(" LIMIT ");
    expr(*s.limit);
  }
  for (const Locking& l : s.locking) locking(l);
}

void Writer::locking(const Locking& l) {
  switch (l.strength) {
    case Locking::Strength::kKeyShare:
      put(" FOR KEY SHARE");
      break;
    case Locking::Strength::kShare:
      put(" FOR SHARE");
      break;
    case Locking::Strength::kNoKeyUpdate:
      put(" FOR NO KEY UPDATE");
      break;
    case Locking::Strength::kUpdate:
      put(" FOR UPDATE");
      break;
  }
  if (!l.of.empty()) {
    put(" OF ");
    list(l.of, [this](const RangeVar& r) { table_name(r); });
  }
  if (l.wait == Locking::Wait::kSkip) put(" SKIP LOCKED");
  if (l.wait == Locking::Wait::kNoWait) put(" NOWAIT");
}

void Writer::with(const With& w) {
  if (w.ctes.empty()) return;
  put(w.recursive ? "WITH RECURSIVE " : "WITH ");
  list(w.ctes, [this](const Cte& c) { cte(c); });
  put(" ");
}

void Writer::cte(const Cte& c) {
  name(c.name);
  if (!c.columns.empty()) {
    put("(");
    names(c.columns, ", ");
    put(")");
  }
  put(" AS ");
  if (c.materialized == Cte::Materialized::kAlways) put("MATERIALIZED ");
  if (c.materialized == Cte::Materialized::kNever) put("NOT MATERIALIZED ");
  put("(");
  if (const auto* q = std::get_if<SelectPtr>(&c.query); q && *q) select(**q);
  if (const auto* q = std::get_if<std::unique_ptr<Insert>>(&c.query); q && *q) insert(**q);
  if (const auto* q = std::get_if<std::unique_ptr<Update>>(&c.query); q && *q) update(**q);
  if (const auto* q = std::get_if<std::unique_ptr<Delete>>(&c.query); q && *q) remove(**q);
  put(")");
  if (c.has_search_or_cycle) no_text("SEARCH or CYCLE");
}

void Writer::targets(const std::vector<Target>& items) {
  list(items, [this](const Target& t) {
    expr(*t.expr);
    if (t.name.empty()) return;
    put(" AS ");
    name(t.name);
  });
}

void Writer::where(const ExprPtr& condition) {
  if (!condition) return;
  put(" WHERE ");
  expr(*condition);
}

// ---- FROM -------------------------------------------------------------------------------------

void Writer::table_name(const RangeVar& r) {
  if (!r.database.empty()) {
    name(r.database);
    put(".");
  }
  if (!r.schema.empty()) {
    name(r.schema);
    put(".");
  }
  name(r.name);
}

void Writer::alias(const std::optional<Alias>& a) {
  if (!a) return;
  put(" AS ");
  name(a->name);
  if (a->columns.empty()) return;
  put("(");
  names(a->columns, ", ");
  put(")");
}

void Writer::table(const RangeVar& r) {
  if (r.only) put("ONLY ");
  table_name(r);
  alias(r.alias);
}

void Writer::from_list(const std::vector<FromPtr>& items) {
  list(items, [this](const FromPtr& f) { from(*f); });
}

void Writer::from(const FromItem& f) {
  std::visit([this](const auto& n) { node(n); }, f.node);
}

void Writer::node(const FromSelect& f) {
  if (f.lateral) put("LATERAL ");
  subquery(f.query.get());
  alias(f.alias);
}

void Writer::column_defs(const std::vector<ColumnDef>& items) {
  put("(");
  list(items, [this](const ColumnDef& c) {
    name(c.name);
    put(" ");
    type(c.type);
    if (c.collation.empty()) return;
    put(" COLLATE ");
    names(c.collation, ".");
  });
  put(")");
}

void Writer::node(const FromFunction& f) {
  if (f.lateral) put("LATERAL ");
  if (f.rows_from) put("ROWS FROM (");
  list(f.items, [this](const FromFunction::Item& item) {
    expr(*item.call);
    if (item.columns.empty()) return;
    put(" AS ");
    column_defs(item.columns);
  });
  if (f.rows_from) put(")");
  if (f.ordinality) put(" WITH ORDINALITY");
  if (f.columns.empty()) return alias(f.alias);
  put(" AS ");
  if (f.alias) name(f.alias->name);
  column_defs(f.columns);
}

void Writer::node(const Join& j) {
  put("(");
  from(*j.left);
  if (j.natural) put(" NATURAL");
  switch (j.kind) {
    case Join::Kind::kCross:
      put(" CROSS JOIN ");
      break;
    case Join::Kind::kInner:
      put(" JOIN ");
      break;
    case Join::Kind::kLeft:
      put(" LEFT JOIN ");
      break;
    case Join::Kind::kRight:
      put(" RIGHT JOIN ");
      break;
    case Join::Kind::kFull:
      put(" FULL JOIN ");
      break;
  }
  from(*j.right);
  if (!j.using_columns.empty()) {
    put(" USING (");
    names(j.using_columns, ", ");
    put(")");
    alias(j.using_alias);
  }
  if (j.on) {
    put(" ON ");
    expr(*j.on);
  }
  put(")");
  alias(j.alias);
}

void Writer::node(const TableSample& t) {
  table(t.table);
  put(" TABLESAMPLE ");
  names(t.method, ".");
  put("(");
  exprs(t.args);
  put(")");
  if (!t.repeatable) return;
  put(" REPEATABLE (");
  expr(*t.repeatable);
  put(")");
}

}  // namespace shoal::sql
