// Builds the text of a tree; private to this room (deparse.h is the way in). Appends to one string;
// every identifier is quoted, every operator expression stands in parentheses.
// Thread rule: one thread per Writer.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sql/ast.h"

namespace shoal::sql {

class Writer {
 public:
  // writer_expr.cc
  void expr(const Expr& e);
  void exprs(const ExprList& list);
  void type(const TypeName& t);
  // writer_query.cc
  void select(const Select& s);
  // writer_dml.cc
  void insert(const Insert& s);
  void update(const Update& s);
  void remove(const Delete& s);
  void merge(const Merge& s);

  std::string take() { return std::move(out_); }
  bool opaque() const { return opaque_; }  // something was met that has no text

 private:
  void put(std::string_view s) { out_ += s; }
  void name(std::string_view identifier);
  void names(const std::vector<std::string>& list, std::string_view separator);
  void no_text(std::string_view what);

  void node(const Const& c);
  void node(const Param& p);
  void node(const ColumnRef& c);
  void node(const Call& c);
  void node(const Operator& o);
  void node(const BoolExpr& b);
  void node(const NullTest& t);
  void node(const BooleanTest& t);
  void node(const Cast& c);
  void node(const Case& c);
  void node(const Coalesce& c);
  void node(const MinMax& m);
  void node(const RowExpr& r);
  void node(const ArrayExpr& a);
  void node(const List& l);
  void node(const SubLink& s);
  void node(const Collate& c);
  void node(const Indirection& i);
  void node(const SqlValue& v);
  void node(const DefaultExpr&) { put("DEFAULT"); }
  void node(const Grouping& g);
  void node(const GroupingSet& g);
  void node(const NamedArg& a);
  void node(const CurrentOf& c);
  void node(const MultiAssign& m);
  void node(const Opaque& o) { no_text(o.what); }

  void operator_name(const std::vector<std::string>& op);
  void similar_pattern(const Operator& o);
  void call_arguments(const Call& c);
  void steps(const std::vector<Indirection::Step>& steps);
  void sort_list(const std::vector<SortBy>& list);
  void window(const WindowDef& w);
  void frame(const WindowDef& w);
  void frame_bound(int options, bool start, const Expr* offset);
  void subquery(const Select* s);

  void with(const With& w);
  void cte(const Cte& c);
  void block(const Select& s);
  void distinct(const Select& s);
  void values(const Select& s);
  void set_operation(const Select& s);
  void tail(const Select& s);
  void locking(const Locking& l);
  void targets(const std::vector<Target>& list);
  void returning(const std::vector<Target>& list);
  void where(const ExprPtr& condition);

  void table(const RangeVar& r);
  void table_name(const RangeVar& r);
  void alias(const std::optional<Alias>& a);
  void from_list(const std::vector<FromPtr>& list);
  void from(const FromItem& f);
  void node(const RangeVar& r) { table(r); }
  void node(const FromSelect& f);
  void node(const FromFunction& f);
  void node(const Join& j);
  void node(const TableSample& t);
  void node(const FromOpaque& f) { no_text(f.what); }
  void column_defs(const std::vector<ColumnDef>& list);

  void insert_columns(const std::vector<InsertColumn>& list);
  void assignments(const std::vector<Assignment>& list);
  void overriding(Insert::Overriding o);
  void on_conflict(const OnConflict& c);
  void merge_when(const MergeWhen& w);

  // Calls `one` for each element with ", " between them.
  template <class T, class One>
  void list(const std::vector<T>& items, One one) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      one(items[i]);
    }
  }

  std::string out_;
  bool opaque_ = false;
};

}  // namespace shoal::sql
