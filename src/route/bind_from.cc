// FROM: what stands there, which columns it has, and who sees them.
#include <set>

#include "route/bind.h"
#include "route/binder.h"
#include "route/functions.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::route {

int Binder::add_relation(Relation r) {
  a_.relations.push_back(std::make_unique<Relation>(std::move(r)));
  return static_cast<int>(a_.relations.size()) - 1;
}

void Binder::note_table(const catalog::Table& t) {
  if (std::find(a_.tables.begin(), a_.tables.end(), &t) == a_.tables.end()) a_.tables.push_back(&t);
}

void Binder::from_list(const std::vector<sql::FromPtr>& list, Block& b, Scope& scope) {
  for (const auto& item : list) {
    std::vector<NameItem> items;
    if (auto node = from(*item, scope, items)) b.from.push_back(std::move(node));
    scope.items.insert(scope.items.end(), items.begin(), items.end());
  }
}

std::unique_ptr<FromNode> Binder::leaf(Relation r, std::vector<NameItem>& items) {
  auto node = std::make_unique<FromNode>();
  node->relation = add_relation(std::move(r));
  items.push_back({node->relation, true, true});
  return node;
}

std::unique_ptr<FromNode> Binder::from(const sql::FromItem& item, Scope& scope,
                                       std::vector<NameItem>& items) {
  if (const auto* rv = std::get_if<sql::RangeVar>(&item.node)) {
    Relation r = table(*rv, scope);
    r.owner = scope.block;
    r.item = &item;
    return leaf(std::move(r), items);
  }
  if (const auto* q = std::get_if<sql::FromSelect>(&item.node)) {
    Relation r;
    r.kind = RelationKind::kQuery;
    r.owner = scope.block;
    r.item = &item;
    r.lateral = q->lateral;
    r.block = select(*q->query, q->lateral ? &scope : scope.parent);
    query_columns(r.block, r);
    rename(q->alias, r);
    return leaf(std::move(r), items);
  }
  if (const auto* f = std::get_if<sql::FromFunction>(&item.node)) {
    Relation r = function(*f, scope);
    r.owner = scope.block;
    r.item = &item;
    return leaf(std::move(r), items);
  }
  if (const auto* j = std::get_if<sql::Join>(&item.node)) return join(item, *j, scope, items);
  if (const auto* s = std::get_if<sql::TableSample>(&item.node)) {
    Relation r = table(s->table, scope);
    r.owner = scope.block;
    r.item = &item;
    r.sampled = true;
    a_.sampled = true;
    exprs(s->args, scope);
    expr(s->repeatable.get(), scope);
    return leaf(std::move(r), items);
  }
  a_.opaque = true;
  Relation r;
  r.open = true;
  r.owner = scope.block;
  r.item = &item;
  return leaf(std::move(r), items);
}

// ---- stored relations and WITH queries ----------------------------------------------------------

Relation Binder::cte_reference(const sql::RangeVar& rv, CteEntry& entry, Scope* holder) {
  Relation r;
  r.kind = RelationKind::kQuery;
  r.name = rv.name;
  r.source = &rv;
  r.cte = true;
  CteUse& use = a_.ctes[static_cast<std::size_t>(entry.use)];
  ++use.references;
  if (entry.binding) {
    if (entry.non_recursive < 0) {
      a_.opaque = true;  // mutual recursion or a self-reference where PostgreSQL allows none
      r.open = true;
      return r;
    }
    entry.self_referenced = true;
    r.working_table = true;
    r.block = entry.non_recursive;
    query_columns(entry.non_recursive, r);
    for (auto& c : r.columns) {
      c.plain = false;
      c.type = Oid{};
    }
  } else {
    bind_cte(entry, holder);
    const int block = a_.ctes[static_cast<std::size_t>(entry.use)].block;
    if (block < 0) {
      a_.opaque = true;
      r.open = true;
      return r;
    }
    r.block = block;
    query_columns(block, r);
  }
  for (std::size_t i = 0; i < entry.cte->columns.size() && i < r.columns.size(); ++i) {
    r.columns[i].name = entry.cte->columns[i];
  }
  rename(rv.alias, r);
  return r;
}

bool is_own_temporary(const sql::RangeVar& name, const catalog::Snapshot& snapshot,
                      const SessionFacts& session) {
  const auto& own = session.temp_tables;
  if (std::find(own.begin(), own.end(), name.name) == own.end()) return false;
  if (!name.schema.empty()) return name.schema == "pg_temp";
  // Where the search path lists pg_temp, it is searched in its turn.
  const auto& path = session.search_path;
  const auto at = std::find(path.begin(), path.end(), "pg_temp");
  if (at == path.end()) return true;
  const std::vector<std::string> until(path.begin(), at + 1);
  const catalog::Table* t = snapshot.resolve_table(until, "", name.name);
  return t == nullptr || t->temporary;
}

