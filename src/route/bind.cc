// Resolving names: range tables, columns, CTEs and views of a statement.
#include "route/bind.h"

#include "route/binder.h"
#include "route/functions.h"
#include "sql/deparse.h"

namespace shoal::route {
bool Block::aggregated() const {
  return std::any_of(aggregates.begin(), aggregates.end(), [](auto& a) { return !a.window; });
}

bool Block::windowed() const {
  return std::any_of(aggregates.begin(), aggregates.end(), [](auto& a) { return a.window; });
}

Binder::Binder(Analysis& analysis, const SessionFacts& session)
    : a_(analysis), session_(session), path_(session.search_path) {}

void Binder::fail(std::string sqlstate, std::string message, int location) {
  if (a_.error) return;
  a_.error = make_error(std::move(sqlstate), std::move(message));
  if (location >= 0 && view_depth_ == 0) a_.error->position = location + 1;
}

void Binder::refuse_once(Error e) {
  if (!a_.refusal) a_.refusal = std::move(e);
}

bool Binder::hides() {
  if (!hides_) hides_ = hides_rows(*a_.snapshot, session_);
  return *hides_;
}

Block& Binder::new_block(Scope* parent) {
  auto b = std::make_unique<Block>();
  b->id = static_cast<int>(a_.blocks.size());
  for (Scope* s = parent; s != nullptr; s = s->parent) {
    if (s->block < 0) continue;
    b->parent = s->block;
    b->depth = block(s->block).depth + 1;
    break;
  }
  a_.blocks.push_back(std::move(b));
  return *a_.blocks.back();
}

void Binder::statement(const sql::Statement& s) {
  if (s.has_opaque) a_.opaque = true;
  std::visit(
      [&](const auto& node) {
        using T = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<T, sql::SelectPtr>)
          a_.root = select(*node, nullptr);
        else if constexpr (std::is_same_v<T, std::unique_ptr<sql::Insert>>)
          insert(*node);
        else if constexpr (std::is_same_v<T, std::unique_ptr<sql::Update>>)
          update(*node);
        else if constexpr (std::is_same_v<T, std::unique_ptr<sql::Delete>>)
          remove(*node);
        else if constexpr (std::is_same_v<T, std::unique_ptr<sql::Merge>>)
          merge(*node);
        else
          a_.opaque = true;
      },
      s.node);
}

int Binder::select(const sql::Select& s, Scope* parent) {
  Scope with;
  with.parent = parent;
  open_with(s.with, with);
  Block& b = new_block(parent);
  b.select = &s;
  Effects* outer = effects_;
  effects_ = &b.effects;
  if (s.op != sql::Select::SetOp::kNone) {
    set_operation(s, b, with);
  } else if (!s.values.empty()) {
    values(s, b, with);
  } else {
    plain(s, b, with);
  }
  close_with(with, b);
  a_.effects.add(b.effects);
  effects_ = outer;
  return b.id;
}

void Binder::plain(const sql::Select& s, Block& b, Scope& with) {
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  from_list(s.from, b, scope);
  for (const auto& w : s.windows) window(w, scope);  // before the calls that name them
  targets(s.targets, b, scope);
  b.where = s.where.get();
  expr(s.where.get(), scope);
  group_by(s, b, scope);
  expr(s.having.get(), scope);
  order_by(s, b, scope);
  for (const auto& e : s.distinct_on) {
    int output = -1;
    b.distinct_on.push_back(sort_key(e.get(), b, scope, output));
  }
  expr(s.limit.get(), scope);
  expr(s.offset.get(), scope);
  if (!s.locking.empty()) a_.row_locks = true;
}

void Binder::set_operation(const sql::Select& s, Block& b, Scope& with) {
  b.left = select(*s.left, &with);
  b.right = select(*s.right, &with);
  const auto& left = block(b.left).outputs;
  const auto& right = block(b.right).outputs;
  for (std::size_t i = 0; i < left.size(); ++i) {
    Output out;
    out.name = left[i].name;
    out.type = i < right.size() ? common_type(left[i].type, right[i].type) : Oid{};
    b.outputs.push_back(std::move(out));
  }
  if (left.size() != right.size())
    fail("42601", "each query of a set operation must have the same number of columns");
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  order_by(s, b, scope);
  expr(s.limit.get(), scope);
  expr(s.offset.get(), scope);
  if (!s.locking.empty()) a_.row_locks = true;
}

