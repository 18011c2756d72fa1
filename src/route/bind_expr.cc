// Expressions: columns, functions, subqueries.
#include "route/bind.h"
#include "route/binder.h"
#include "route/functions.h"

namespace shoal::route {
namespace {

std::string lower(std::string s) {
  for (char& c : s) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return s;
}

// A date in words ('now', 'today') is a moment.
bool is_moment_word(const sql::Expr& e) {
  const auto* c = std::get_if<sql::Const>(&e.node);
  if (c == nullptr || c->kind != sql::Const::Kind::kString) return false;
  const std::string text = lower(c->text);
  for (const char* word : {"now", "today", "tomorrow", "yesterday"}) {
    if (text.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void Binder::exprs(const sql::ExprList& list, Scope& scope) {
  for (const auto& e : list) expr(e.get(), scope);
}

void Binder::expr(const sql::Expr* e, Scope& scope) {
  if (e == nullptr) return;
  std::visit(
      [&](const auto& n) {
        using T = std::decay_t<decltype(n)>;
        if constexpr (std::is_same_v<T, sql::ColumnRef> || std::is_same_v<T, sql::Call> ||
                      std::is_same_v<T, sql::SubLink> || std::is_same_v<T, sql::Cast> ||
                      std::is_same_v<T, sql::SqlValue> || std::is_same_v<T, sql::Operator>) {
          node(*e, n, scope);
        } else if constexpr (std::is_same_v<T, sql::BoolExpr> || std::is_same_v<T, sql::Coalesce> ||
                             std::is_same_v<T, sql::MinMax> || std::is_same_v<T, sql::RowExpr> ||
                             std::is_same_v<T, sql::Grouping>) {
          exprs(n.args, scope);
        } else if constexpr (std::is_same_v<T, sql::NullTest> ||
                             std::is_same_v<T, sql::BooleanTest> ||
                             std::is_same_v<T, sql::Collate> || std::is_same_v<T, sql::NamedArg>) {
          expr(n.arg.get(), scope);
        } else if constexpr (std::is_same_v<T, sql::Case>) {
          expr(n.arg.get(), scope);
          for (const auto& w : n.whens) {
            expr(w.when.get(), scope);
            expr(w.then.get(), scope);
          }
          expr(n.otherwise.get(), scope);
        } else if constexpr (std::is_same_v<T, sql::ArrayExpr>) {
          exprs(n.elements, scope);
        } else if constexpr (std::is_same_v<T, sql::List>) {
          exprs(n.items, scope);
        } else if constexpr (std::is_same_v<T, sql::Indirection>) {
          expr(n.arg.get(), scope);
          steps(n.steps, scope);
        } else if constexpr (std::is_same_v<T, sql::GroupingSet>) {
          exprs(n.content, scope);
        } else if constexpr (std::is_same_v<T, sql::MultiAssign>) {
          // Each column of SET (a, b) = source may hold the source or share the first one's.
          expr(n.source.get(), scope);
        } else if constexpr (std::is_same_v<T, sql::CurrentOf> || std::is_same_v<T, sql::Opaque>) {
          a_.opaque = true;
        } else {
          static_assert(std::is_same_v<T, sql::Const> || std::is_same_v<T, sql::Param> ||
                        std::is_same_v<T, sql::DefaultExpr>);
        }
      },
      e->node);
}

void Binder::steps(const std::vector<sql::Indirection::Step>& list, Scope& scope) {
  for (const auto& s : list) {
    if (!s.subscript) continue;
    expr(s.subscript->lower.get(), scope);
    expr(s.subscript->upper.get(), scope);
  }
}

// ---- columns ------------------------------------------------------------------------------------

void Binder::use(ColumnId id) {
  RelationColumn& c = relation(id.relation).columns[static_cast<std::size_t>(id.column)];
  c.used = true;
  if (c.same_as) use(*c.same_as);
  if (c.merged) {
    use(c.merged->first);
    use(c.merged->second);
  }
}

void Binder::whole_row(int id) {
  Relation& r = relation(id);
  r.whole_row = true;
  for (std::size_t i = 0; i < r.columns.size(); ++i) use({id, static_cast<int>(i)});
}

void Binder::record(const sql::Expr& e, ColumnId id) {
  id = flatten(id);
  use(id);
  a_.column_of[&e] = id;
  const int owner = relation(id.relation).owner;
  const int depth = owner >= 0 ? block(owner).depth : 0;
  for (auto& frame : aggregates_) {
    if (depth <= frame.depth) frame.deepest = std::max(frame.deepest, depth);
  }
}

std::optional<ColumnId> Binder::find(std::string_view name, Scope& scope, bool local,
                                     bool& ambiguous) {
  for (Scope* s = &scope; s != nullptr; s = local ? nullptr : s->parent) {
    std::optional<ColumnId> found;
    for (const auto& item : s->items) {
      if (!item.columns_visible) continue;
      const auto& columns = relation(item.relation).columns;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].name != name) continue;
        if (found) ambiguous = true;
        found = ColumnId{item.relation, static_cast<int>(i)};
      }
    }
    if (found) return found;
    // A relation whose columns are not known may have this one: nothing further out is certain.
    for (const auto& item : s->items) {
      if (relation(item.relation).open) return std::nullopt;
    }
  }
  return std::nullopt;
}

int Binder::find_relation(std::string_view schema, std::string_view name, Scope& scope) {
  for (Scope* s = &scope; s != nullptr; s = s->parent) {
    for (const auto& item : s->items) {
      const Relation& r = relation(item.relation);
      if (!item.relation_visible || r.name != name) continue;
      if (!schema.empty() && r.schema != schema) continue;
      return item.relation;
    }
  }
  return -1;
}

// Whether some relation of unknown columns is in reach, so that a name that was not found proves
// nothing. Then the name counts as resolved to nobody in particular.
bool Binder::missing(const sql::Expr& e, const sql::ColumnRef& c, Scope& scope) {
  for (Scope* s = &scope; s != nullptr; s = s->parent) {
    for (const auto& item : s->items) {
      if (!relation(item.relation).open) continue;
      if (c.fields.size() == 1 || relation(item.relation).name == c.fields[c.fields.size() - 2]) {
        const int owner = relation(item.relation).owner;
        const int depth = owner >= 0 ? block(owner).depth : 0;
        for (auto& frame : aggregates_) {
          if (depth <= frame.depth) frame.deepest = std::max(frame.deepest, depth);
        }
        return false;
      }
    }
  }
  (void)e;
  return true;
}

void Binder::node(const sql::Expr& e, const sql::ColumnRef& c, Scope& scope) {
  if (c.fields.empty()) return;  // a lone star, e.g. in count(*)
  const std::string& last = c.fields.back();
  if (c.star) {  // t.* as a value
    const std::string schema = c.fields.size() > 1 ? c.fields[c.fields.size() - 2] : "";
    const int r = find_relation(schema, last, scope);
    if (r < 0)
      fail("42P01", "missing FROM-clause entry for table \"" + last + "\"", e.location);
    else
      whole_row(r);
    return;
  }
  if (c.fields.size() == 1) {
    bool ambiguous = false;
    const auto found = find(last, scope, false, ambiguous);
    if (ambiguous) {
      fail("42702", "column reference \"" + last + "\" is ambiguous", e.location);
    } else if (found) {
      record(e, *found);
    } else if (is_system_column(last)) {
      a_.system_columns = true;
      for (const auto& item : scope.items) relation(item.relation).system_column = true;
    } else if (const int r = find_relation("", last, scope); r >= 0) {
      whole_row(r);
    } else if (missing(e, c, scope)) {
      fail("42703", "column \"" + last + "\" does not exist", e.location);
    }
    return;
  }
  const std::string& table = c.fields[c.fields.size() - 2];
  const std::string schema = c.fields.size() > 2 ? c.fields[c.fields.size() - 3] : "";
  const int r = find_relation(schema, table, scope);
  if (r < 0) {
    fail("42P01", "missing FROM-clause entry for table \"" + table + "\"", e.location);
    return;
  }
  const auto& columns = relation(r).columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == last) {
      record(e, {r, static_cast<int>(i)});
      return;
    }
  }
  if (is_system_column(last)) {
    a_.system_columns = true;
    relation(r).system_column = true;
  } else if (!relation(r).open) {
    if (!a_.snapshot->resolve_functions(path_, {last}).empty()) {
      a_.opaque = true;  // t.f may mean f(t)
      whole_row(r);
    } else {
      fail("42703", "column " + table + "." + last + " does not exist", e.location);
    }
  }
}