Relation Binder::table(const sql::RangeVar& rv, Scope& scope) {
  if (rv.schema.empty()) {
    for (Scope* s = &scope; s != nullptr; s = s->parent) {
      for (auto& entry : s->ctes) {
        const bool visible = entry.recursive || !entry.binding;
        if (visible && entry.cte->name == rv.name) return cte_reference(rv, entry, s);
      }
    }
  }
  Relation r;
  r.kind = RelationKind::kTable;
  r.name = rv.name;
  r.schema = rv.schema;
  r.source = &rv;
  const bool own_temporary = view_depth_ == 0 && is_own_temporary(rv, *a_.snapshot, session_);
  const catalog::Table* t =
      own_temporary ? nullptr : a_.snapshot->resolve_table(path_, rv.schema, rv.name);
  if (own_temporary || (t != nullptr && t->temporary)) {
    r.temporary = true;
    a_.temporary = true;
  }
  if (t == nullptr) {
    r.kind = RelationKind::kUnknown;
    r.open = true;
    if (!own_temporary) a_.unknown = true;
    rename(rv.alias, r);
    return r;
  }
  r.table = t;
  r.schema = t->schema;
  note_table(*t);
  if (!(t->policy_functions.empty() && t->policy_tables.empty()) && t->row_security && hides()) {
    reached(reach_of_reading(*t, *a_.snapshot), "a policy of " + t->name + ": ");
  }
  for (const auto& c : t->columns) {
    RelationColumn column;
    column.name = c.name;
    column.type = c.type;
    for (const catalog::Type* type = a_.snapshot->type(c.type);
         type != nullptr && type->typtype == 'd'; type = a_.snapshot->type(column.type)) {
      column.type = type->base;  // a domain compares as its base type
    }
    column.collation = c.collation;
    column.plain = true;
    column.not_null = c.not_null;
    r.columns.push_back(std::move(column));
  }
  switch (t->kind) {
    case catalog::TableKind::kSharded:
      a_.sharded = true;
      break;
    case catalog::TableKind::kReference:
      a_.reference = true;
      break;
    case catalog::TableKind::kCatalog:
      a_.catalog = true;
      if (counts_one_server(t->name) && hides()) {
        refuse_once(refuse(Refusal::kShardLocalCatalog, t->name + " counts one server's work"));
      }
      break;
    case catalog::TableKind::kSingle:
      if (t->relkind == 'v' && !t->view_definition.empty()) {
        view(r);
      } else {
        a_.single = true;
      }
      break;
  }
  if (t->row_security && view_depth_ > 0) a_.view_row_security = true;
  rename(rv.alias, r);
  return r;
}

void Binder::view(Relation& r) {
  constexpr int kMaxViewDepth = 32;
  if (view_depth_ >= kMaxViewDepth) {
    a_.opaque = true;
    return;
  }
  auto parsed = sql::parse(r.table->view_definition, sql::ParseLimits{});
  if (!parsed || parsed->size() != 1 ||
      !std::holds_alternative<sql::SelectPtr>(parsed->front().node)) {
    a_.opaque = true;
    return;
  }
  a_.views.push_back(std::make_unique<sql::Statement>(std::move(parsed->front())));
  sql::Statement& definition = *a_.views.back();
  // Its constants stand in another text: a place in this statement must not be taken for theirs.
  sql::walk(*std::get<sql::SelectPtr>(definition.node), [](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) node.location = -1;
    return true;
  });
  if (definition.has_opaque) a_.opaque = true;
  // Its names were resolved when it was defined: pg_get_viewdef qualifies what is not visible by
  // default, whatever the session's search_path says.
  std::vector<std::string> path{"public"};
  path_.swap(path);
  ++view_depth_;
  std::vector<AggregateFrame> frames;
  aggregates_.swap(frames);
  r.kind = RelationKind::kQuery;
  r.view = true;
  r.block = select(*std::get<sql::SelectPtr>(definition.node), nullptr);
  aggregates_.swap(frames);
  --view_depth_;
  path_.swap(path);
  std::vector<RelationColumn> own;
  own.swap(r.columns);
  query_columns(r.block, r);
  if (r.columns.size() != own.size()) {
    a_.opaque = true;
    r.columns = std::move(own);
    return;
  }
  for (std::size_t i = 0; i < own.size(); ++i) r.columns[i].name = own[i].name;
}