void Binder::values(const sql::Select& s, Block& b, Scope& with) {
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  for (const auto& row : s.values) {
    exprs(row, scope);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const Oid type = type_of(*row[i]);
      if (&row == &s.values.front()) {
        b.outputs.push_back({"column" + std::to_string(i + 1), nullptr, std::nullopt, type});
      } else if (i < b.outputs.size()) {
        b.outputs[i].type = common_type(b.outputs[i].type, type);
      }
    }
  }
  order_by(s, b, scope);
  expr(s.limit.get(), scope);
  expr(s.offset.get(), scope);
}

// ---- WITH ---------------------------------------------------------------------------------------

void Binder::open_with(const sql::With& w, Scope& scope) {
  scope.ctes.reserve(w.ctes.size());
  for (const auto& cte : w.ctes) {
    CteEntry entry;
    entry.cte = &cte;
    entry.recursive = w.recursive;
    entry.use = static_cast<int>(a_.ctes.size());
    CteUse use;
    use.name = cte.name;
    use.materialized = cte.materialized;
    use.modifying = !std::holds_alternative<sql::SelectPtr>(cte.query);
    a_.ctes.push_back(std::move(use));
    scope.ctes.push_back(entry);
    // Without RECURSIVE an entry sees the earlier ones only, so it is bound before the next exists.
    if (!w.recursive) bind_cte(scope.ctes.back(), &scope);
  }
  if (w.recursive) {
    for (auto& entry : scope.ctes) bind_cte(entry, &scope);
  }
}

void Binder::close_with(Scope& scope, Block& b) {
  for (auto& entry : scope.ctes) {
    const CteUse& use = a_.ctes[static_cast<std::size_t>(entry.use)];
    if (use.block >= 0 && use.references == 0) b.ctes.push_back(use.block);
  }
}

void Binder::bind_cte(CteEntry& entry, Scope* scope) {
  if (entry.bound || entry.binding) return;
  if (entry.cte->has_search_or_cycle) a_.opaque = true;
  const auto* query = std::get_if<sql::SelectPtr>(&entry.cte->query);
  if (query == nullptr) {
    a_.modifying_cte = true;
    entry.bound = true;
    bind_modifying(*entry.cte, scope);
    return;
  }
  entry.binding = true;
  // An entry that is not recursive does not see itself: an outer relation of its name is meant.
  Scope inner;
  inner.parent = scope;
  const sql::Select& s = **query;
  if (entry.recursive && s.op == sql::Select::SetOp::kUnion) {
    Scope with;
    with.parent = &inner;
    open_with(s.with, with);
    Block& b = new_block(scope);
    b.select = &s;
    Effects* outer = effects_;
    effects_ = &b.effects;
    b.left = select(*s.left, &with);
    entry.non_recursive = b.left;
    b.outputs.clear();
    for (const Output& o : block(b.left).outputs) {
      b.outputs.push_back({o.name, nullptr, std::nullopt, o.type});
    }
    b.right = select(*s.right, &with);
    const auto& right = block(b.right).outputs;
    for (std::size_t i = 0; i < b.outputs.size(); ++i) {
      if (i >= right.size() || right[i].type != b.outputs[i].type) b.outputs[i].type = Oid{};
    }
    if (entry.self_referenced) b.recursive_term = b.right;
    Scope order;
    order.parent = &with;
    order.block = b.id;
    order_by(s, b, order);
    expr(s.limit.get(), order);
    expr(s.offset.get(), order);
    close_with(with, b);
    a_.effects.add(b.effects);
    effects_ = outer;
    a_.ctes[static_cast<std::size_t>(entry.use)].block = b.id;
  } else {
    const int id = select(s, &inner);
    a_.ctes[static_cast<std::size_t>(entry.use)].block = id;
  }
  entry.binding = false;
  entry.bound = true;
}

