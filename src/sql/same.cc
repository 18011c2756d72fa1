// same() and clone(): written once over the fields of fields.h.
#include <memory>

#include "sql/deparse.h"
#include "sql/fields.h"
#include "sql/parse.h"

namespace shoal::sql {
namespace {

// ---- comparing --------------------------------------------------------------------------------

template <class T>
bool equal(const T& a, const T& b);
template <class T>
bool equal(const std::unique_ptr<T>& a, const std::unique_ptr<T>& b);
template <class T>
bool equal(const std::optional<T>& a, const std::optional<T>& b);
template <class T>
bool equal(const std::vector<T>& a, const std::vector<T>& b);
template <class... T>
bool equal(const std::variant<T...>& a, const std::variant<T...>& b);
bool equal(const Expr& a, const Expr& b);
bool equal(const RangeVar& a, const RangeVar& b);
bool equal(const Call& a, const Call& b);
bool equal(const BoolExpr& a, const BoolExpr& b);

template <class T>
bool equal(const std::unique_ptr<T>& a, const std::unique_ptr<T>& b) {
  if (!a || !b) return !a && !b;
  return equal(*a, *b);
}

template <class T>
bool equal(const std::optional<T>& a, const std::optional<T>& b) {
  if (!a || !b) return !a && !b;
  return equal(*a, *b);
}

template <class T>
bool equal(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i])) return false;
  }
  return true;
}

template <class... T>
bool equal(const std::variant<T...>& a, const std::variant<T...>& b) {
  if (a.index() != b.index()) return false;
  return std::visit([&](const auto& x) { return equal(x, std::get<std::decay_t<decltype(x)>>(b)); },
                    a);
}

bool equal(const Expr& a, const Expr& b) {
  return equal(a.node, b.node);
}

bool equal(const RangeVar& a, const RangeVar& b) {
  return a.database == b.database && a.schema == b.schema && a.name == b.name && a.only == b.only &&
         equal(a.alias, b.alias) && a.persistence == b.persistence;
}

// EXTRACT(year FROM x) and pg_catalog.extract('year', x) are the same call.
bool equal(const Call& a, const Call& b) {
  return a.name == b.name && equal(a.args, b.args) && equal(a.order_by, b.order_by) &&
         equal(a.filter, b.filter) && equal(a.over, b.over) && a.star == b.star &&
         a.distinct == b.distinct && a.variadic == b.variadic && a.within_group == b.within_group;
}

// (a AND b) AND c is what the parser makes of a AND b AND c.
void collect_left(const BoolExpr& e, std::vector<const Expr*>& out) {
  for (std::size_t i = 0; i < e.args.size(); ++i) {
    const BoolExpr* first = i == 0 ? std::get_if<BoolExpr>(&e.args[i]->node) : nullptr;
    if (first != nullptr && first->op == e.op && e.op != BoolExpr::Op::kNot) {
      collect_left(*first, out);
    } else {
      out.push_back(e.args[i].get());
    }
  }
}

bool equal(const BoolExpr& a, const BoolExpr& b) {
  if (a.op != b.op) return false;
  std::vector<const Expr*> left, right;
  collect_left(a, left);
  collect_left(b, right);
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!equal(*left[i], *right[i])) return false;
  }
  return true;
}

template <class T>
bool equal(const T& a, const T& b) {
  if constexpr (requires { fields(a); }) {
    const auto x = fields(a);
    const auto y = fields(b);
    return std::apply(
        [&](const auto&... left) {
          return std::apply([&](const auto&... right) { return (equal(left, right) && ...); }, y);
        },
        x);
  } else {
    return a == b;
  }
}

// ---- copying ----------------------------------------------------------------------------------

template <class T>
void copy(const T& from, T& to);
template <class T>
void copy(const std::unique_ptr<T>& from, std::unique_ptr<T>& to);
template <class T>
void copy(const std::optional<T>& from, std::optional<T>& to);
template <class T>
void copy(const std::vector<T>& from, std::vector<T>& to);
template <class... T>
void copy(const std::variant<T...>& from, std::variant<T...>& to);

template <class T>
void copy(const std::unique_ptr<T>& from, std::unique_ptr<T>& to) {
  if (!from) return;
  to = std::make_unique<T>();
  copy(*from, *to);
}

template <class T>
void copy(const std::optional<T>& from, std::optional<T>& to) {
  if (!from) return;
  to.emplace();
  copy(*from, *to);
}

template <class T>
void copy(const std::vector<T>& from, std::vector<T>& to) {
  to.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) copy(from[i], to[i]);
}

template <class... T>
void copy(const std::variant<T...>& from, std::variant<T...>& to) {
  std::visit([&](const auto& x) { copy(x, to.template emplace<std::decay_t<decltype(x)>>()); },
             from);
}

template <class T>
void copy(const T& from, T& to) {
  if constexpr (requires { fields(from); }) {
    const auto x = fields(from);
    auto y = fields(to);
    std::apply(
        [&](const auto&... left) {
          std::apply([&](auto&... right) { (copy(left, right), ...); }, y);
        },
        x);
  } else {
    to = from;
  }
}

template <class T>
std::unique_ptr<T> cloned(const T& from) {
  auto out = std::make_unique<T>();
  copy(from, *out);
  return out;
}

}  // namespace

bool same(const Expr& a, const Expr& b) {
  return equal(a, b);
}
bool same(const Select& a, const Select& b) {
  return equal(a, b);
}
bool same(const Insert& a, const Insert& b) {
  return equal(a, b);
}
bool same(const Update& a, const Update& b) {
  return equal(a, b);
}
bool same(const Delete& a, const Delete& b) {
  return equal(a, b);
}
bool same(const Merge& a, const Merge& b) {
  return equal(a, b);
}

ExprPtr clone(const Expr& e) {
  return cloned(e);
}
SelectPtr clone(const Select& s) {
  return cloned(s);
}
FromPtr clone(const FromItem& f) {
  return cloned(f);
}
std::unique_ptr<Insert> clone(const Insert& s) {
  return cloned(s);
}
std::unique_ptr<Update> clone(const Update& s) {
  return cloned(s);
}
std::unique_ptr<Delete> clone(const Delete& s) {
  return cloned(s);
}
std::unique_ptr<Merge> clone(const Merge& s) {
  return cloned(s);
}

}  // namespace shoal::sql