void Binder::query_columns(int id, Relation& out) {
  for (const Output& o : block(id).outputs) {
    RelationColumn column;
    column.name = o.name;
    column.type = o.type;
    if (o.column) {
      const RelationColumn& from = a_.column(*o.column);
      column.collation = from.collation;
      column.plain = from.plain;
    } else {
      const int left = block(id).left;
      // A set operation keeps a collation when both arms have the same; integers have none.
      column.plain = left >= 0 && is_integer_type(o.type);
    }
    out.columns.push_back(std::move(column));
  }
}

void Binder::rename(const std::optional<sql::Alias>& alias, Relation& r) {
  if (!alias) return;
  r.name = alias->name;
  r.schema.clear();
  if (alias->columns.empty()) return;
  r.renamed = true;
  for (std::size_t i = 0; i < alias->columns.size(); ++i) {
    if (i < r.columns.size()) {
      r.columns[i].name = alias->columns[i];
    } else if (r.open) {
      RelationColumn column;
      column.name = alias->columns[i];
      r.columns.push_back(std::move(column));
    }
  }
}

// ---- functions ----------------------------------------------------------------------------------

// unnest(a, b, ...) has a column for each array (and only without a schema more than one): the
// types of their elements, where all of them are scalars.
std::optional<std::vector<Oid>> Binder::unnested(const sql::FromFunction& f) {
  if (f.items.size() != 1 || !f.columns.empty() || !f.items[0].columns.empty()) return std::nullopt;
  const auto* c = std::get_if<sql::Call>(&f.items[0].call->node);
  if (c == nullptr || c->name.size() != 1 || c->name[0] != "unnest") return std::nullopt;
  for (const catalog::Function* function : a_.snapshot->resolve_functions(path_, c->name)) {
    if (function->oid.value >= 16384) return std::nullopt;  // somebody's own
  }
  std::vector<Oid> types;
  for (const auto& argument : c->args) {
    const catalog::Type* element = nullptr;
    const auto* cast = std::get_if<sql::Cast>(&argument->node);
    if (cast != nullptr && !cast->type.array_bounds.empty()) {
      element = a_.snapshot->resolve_type(path_, cast->type.names);
    } else if (const catalog::Type* array = a_.snapshot->type(type_of(*argument))) {
      element = a_.snapshot->type(array->element);
    }
    if (element == nullptr || (element->typtype != 'b' && element->typtype != 'e')) {
      return std::nullopt;
    }
    types.push_back(element->oid);
  }
  return types;
}

Relation Binder::function(const sql::FromFunction& f, Scope& scope) {
  Relation r;
  r.kind = RelationKind::kFunction;
  r.lateral = true;  // a function sees what stands before it, with or without the word
  Effects* outer = effects_;
  effects_ = &r.effects;
  for (const auto& item : f.items) expr(item.call.get(), scope);
  effects_ = outer;
  a_.effects.add(r.effects);
  const auto& first = f.items.front();
  if (const auto* c = std::get_if<sql::Call>(&first.call->node)) r.name = c->name.back();
  const auto add = [&](std::string name, Oid type) {
    RelationColumn column;
    column.name = std::move(name);
    column.type = type;
    r.columns.push_back(std::move(column));
  };
  if (const auto elements = unnested(f)) {
    const bool named = f.alias && f.alias->columns.empty() && elements->size() == 1;
    for (const Oid type : *elements) add(named ? f.alias->name : r.name, type);
  } else if (f.items.size() > 1) {
    r.open = true;
  } else if (!f.columns.empty() || !first.columns.empty()) {
    for (const auto& c : f.columns.empty() ? first.columns : f.columns) add(c.name, Oid{});
  } else {
    const Oid type = type_of(*first.call);
    const catalog::Type* t = type.value == 0 ? nullptr : a_.snapshot->type(type);
    const bool scalar =
        t != nullptr && (t->typtype == 'b' || t->typtype == 'e' || t->typtype == 'd');
    if (!scalar) r.open = true;
    const bool named = f.alias && f.alias->columns.empty();
    if (scalar || type.value == 0) add(named ? f.alias->name : r.name, scalar ? type : Oid{});
  }
  if (f.ordinality) {
    if (r.open)
      r.columns.clear();
    else
      add("ordinality", Oid{20});
  }
  rename(f.alias, r);
  return r;
}

// ---- joins --------------------------------------------------------------------------------------

ColumnId Binder::flatten(ColumnId id) const {
  while (const auto& same = a_.column(id).same_as) id = *same;
  return id;
}

