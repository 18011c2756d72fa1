// Walking the statement tree. for_each_child() is the one primitive, written over the fields of
// every struct, so that no new field is forgotten; the rest are the questions that planners ask.
// All walks go in the order of the structs' fields and recurse as deep as the tree
// (ParseLimits::depth). Thread-safe, pure.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sql/ast.h"
#include "sql/fields.h"

namespace shoal::sql {

// The kinds of node that have an identity of their own; everything between them (lists, targets,
// windows, assignments, ...) is passed through.
template <class T>
concept TreeNode = Maybe<T, Expr> || Maybe<T, Select> || Maybe<T, FromItem> || Maybe<T, Insert> ||
    Maybe<T, Update> || Maybe<T, Delete> || Maybe<T, Merge> || Maybe<T, RangeVar>;

namespace detail {

template <class T, class Fn>
void visit_part(T& part, Fn& fn);

template <class T, class Fn>
void visit_fields(T& node, Fn& fn) {
  std::apply([&](auto&... field) { (visit_part(field, fn), ...); }, fields(node));
}

template <class T>
struct is_pointer : std::false_type {};
template <class T>
struct is_pointer<std::unique_ptr<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_variant : std::false_type {};
template <class... T>
struct is_variant<std::variant<T...>> : std::true_type {};

template <class T, class Fn>
void visit_part(T& part, Fn& fn) {
  using Plain = std::remove_const_t<T>;
  if constexpr (TreeNode<T>) {
    // What `fn` does not take is passed over, with all that is in it.
    if constexpr (std::is_invocable_v<Fn&, T&>) fn(part);
  } else if constexpr (is_pointer<Plain>::value) {
    using Target = typename Plain::element_type;
    using Seen = std::conditional_t<std::is_const_v<T>, const Target, Target>;
    if (part) visit_part(static_cast<Seen&>(*part), fn);
  } else if constexpr (is_optional<Plain>::value) {
    if (part) visit_part(*part, fn);
  } else if constexpr (is_vector<Plain>::value) {
    if constexpr (std::is_class_v<typename Plain::value_type>) {
      for (auto& item : part) visit_part(item, fn);
    }
  } else if constexpr (is_variant<Plain>::value) {
    std::visit([&](auto& alternative) { visit_part(alternative, fn); }, part);
  } else if constexpr (requires { fields(part); }) {
    visit_fields(part, fn);
  }
}

}  // namespace detail

// Calls fn(child) for each tree node directly below `node`, of the kinds that fn takes: a lambda
// over Expr& sees the expressions of this node and no subquery; an overload set over Expr&, Select&
// and FromItem& sees them all. A const node gives const children.
template <TreeNode Node, class Fn>
void for_each_child(Node& node, Fn&& fn) {
  detail::visit_fields(node, fn);
}

// The same for the structs inside Expr and FromItem (Call, Join, ...) and for With, WindowDef, ...
template <class Part, class Fn>
requires(!TreeNode<Part>) void for_each_child_of(Part& part, Fn&& fn) {
  detail::visit_part(part, fn);
}

// Calls fn(node) for `node` and everything below it, subqueries included, parents first. fn takes
// `const auto&`-like overloads for all TreeNodes and returns whether to go on below.
template <TreeNode Node, class Fn>
void walk(Node& node, Fn&& fn);

namespace detail {

// One type for all nodes: a lambda would be another one in each, and all walks compiled for each.
template <class Fn>
struct WalkBelow {
  Fn& fn;
  template <TreeNode Node>
  void operator()(Node& child) const {
    walk(child, fn);
  }
};

}  // namespace detail

template <TreeNode Node, class Fn>
void walk(Node& node, Fn&& fn) {
  if (!fn(node)) return;
  detail::WalkBelow<std::remove_reference_t<Fn>> below{fn};
  detail::visit_fields(node, below);
}

// Calls fn(const Expr&) for `e` and the expressions below it in the same query block: a subquery's
// SubLink is seen, its query is not entered. fn returns whether to go on below.
template <class E, class Fn>
requires Maybe<E, Expr>
void walk_expressions(E& e, Fn&& fn) {
  if (!fn(e)) return;
  for_each_child(e, [&fn](E& child) { walk_expressions(child, fn); });
}

// The queries and expressions that a statement consists of, each as fn(const Select&), fn(const
// Insert&), ... or fn(const Expr&); also of EXPLAIN's and PREPARE's statement, COPY, DECLARE, CALL,
// EXECUTE, SET, CREATE VIEW and CREATE TABLE AS.
template <class Fn>
void for_each_root(const Statement& s, Fn&& fn) {
  const auto one = [&fn](const auto& pointer) {
    if (pointer) fn(std::as_const(*pointer));
  };
  const auto each = [&one](const ExprList& list) {
    for (const ExprPtr& e : list) one(e);
  };
  std::visit(
      [&](const auto& n) {
        using T = std::decay_t<decltype(n)>;
        if constexpr (detail::is_pointer<T>::value)
          one(n);
        else if constexpr (std::is_same_v<T, Copy>)
          one(n.query), one(n.where);
        else if constexpr (std::is_same_v<T, DeclareCursor>)
          one(n.query);
        else if constexpr (std::is_same_v<T, Ddl>)
          one(n.query);
        else if constexpr (std::is_same_v<T, CallProcedure>)
          one(n.call);
        else if constexpr (std::is_same_v<T, Execute>)
          each(n.params);
        else if constexpr (std::is_same_v<T, SetVariable>)
          each(n.values);
      },
      s.node);
  if (s.inner) for_each_root(*s.inner, fn);
}

// ---- questions --------------------------------------------------------------------------------

// A SubLink is in `e`, at any depth.
bool contains_sublink(const Expr& e);

// The calls in `e` that belong to its query block: subqueries are not entered.
std::vector<const Call*> calls_in_block(const Expr& e);

// All calls, in every subquery too.
std::vector<const Call*> all_calls(const Statement& s);
std::vector<const Call*> all_calls(const Select& s);

// The numbers of the parameters ($n) in ascending order, each once; max_param() is the last, or 0.
std::vector<int> params(const Expr& e);
std::vector<int> params(const Select& s);
std::vector<int> params(const Statement& s);
int max_param(const Expr& e);
int max_param(const Select& s);

// One mention of a relation.
struct TableUse {
  const RangeVar* table = nullptr;
  int depth = 0;  // subqueries and CTEs around it; the arms of a set operation and the source
                  // of an INSERT stand on the level of their statement
  bool written =
      false;         // target of INSERT, UPDATE, DELETE, MERGE, SELECT INTO, COPY FROM, TRUNCATE
  bool cte = false;  // an unqualified name that a WITH in scope defines: no table
};

// Every relation that a statement names: FROM, targets of writes, subqueries in any clause, CTEs,
// what for_each_root() reaches, and the tables of COPY, TRUNCATE and LOCK. Not the objects of a
// Ddl, and not the names of FOR UPDATE OF (they name FROM items).
std::vector<TableUse> tables(const Statement& s);
std::vector<TableUse> tables(const Select& s);

}  // namespace shoal::sql