// ---- functions ----------------------------------------------------------------------------------

// What hidden code reaches: refused when it is not certain to see no sharded table.
void Binder::reached(const Reach& reach, const std::string& what) {
  if (!reach.unproved.empty()) {
    refuse_once(refuse(Refusal::kUserFunction, what + reach.unproved));
    return;
  }
  if (session_.scope_key && (!reach.tables.empty() || reach.effects.home)) {
    refuse_once(refuse(Refusal::kScope, what + "a function reads tables out of sight"));
    return;
  }
  effects_->add(reach.effects);
  for (const catalog::Table* t : reach.tables) note_table(*t);
}

void Binder::user_function(const catalog::Function& f) {
  a_.user_code = true;
  if (f.volatility == catalog::Volatility::kImmutable) return;
  // Code inside a session that is kept to a key is trusted only when somebody answers for it.
  if (session_.scope_key && f.declared != "local") {
    refuse_once(refuse(Refusal::kUserFunction,
                       "function " + f.name + " is not immutable and was not declared"));
    return;
  }
  if (hides()) {
    const Reach reach = reach_of(f, *a_.snapshot);
    reached(reach, "");
    if (!reach.session_state.empty()) {
      refuse_once(refuse(Refusal::kPinned, reach.session_state,
                         "do this in a statement of its own, outside of functions"));
    }
  } else if (f.volatility == catalog::Volatility::kVolatile) {
    effects_->row_volatile = true;
    effects_->home_action = true;
  }
}

