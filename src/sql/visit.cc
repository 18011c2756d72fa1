// The questions of visit.h.
#include "sql/visit.h"

#include <algorithm>

namespace shoal::sql {
namespace {

template <class Root>
void collect_params(const Root& root, std::vector<int>& out) {
  walk(root, [&out](const auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, Expr>) {
      if (const Param* p = std::get_if<Param>(&node.node)) out.push_back(p->number);
    }
    return true;
  });
}

std::vector<int> distinct(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

template <class Root>
std::vector<int> params_of(const Root& root) {
  std::vector<int> out;
  collect_params(root, out);
  return distinct(std::move(out));
}

template <class Root>
void collect_calls(const Root& root, std::vector<const Call*>& out) {
  walk(root, [&out](const auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, Expr>) {
      if (const Call* c = std::get_if<Call>(&node.node)) out.push_back(c);
    }
    return true;
  });
}

// Finds the relations, with the names that WITH defines in scope.
class Tables {
 public:
  // A Select, Insert, Update, Delete or Merge.
  template <class Query>
  void query(const Query& q, int depth) {
    const std::size_t mark = scope_.size();
    std::apply([&](const auto&... field) { (query_field(field, depth), ...); }, fields(q));
    scope_.resize(mark);
  }

  void expression(const Expr& e, int depth) {
    Parts parts{*this, depth};
    parts(e);
  }

  void mention(const RangeVar& r, int depth, bool written) {
    const bool plain = r.schema.empty() && r.database.empty();
    const bool cte =
        !written && plain && std::find(scope_.begin(), scope_.end(), r.name) != scope_.end();
    out.push_back({&r, depth, written, cte});
  }

  std::vector<TableUse> out;

 private:
  struct Parts {
    Tables& tables;
    int depth;
    void operator()(const Expr& e) { for_each_child(e, *this); }
    void operator()(const FromItem& f) { for_each_child(f, *this); }
    void operator()(const Select& s) { tables.query(s, depth + 1); }
    void operator()(const RangeVar& r) { tables.mention(r, depth, false); }
  };

  template <class Field>
  void query_field(const Field& field, int depth) {
    if constexpr (std::is_same_v<Field, With>) {
      with(field, depth);
    } else if constexpr (std::is_same_v<Field, RangeVar>) {
      mention(field, depth, true);
    } else if constexpr (std::is_same_v<Field, std::optional<RangeVar>>) {
      if (field) mention(*field, depth, true);
    } else if constexpr (std::is_same_v<Field, SelectPtr>) {
      if (field) query(*field, depth);
    } else if constexpr (!std::is_same_v<Field, std::vector<Locking>>) {
      for_each_child_of(field, Parts{*this, depth});
    }
  }

  // Without RECURSIVE a CTE sees those before it; with it, all of them.
  void with(const With& w, int depth) {
    if (w.recursive) {
      for (const Cte& c : w.ctes) scope_.push_back(c.name);
    }
    for (const Cte& c : w.ctes) {
      std::visit(
          [&](const auto& q) {
            if (q) query(*q, depth + 1);
          },
          c.query);
      if (!w.recursive) scope_.push_back(c.name);
    }
  }

  std::vector<std::string_view> scope_;
};

void statement_tables(const Statement& s, Tables& t) {
  if (const Copy* c = std::get_if<Copy>(&s.node); c != nullptr && !c->table.name.empty()) {
    t.mention(c->table, 0, c->from);
  }
  if (const Truncate* c = std::get_if<Truncate>(&s.node)) {
    for (const RangeVar& r : c->tables) t.mention(r, 0, true);
  }
  if (const LockTable* c = std::get_if<LockTable>(&s.node)) {
    for (const RangeVar& r : c->tables) t.mention(r, 0, false);
  }
  if (s.inner) statement_tables(*s.inner, t);
}

}  // namespace

bool contains_sublink(const Expr& e) {
  bool found = false;
  walk_expressions(e, [&found](const Expr& node) {
    found = found || std::holds_alternative<SubLink>(node.node);
    return !found;
  });
  return found;
}

std::vector<const Call*> calls_in_block(const Expr& e) {
  std::vector<const Call*> out;
  walk_expressions(e, [&out](const Expr& node) {
    if (const Call* c = std::get_if<Call>(&node.node)) out.push_back(c);
    return true;
  });
  return out;
}

std::vector<const Call*> all_calls(const Select& s) {
  std::vector<const Call*> out;
  collect_calls(s, out);
  return out;
}

std::vector<const Call*> all_calls(const Statement& s) {
  std::vector<const Call*> out;
  for_each_root(s, [&out](const auto& root) { collect_calls(root, out); });
  return out;
}

std::vector<int> params(const Expr& e) {
  return params_of(e);
}
std::vector<int> params(const Select& s) {
  return params_of(s);
}

std::vector<int> params(const Statement& s) {
  std::vector<int> out;
  for_each_root(s, [&out](const auto& root) { collect_params(root, out); });
  return distinct(std::move(out));
}

int max_param(const Expr& e) {
  const auto all = params(e);
  return all.empty() ? 0 : all.back();
}

int max_param(const Select& s) {
  const auto all = params(s);
  return all.empty() ? 0 : all.back();
}

std::vector<TableUse> tables(const Select& s) {
  Tables t;
  t.query(s, 0);
  return std::move(t.out);
}

std::vector<TableUse> tables(const Statement& s) {
  Tables t;
  for_each_root(s, [&t](const auto& root) {
    if constexpr (std::is_same_v<std::decay_t<decltype(root)>, Expr>)
      t.expression(root, 0);
    else
      t.query(root, 0);
  });
  statement_tables(s, t);
  return std::move(t.out);
}

}  // namespace shoal::sql