void Binder::bind_modifying(const sql::Cte& cte, Scope* scope) {
  // Only what it mentions is noted: plans with data-modifying CTEs are judged by that (planner of
  // writes), never by a property.
  Scope inner;
  inner.parent = scope;
  Block& b = new_block(scope);
  inner.block = b.id;
  Effects* outer = effects_;
  effects_ = &b.effects;
  int target = -1, source = -1;
  const auto from_and_where = [&](const sql::RangeVar& table, const std::vector<sql::FromPtr>& list,
                                  const sql::Expr* where) {
    target = target_table(table, b, inner);
    from_list(list, b, inner);
    b.where = where;
    expr(where, inner);
  };
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&cte.query)) {
    from_and_where((*u)->table, (*u)->from, (*u)->where.get());
    assignments((*u)->set, inner);
    targets((*u)->returning, b, inner);
  } else if (const auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&cte.query)) {
    from_and_where((*d)->table, (*d)->using_items, (*d)->where.get());
    targets((*d)->returning, b, inner);
  } else if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&cte.query)) {
    if ((*i)->source) source = select(*(*i)->source, scope);
    effects_ = &b.effects;
    target = target_table((*i)->table, b, inner);
    if ((*i)->on_conflict) conflict(*(*i)->on_conflict, target, b, inner);
    targets((*i)->returning, b, inner);
  }
  for (auto& entry : scope->ctes) {
    if (entry.cte != &cte) continue;
    CteUse& use = a_.ctes[static_cast<std::size_t>(entry.use)];
    use.block = b.id;
    use.cte = &cte;
    use.target = target;
    use.source = source;
  }
  a_.effects.add(b.effects);
  effects_ = outer;
}

// ---- targets ------------------------------------------------------------------------------------

void Binder::targets(const std::vector<sql::Target>& list, Block& b, Scope& scope) {
  for (const auto& t : list) {
    if (!t.expr) continue;
    if (const auto* c = std::get_if<sql::ColumnRef>(&t.expr->node); c != nullptr && c->star) {
      star(*c, *t.expr, b, scope);
      continue;
    }
    expr(t.expr.get(), scope);
    Output out;
    out.name = sql::output_name(t);
    out.expr = t.expr.get();
    out.column = a_.find_column(t.expr.get());
    out.type = type_of(*t.expr);
    b.outputs.push_back(std::move(out));
    // (row).* gives columns whose number is not known here.
    const auto* i = std::get_if<sql::Indirection>(&t.expr->node);
    if (i != nullptr && !i->steps.empty() && i->steps.back().star) a_.opaque = true;
  }
}

void Binder::star(const sql::ColumnRef& ref, const sql::Expr& e, Block& b, Scope& scope) {
  std::vector<int> relations;
  if (ref.fields.empty()) {
    for (const auto& item : scope.items) {
      if (item.columns_visible) relations.push_back(item.relation);
    }
    if (relations.empty())
      fail("42601", "SELECT * with no tables specified is not valid", e.location);
  } else {
    const std::string& name = ref.fields.back();
    const std::string schema = ref.fields.size() > 1 ? ref.fields[ref.fields.size() - 2] : "";
    const int found = find_relation(schema, name, scope);
    if (found < 0) {
      fail("42P01", "missing FROM-clause entry for table \"" + name + "\"", e.location);
      return;
    }
    relations.push_back(found);
  }
  for (const int id : relations) {
    if (relation(id).open) a_.opaque = true;  // the number of columns is not known
    whole_row(id);
    for (std::size_t i = 0; i < relation(id).columns.size(); ++i) {
      const ColumnId column = flatten({id, static_cast<int>(i)});
      use(column);
      const std::string name = relation(id).columns[i].name;
      b.outputs.push_back({name, nullptr, column, a_.column(column).type});
    }
  }
}

// ---- writes -------------------------------------------------------------------------------------

int Binder::target_table(const sql::RangeVar& rv, Block& b, Scope& scope) {
  // A target is never a CTE: look it up from a scope without WITH lists.
  Scope bare;
  Relation r = table(rv, bare);
  r.owner = b.id;
  r.source = &rv;
  if (r.view) a_.opaque = true;  // an updatable view: which rows it shows is not analysed
  std::vector<NameItem> items;
  auto node = leaf(std::move(r), items);
  const int id = node->relation;
  relation(id).owner = b.id;
  b.from.push_back(std::move(node));
  scope.items.insert(scope.items.end(), items.begin(), items.end());
  return id;
}

void Binder::assignments(const std::vector<sql::Assignment>& set, Scope& scope) {
  for (const auto& a : set) {
    steps(a.steps, scope);
    expr(a.value.get(), scope);
  }
}