void Binder::classify(const sql::Call& c, bool& aggregate, bool& window) {
  const std::string& name = c.name.back();
  const auto overloads = a_.snapshot->resolve_functions(path_, c.name);
  if (overloads.empty()) {
    if (a_.snapshot->resolve_type(path_, c.name) != nullptr) return;
    fail("42883", "function " + name + " does not exist");
    if (!a_.missing_function)
      a_.missing_function = make_error("42883", "function " + name + " does not exist");
    return;
  }
  if (c.name.size() > 1 && c.name[c.name.size() - 2] == "shoal") {
    refuse_once(refuse(Refusal::kCatalogCall, "shoal." + name + " is called inside a query"));
    return;
  }
  auto worst = catalog::Volatility::kImmutable;
  bool builtin = false;
  for (const catalog::Function* f : overloads) {
    aggregate |= f->prokind == 'a';
    window |= f->prokind == 'w';
    if (f->builtin()) {
      builtin = true;
      if (f->volatility == catalog::Volatility::kVolatile ||
          worst == catalog::Volatility::kImmutable) {
        worst = f->volatility;
      }
      continue;
    }
    user_function(*f);
  }
  if (builtin) {
    effects_->add(effects_of_builtin(name, worst));
    if (describes_one_server(name) && hides()) {
      refuse_once(refuse(Refusal::kShardLocalCatalog, name + "() describes one server"));
    }
  }
}

// Only operators that users made stand among the functions.
void Binder::node(const sql::Expr& e, const sql::Operator& o, Scope& scope) {
  (void)e;
  expr(o.left.get(), scope);
  expr(o.right.get(), scope);
  if (o.name.empty()) return;
  const auto [first, last] = a_.snapshot->functions.equal_range(o.name.back());
  for (auto it = first; it != last; ++it) {
    if (it->second->prokind == 'o') user_function(*it->second);
  }
}

