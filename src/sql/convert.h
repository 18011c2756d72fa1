// The conversion of the parser library's tree into ours; private to this room. One Converter works
// on one text. A tree deeper than `depth` sets too_deep() and gets a stand-in, so that callers
// check once at the end and no function in between has an error path.
// Thread rule: one thread.
#pragma once
#include <pg_query/pg_query.pb-c.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sql/ast.h"

namespace shoal::sql {

using Node = PgQuery__Node;
using Nodes = std::span<Node* const>;

inline Nodes nodes(Node* const* items, std::size_t count) {
  return {items, count};
}
inline bool is(const Node* n, PgQuery__Node__NodeCase kind) {
  return n != nullptr && n->node_case == kind;
}

// Contents of a String node, empty for anything else.
std::string string_of(const Node* n);
std::vector<std::string> strings_of(Nodes items);

class Converter {
 public:
  Converter(std::string_view text, int depth) : text_(text), limit_(depth) {}

  // The statement of one RawStmt; `text` and `offset` are the caller's to fill in.
  Statement statement(const Node* n);

  bool too_deep() const { return too_deep_; }
  bool has_opaque() const { return has_opaque_; }
  int max_param() const { return max_param_; }
  // Offset of a $n whose number PostgreSQL can't have meant, -1 if there is none.
  int bad_param() const { return bad_param_; }
  void reset() { has_opaque_ = false, max_param_ = 0, bad_param_ = -1; }

 private:
  // Counts nesting for as long as it lives; false when the limit is reached.
  class Level {
   public:
    explicit Level(Converter& c) : c_(c) { ++c_.depth_; }
    ~Level() { --c_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    bool ok() {
      if (c_.depth_ <= c_.limit_) return true;
      c_.too_deep_ = true;
      return false;
    }

   private:
    Converter& c_;
  };

  // parse_expr.cc
  ExprPtr expr(const Node* n);  // null for null
  ExprPtr expr_node(const Node* n);
  ExprPtr opaque(std::string what);
  ExprList exprs(Nodes items);
  ExprPtr constant(const PgQuery__AConst& c);
  ExprPtr param(const PgQuery__ParamRef& p);
  ExprPtr column_ref(const PgQuery__ColumnRef& c);
  ExprPtr call(const PgQuery__FuncCall& f);
  ExprPtr operation(const PgQuery__AExpr& e);
  ExprPtr bool_expr(const PgQuery__BoolExpr& e);
  ExprPtr case_expr(const PgQuery__CaseExpr& e);
  ExprPtr sublink(const PgQuery__SubLink& s);
  ExprPtr indirection(const PgQuery__AIndirection& i);
  ExprPtr sql_value(const PgQuery__SQLValueFunction& f);
  ExprPtr row(const PgQuery__RowExpr& r);
  ExprPtr grouping_set(const PgQuery__GroupingSet& g);
  ExprPtr wrapped(const Node* n);  // kinds with one argument: tests, casts, collations
  std::vector<Indirection::Step> steps(Nodes items);
  TypeName type_name(const PgQuery__TypeName* t);
  std::vector<SortBy> sort_list(Nodes items);
  WindowDef window(const PgQuery__WindowDef& w, bool over);
  int constant_location(int location) const;

  // parse_select.cc
  SelectPtr select(const Node* n);
  SelectPtr select(const PgQuery__SelectStmt* s);
  void block(const PgQuery__SelectStmt& s, Select& out);
  With with(const PgQuery__WithClause* w);
  Cte cte(const PgQuery__CommonTableExpr& c);
  std::vector<Target> targets(Nodes items);
  Locking locking(const PgQuery__LockingClause& l);
  RangeVar range_var(const PgQuery__RangeVar* r);
  std::vector<RangeVar> range_vars(Nodes items);
  std::optional<Alias> alias(const PgQuery__Alias* a);
  FromPtr from_item(const Node* n);
  std::vector<FromPtr> from_list(Nodes items);
  FromFunction from_function(const PgQuery__RangeFunction& f);
  Join join(const PgQuery__JoinExpr& j);
  TableSample table_sample(const PgQuery__RangeTableSample& t);
  std::vector<ColumnDef> column_defs(Nodes items);

  // parse_dml.cc
  std::unique_ptr<Insert> insert(const PgQuery__InsertStmt& s);
  std::unique_ptr<Update> update(const PgQuery__UpdateStmt& s);
  std::unique_ptr<Delete> remove(const PgQuery__DeleteStmt& s);
  std::unique_ptr<Merge> merge(const PgQuery__MergeStmt& s);
  OnConflict on_conflict(const PgQuery__OnConflictClause& c);
  std::vector<Assignment> assignments(Nodes items);
  std::vector<InsertColumn> insert_columns(Nodes items);

  // parse_utility.cc
  bool session_statement(const Node* n, Statement& out);
  bool data_statement(const Node* n, Statement& out);
  Copy copy(const PgQuery__CopyStmt& s);
  Transaction transaction(const PgQuery__TransactionStmt& s);
  SetVariable set_variable(const PgQuery__VariableSetStmt& s);
  Explain explain(const PgQuery__ExplainStmt& s);
  std::unique_ptr<Statement> inner(const Node* n);
  Maintenance maintenance(const Node* n);

  // parse_ddl.cc, parse_ddl_table.cc, parse_ddl_cluster.cc
  bool ddl_statement(const Node* n, Ddl& d);
  bool table_ddl(const Node* n, Ddl& d);
  bool relation_ddl(const Node* n, Ddl& d);
  bool named_ddl(const Node* n, Ddl& d);
  bool extension_ddl(const Node* n, Ddl& d);
  bool role_ddl(const Node* n, Ddl& d);
  bool foreign_ddl(const Node* n, Ddl& d);
  void create_table(const PgQuery__CreateStmt& s, Ddl& d);
  void create_table_as(const PgQuery__CreateTableAsStmt& s, Ddl& d);
  void alter_table(const PgQuery__AlterTableStmt& s, Ddl& d);
  void create_index(const PgQuery__IndexStmt& s, Ddl& d);
  void drop(const PgQuery__DropStmt& s, Ddl& d);
  void rename(const PgQuery__RenameStmt& s, Ddl& d);
  void grant(const PgQuery__GrantStmt& s, Ddl& d);
  void object_name(int object_type, const Node* object, Ddl& d);
  DdlColumn ddl_column(const PgQuery__ColumnDef& c);
  DdlConstraint ddl_constraint(const PgQuery__Constraint& c);

  std::string_view text_;
  int limit_;
  int depth_ = 0;
  bool too_deep_ = false;
  bool has_opaque_ = false;
  int max_param_ = 0;
  int bad_param_ = -1;
};

template <class T>
ExprPtr make_expr(T node, int location = -1) {
  auto e = std::make_unique<Expr>();
  e->node = std::move(node);
  e->location = location;
  return e;
}

// A node of the parser that is known to be of one kind, by its accessor, e.g. only(n).string.
inline std::string text_of(const char* s) {
  return s == nullptr ? std::string() : std::string(s);
}

}  // namespace shoal::sql
