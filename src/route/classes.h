// What the conditions of one block prove: which columns are equal, which are not NULL, which are
// compared with constants (planner rules for conditions). Only conjuncts may be added, and only
// those of WHERE and of an inner ON, for the rows that survive them.
// Thread rule: plain values, copied freely.
#pragma once
#include <optional>
#include <set>
#include <vector>

#include "route/analysis.h"

namespace shoal::route {

// One conjunct that compares a column with something that may be constant.
struct Constraint {
  enum class Kind { kEqual, kList, kLow, kHigh } kind = Kind::kEqual;
  ColumnId column;
  const sql::Expr* value = nullptr;  // kList: the right side of IN or = ANY
  int row_position = -1;             // kList of rows, (k, x) IN ((1, 2)): the position of k
};

class Classes {
 public:
  explicit Classes(const Analysis& analysis) : a_(&analysis) {}

  void add(const sql::Expr* condition);  // splits AND
  void add_equal(ColumnId a, ColumnId b);
  void add_not_null(ColumnId c) { not_null_.insert(c); }

  bool same(ColumnId a, ColumnId b) const;
  std::vector<ColumnId> members(ColumnId c) const;  // c and its equals
  bool not_null(ColumnId c) const;
  std::vector<Constraint> constraints(ColumnId c) const;
  const std::vector<const sql::BoolExpr*>& disjunctions() const { return ors_; }
  void forget_disjunctions() { ors_.clear(); }
  const std::set<ColumnId>& not_null_columns() const { return not_null_; }

 private:
  void comparison(const sql::Operator& o);
  void pair(const sql::Expr& left, const sql::Expr& right, const std::string& op);
  int root(ColumnId c) const;

  const Analysis* a_;
  std::vector<ColumnId> columns_;
  std::vector<int> parent_;
  std::vector<Constraint> constraints_;
  std::vector<const sql::BoolExpr*> ors_;
  std::set<ColumnId> not_null_;
};

// Whether `a = b` is the default equality of one hash family, so that equal values are placed
// alike.
bool comparable(const Analysis& a, ColumnId x, ColumnId y);
// Whether a column's own equality is bytewise (no nondeterministic collation).
bool deterministic(const Analysis& a, ColumnId c);
// The operator's name when it is PostgreSQL's own; empty for another schema's.
std::string builtin_operator(const std::vector<std::string>& name);

}  // namespace shoal::route