void Binder::node(const sql::Expr& e, const sql::Call& c, Scope& scope) {
  bool aggregate = false, window_function = false;
  classify(c, aggregate, window_function);
  const bool call_is_aggregate = aggregate && !c.over;
  int depth = 0;
  for (Scope* s = &scope; s != nullptr; s = s->parent) {
    if (s->block >= 0) {
      depth = block(s->block).depth;
      break;
    }
  }
  if (call_is_aggregate) aggregates_.push_back({depth, -1});
  exprs(c.args, scope);
  for (const auto& o : c.order_by) expr(o.expr.get(), scope);
  expr(c.filter.get(), scope);
  int level = depth;
  if (call_is_aggregate) {
    const AggregateFrame frame = aggregates_.back();
    aggregates_.pop_back();
    if (frame.deepest >= 0) level = frame.deepest;
  }
  if (c.over) window(*c.over, scope);
  if (!call_is_aggregate && !c.over) return;
  // The aggregate belongs to the level of its innermost column (manual section 4.2.7).
  for (Scope* s = &scope; s != nullptr; s = s->parent) {
    if (s->block < 0 || block(s->block).depth != level) continue;
    Block& owner = block(s->block);
    a_.aggregate_of[&e] = owner.id;
    owner.aggregates.push_back({&e, c.over != nullptr});
    if (c.over) partition(*c.over, owner);
    return;
  }
  a_.opaque = true;
}

void Binder::window(const sql::WindowDef& w, Scope& scope) {
  for (const auto& e : w.partition_by) expr(e.get(), scope);
  for (const auto& o : w.order_by) expr(o.expr.get(), scope);
  expr(w.start_offset.get(), scope);
  expr(w.end_offset.get(), scope);
}

void Binder::node(const sql::Expr& e, const sql::SubLink& s, Scope& scope) {
  expr(s.test.get(), scope);
  const int id = select(*s.query, &scope);
  a_.block_of[&e] = id;
  for (Scope* level = &scope; level != nullptr; level = level->parent) {
    if (level->block < 0) continue;
    block(level->block).sublinks.push_back({&e, id});
    return;
  }
}

void Binder::node(const sql::Expr& e, const sql::Cast& c, Scope& scope) {
  (void)e;
  expr(c.arg.get(), scope);
  if (c.type.names.empty()) return;
  const std::string& name = c.type.names.back();
  if (name.size() > 3 && name.compare(0, 3, "reg") == 0) effects_->home = true;
  const catalog::Type* type = a_.snapshot->resolve_type(path_, c.type.names);
  if (type != nullptr && type->typtype == 'd' && hides()) {
    reached(reach_of_type(*type, *a_.snapshot), "domain " + name + ": ");
  }
  if (is_moment_word(*c.arg)) {
    a_.shaping.push_back(c.arg->location);
    effects_->moment = true;
  }
}

void Binder::node(const sql::Expr& e, const sql::SqlValue& v, Scope& scope) {
  (void)e;
  (void)scope;
  const std::string name = lower(v.name);
  if (name == "current_catalog") {
    effects_->home = true;
  } else if (name.find("date") != std::string::npos || name.find("time") != std::string::npos) {
    effects_->moment = true;
  }
}

// The type of an expression where it is certain without PostgreSQL's whole inference; 0 otherwise.
Oid Binder::type_of(const sql::Expr& e) {
  if (const auto id = a_.find_column(&e)) return a_.column(*id).type;
  if (const auto* c = std::get_if<sql::Cast>(&e.node)) {
    if (!c->type.array_bounds.empty() || c->type.setof || c->type.pct_type) return Oid{};
    const catalog::Type* t = a_.snapshot->resolve_type(path_, c->type.names);
    if (t == nullptr) return Oid{};
    return t->typtype == 'd' ? t->base : t->oid;
  }
  if (const auto* c = std::get_if<sql::Call>(&e.node)) {
    Oid type;
    for (const catalog::Function* f : a_.snapshot->resolve_functions(path_, c->name)) {
      if (f->prokind == 'p') continue;
      if (type.value != 0 && type != f->result) return Oid{};
      type = f->result;
    }
    return type;
  }
  // The type of a number depends on its size: naming it would bind a plan to the very constant.
  return Oid{};
}

}  // namespace shoal::route