void Binder::add_columns(int from, const std::vector<std::string>& names, Relation& out) {
  const Relation& r = a_.relation(from);
  for (std::size_t i = 0; i < r.columns.size(); ++i) {
    const auto& c = r.columns[i];
    if (std::find(names.begin(), names.end(), c.name) != names.end()) continue;
    RelationColumn column = c;
    column.used = false;
    column.merged.reset();
    column.same_as = ColumnId{from, static_cast<int>(i)};
    out.columns.push_back(std::move(column));
  }
}

void Binder::using_columns(const sql::Join& j, FromNode& node,
                           const std::vector<std::string>& names, Relation& out) {
  const auto position = [&](int id, const std::string& name) {
    const auto& columns = a_.relation(id).columns;
    int found = -1;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name != name) continue;
      if (found >= 0) fail("42702", "common column name \"" + name + "\" appears more than once");
      found = static_cast<int>(i);
    }
    return found;
  };
  for (const auto& name : names) {
    const int l = position(node.left->relation, name), r = position(node.right->relation, name);
    if (l < 0 || r < 0) {
      if (a_.relation(node.left->relation).open || a_.relation(node.right->relation).open) {
        a_.opaque = true;
      } else {
        fail("42703", "column \"" + name + "\" specified in USING clause does not exist");
      }
      continue;
    }
    const ColumnId left = flatten({node.left->relation, l});
    const ColumnId right = flatten({node.right->relation, r});
    use(left);
    use(right);
    node.equal.emplace_back(left, right);
    RelationColumn column = a_.column(j.kind == sql::Join::Kind::kRight ? right : left);
    column.name = name;
    column.used = false;
    column.same_as.reset();
    column.merged.reset();
    // A full join merges by COALESCE; other joins take one side's value, but the merged column has
    // the common type of both, so that it is a column of its own when they differ.
    const Oid l_type = a_.column(left).type, r_type = a_.column(right).type;
    if (j.kind == sql::Join::Kind::kFull || l_type != r_type) {
      column.merged = std::pair(left, right);
      column.type = common_type(l_type, r_type);
      node.was_full = true;
    } else {
      column.same_as = j.kind == sql::Join::Kind::kRight ? right : left;
    }
    out.columns.push_back(std::move(column));
  }
}

std::unique_ptr<FromNode> Binder::join(const sql::FromItem& item, const sql::Join& j, Scope& scope,
                                       std::vector<NameItem>& items) {
  auto node = std::make_unique<FromNode>();
  node->join = true;
  node->kind = j.kind == sql::Join::Kind::kCross ? sql::Join::Kind::kInner : j.kind;
  node->was_full = j.kind == sql::Join::Kind::kFull;
  std::vector<NameItem> left, right;
  node->left = from(*j.left, scope, left);
  const std::size_t before = scope.items.size();
  scope.items.insert(scope.items.end(), left.begin(), left.end());
  node->right = from(*j.right, scope, right);
  scope.items.resize(before);

  Relation r;
  r.kind = RelationKind::kJoin;
  r.owner = scope.block;
  r.item = &item;
  r.open = relation(node->left->relation).open || relation(node->right->relation).open;
  std::vector<std::string> names = j.using_columns;
  if (j.natural) {
    if (r.open) a_.opaque = true;
    std::set<std::string> own;
    for (const auto& c : relation(node->left->relation).columns) own.insert(c.name);
    for (const auto& c : relation(node->right->relation).columns) {
      if (own.count(c.name) != 0) names.push_back(c.name);
    }
    // Which columns are common depends on all of them.
    whole_row(node->left->relation);
    whole_row(node->right->relation);
  }
  using_columns(j, *node, names, r);
  add_columns(node->left->relation, names, r);
  add_columns(node->right->relation, names, r);

  Scope on;
  on.parent = scope.parent;
  on.block = scope.block;
  on.items = left;
  on.items.insert(on.items.end(), right.begin(), right.end());
  node->on = j.on.get();
  expr(j.on.get(), on);

  if (j.using_alias) {
    Relation alias;
    alias.kind = RelationKind::kJoin;
    alias.name = j.using_alias->name;
    alias.owner = scope.block;
    for (std::size_t i = 0; i < names.size() && i < r.columns.size(); ++i) {
      alias.columns.push_back(r.columns[i]);
      if (r.columns[i].merged) a_.opaque = true;
    }
    items.push_back({add_relation(std::move(alias)), true, false});
  }
  rename(j.alias, r);
  const bool aliased = j.alias.has_value();
  node->relation = add_relation(std::move(r));
  if (!aliased) {
    for (auto* side : {&left, &right}) {
      for (NameItem i : *side) {
        i.columns_visible = false;
        if (i.relation_visible) items.push_back(i);
      }
    }
  }
  items.push_back({node->relation, aliased, true});
  return node;
}

}  // namespace shoal::route