void Binder::update(const sql::Update& s) {
  Scope with;
  open_with(s.with, with);
  Block& b = new_block(nullptr);
  a_.root = b.id;
  effects_ = &b.effects;
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  a_.target = target_table(s.table, b, scope);
  from_list(s.from, b, scope);
  b.where = s.where.get();
  expr(s.where.get(), scope);
  assignments(s.set, scope);
  targets(s.returning, b, scope);
  close_with(with, b);
  a_.effects.add(b.effects);
}

void Binder::remove(const sql::Delete& s) {
  Scope with;
  open_with(s.with, with);
  Block& b = new_block(nullptr);
  a_.root = b.id;
  effects_ = &b.effects;
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  a_.target = target_table(s.table, b, scope);
  from_list(s.using_items, b, scope);
  b.where = s.where.get();
  expr(s.where.get(), scope);
  targets(s.returning, b, scope);
  close_with(with, b);
  a_.effects.add(b.effects);
}

// The root block of an INSERT is its source (-1: DEFAULT VALUES); RETURNING and ON CONFLICT are
// bound in a block of their own over the target.
void Binder::insert(const sql::Insert& s) {
  Scope with;
  open_with(s.with, with);
  Block& b = new_block(nullptr);
  effects_ = &b.effects;
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  a_.target = target_table(s.table, b, scope);
  if (s.source) a_.root = select(*s.source, &with);
  effects_ = &b.effects;
  if (s.on_conflict) conflict(*s.on_conflict, a_.target, b, scope);
  targets(s.returning, b, scope);
  close_with(with, b);
  a_.effects.add(b.effects);
}

void Binder::conflict(const sql::OnConflict& c, int target_relation, Block& b, Scope& scope) {
  for (const auto& e : c.elements) expr(e.expr.get(), scope);
  expr(c.elements_where.get(), scope);
  // In DO UPDATE the row that was refused is called "excluded".
  const Relation target = relation(target_relation);
  Relation excluded;
  excluded.kind = RelationKind::kTable;
  excluded.name = "excluded";
  excluded.table = target.table;
  excluded.owner = b.id;
  excluded.open = target.open;
  excluded.columns = target.columns;
  Scope both;
  both.parent = scope.parent;
  both.block = b.id;
  both.items = scope.items;
  both.items.push_back({add_relation(std::move(excluded)), true, false});
  assignments(c.set, both);
  expr(c.where.get(), both);
}

void Binder::merge(const sql::Merge& s) {
  Scope with;
  open_with(s.with, with);
  Block& b = new_block(nullptr);
  a_.root = b.id;
  effects_ = &b.effects;
  Scope scope;
  scope.parent = &with;
  scope.block = b.id;
  a_.target = target_table(s.target, b, scope);
  std::vector<NameItem> items;
  std::unique_ptr<FromNode> source;
  if (s.source) source = from(*s.source, scope, items);
  scope.items.insert(scope.items.end(), items.begin(), items.end());
  expr(s.on.get(), scope);
  // MERGE is its source LEFT JOIN its target.
  if (source) {
    auto join = std::make_unique<FromNode>();
    join->join = true;
    join->kind = sql::Join::Kind::kLeft;
    join->left = std::move(source);
    join->right = std::move(b.from.front());
    join->on = s.on.get();
    Relation r;
    r.kind = RelationKind::kJoin;
    r.owner = b.id;
    join->relation = add_relation(std::move(r));
    b.from.clear();
    b.from.push_back(std::move(join));
  }
  for (const auto& w : s.whens) {
    expr(w.condition.get(), scope);
    assignments(w.set, scope);
    exprs(w.values, scope);
  }
  close_with(with, b);
  a_.effects.add(b.effects);
}

Analysis bind(const sql::Statement& statement, const catalog::Snapshot& snapshot,
              const SessionFacts& session) {
  Analysis a;
  a.snapshot = &snapshot;
  Binder(a, session).statement(statement);
  return a;
}

Analysis bind_query(const sql::Select& query, const catalog::Snapshot& snapshot,
                    const SessionFacts& session) {
  Analysis a;
  a.snapshot = &snapshot;
  Binder binder(a, session);
  a.root = binder.select(query, nullptr);
  return a;
}

}  // namespace shoal::route
