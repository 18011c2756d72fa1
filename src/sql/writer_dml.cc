// INSERT, UPDATE, DELETE, MERGE -> text.
#include "sql/writer.h"

namespace shoal::sql {

void Writer::returning(const std::vector<Target>& items) {
  if (items.empty()) return;
  put(" RETURNING ");
  targets(items);
}

void Writer::insert_columns(const std::vector<InsertColumn>& items) {
  if (items.empty()) return;
  put(" (");
  list(items, [this](const InsertColumn& c) {
    name(c.name);
    steps(c.steps);
  });
  put(")");
}

void Writer::overriding(Insert::Overriding o) {
  if (o == Insert::Overriding::kUser) put(" OVERRIDING USER VALUE");
  if (o == Insert::Overriding::kSystem) put(" OVERRIDING SYSTEM VALUE");
}

// The parser makes n assignments of (a, b, ...) = source, each with a copy of the source.
void Writer::assignments(const std::vector<Assignment>& items) {
  const auto target = [this](const Assignment& a) {
    name(a.column);
    steps(a.steps);
  };
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) put(", ");
    const MultiAssign* multi =
        items[i].value ? std::get_if<MultiAssign>(&items[i].value->node) : nullptr;
    if (multi == nullptr) {
      target(items[i]);
      put(" = ");
      expr(*items[i].value);
      continue;
    }
    const auto columns = static_cast<std::size_t>(std::max(multi->columns, 1));
    if (multi->column != 1 || i + columns > items.size()) return no_text("SET (...) =");
    put("(");
    for (std::size_t j = i; j < i + columns; ++j) {
      if (j > i) put(", ");
      target(items[j]);
    }
    put(") = ");
    expr(*multi->source);
    i += columns - 1;
  }
}

void Writer::on_conflict(const OnConflict& c) {
  put(" ON CONFLICT");
  if (!c.constraint.empty()) {
    put(" ON CONSTRAINT ");
    name(c.constraint);
  }
  if (!c.elements.empty()) {
    put(" (");
    list(c.elements, [this](const OnConflict::Element& e) {
      if (e.expr) {
        put("(");
        expr(*e.expr);
        put(")");
      } else {
        name(e.column);
      }
      if (!e.collation.empty()) {
        put(" COLLATE ");
        names(e.collation, ".");
      }
      if (!e.opclass.empty()) {
        put(" ");
        names(e.opclass, ".");
      }
    });
    put(")");
    where(c.elements_where);
  }
  if (!c.do_update) return put(" DO NOTHING");
  put(" DO UPDATE SET ");
  assignments(c.set);
  where(c.where);
}

void Writer::insert(const Insert& s) {
  with(s.with);
  put("INSERT INTO ");
  table(s.table);
  insert_columns(s.columns);
  overriding(s.overriding);
  if (s.source) {
    put(" ");
    select(*s.source);
  } else {
    put(" DEFAULT VALUES");
  }
  if (s.on_conflict) on_conflict(*s.on_conflict);
  returning(s.returning);
}

void Writer::update(const Update& s) {
  with(s.with);
  put("UPDATE ");
  table(s.table);
  put(" SET ");
  assignments(s.set);
  if (!s.from.empty()) {
    put(" FROM ");
    from_list(s.from);
  }
  where(s.where);
  returning(s.returning);
}

void Writer::remove(const Delete& s) {
  with(s.with);
  put("DELETE FROM ");
  table(s.table);
  if (!s.using_items.empty()) {
    put(" USING ");
    from_list(s.using_items);
  }
  where(s.where);
  returning(s.returning);
}

void Writer::merge_when(const MergeWhen& w) {
  put(w.matched ? " WHEN MATCHED" : " WHEN NOT MATCHED");
  if (w.condition) {
    put(" AND ");
    expr(*w.condition);
  }
  put(" THEN ");
  switch (w.action) {
    case MergeWhen::Action::kNothing:
      put("DO NOTHING");
      break;
    case MergeWhen::Action::kDelete:
      put("DELETE");
      break;
    case MergeWhen::Action::kUpdate:
      put("UPDATE SET ");
      assignments(w.set);
      break;
    case MergeWhen::Action::kInsert:
      put("INSERT");
      insert_columns(w.columns);
      overriding(w.overriding);
      if (w.values.empty()) {
        put(" DEFAULT VALUES");
      } else {
        put(" VALUES (");
        exprs(w.values);
        put(")");
      }
      break;
  }
}

void Writer::merge(const Merge& s) {
  with(s.with);
  put("MERGE INTO ");
  table(s.target);
  put(" USING ");
  from(*s.source);
  put(" ON ");
  expr(*s.on);
  for (const MergeWhen& w : s.whens) merge_when(w);
}

}  // namespace shoal::sql
