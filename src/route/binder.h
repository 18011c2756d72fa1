// The state of one name resolution; private to this room. bind.cc: queries; bind_from.cc: FROM;
// bind_expr.cc: expressions; bind_keys.cc: GROUP BY, ORDER BY and their kind.
// Errors do not stop it: the first one is kept in Analysis::error and dummies go on.
// Thread rule: one statement, one thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "route/analysis.h"
#include "route/code.h"
#include "route/session_facts.h"

namespace shoal::route {

struct NameItem {
  int relation = -1;
  bool relation_visible = true;  // t.a finds it
  bool columns_visible = true;   // a finds it
};

struct CteEntry {
  const sql::Cte* cte = nullptr;
  int use = -1;  // index in Analysis::ctes
  bool bound = false, binding = false;
  bool recursive = false;  // WITH RECURSIVE
  int non_recursive = -1;  // block of the first arm while the second is bound
  bool self_referenced = false;
};

// One level of names. `block` is -1 for a level that only holds a WITH list.
struct Scope {
  Scope* parent = nullptr;
  int block = -1;
  std::vector<NameItem> items;
  std::vector<CteEntry> ctes;
};

class Binder {
 public:
  Binder(Analysis& analysis, const SessionFacts& session);

  void statement(const sql::Statement& s);
  int select(const sql::Select& s, Scope* parent);

 private:
  // bind.cc
  void insert(const sql::Insert& s);
  void update(const sql::Update& s);
  void remove(const sql::Delete& s);
  void merge(const sql::Merge& s);
  void conflict(const sql::OnConflict& c, int target_relation, Block& b, Scope& scope);
  void plain(const sql::Select& s, Block& b, Scope& with);
  void set_operation(const sql::Select& s, Block& b, Scope& with);
  void values(const sql::Select& s, Block& b, Scope& with);
  void open_with(const sql::With& w, Scope& scope);
  void close_with(Scope& scope, Block& b);
  void bind_cte(CteEntry& entry, Scope* scope);
  void bind_modifying(const sql::Cte& cte, Scope* scope);
  void targets(const std::vector<sql::Target>& targets, Block& b, Scope& scope);
  void star(const sql::ColumnRef& ref, const sql::Expr& e, Block& b, Scope& scope);
  void assignments(const std::vector<sql::Assignment>& set, Scope& scope);
  Block& new_block(Scope* parent);
  int target_table(const sql::RangeVar& table, Block& b, Scope& scope);

  // bind_from.cc
  std::unique_ptr<FromNode> from(const sql::FromItem& item, Scope& scope,
                                 std::vector<NameItem>& items);
  void from_list(const std::vector<sql::FromPtr>& list, Block& b, Scope& scope);
  std::unique_ptr<FromNode> leaf(Relation relation, std::vector<NameItem>& items);
  std::unique_ptr<FromNode> join(const sql::FromItem& item, const sql::Join& j, Scope& scope,
                                 std::vector<NameItem>& items);
  Relation table(const sql::RangeVar& rv, Scope& scope);
  Relation cte_reference(const sql::RangeVar& rv, CteEntry& entry, Scope* holder);
  void view(Relation& r);
  Relation function(const sql::FromFunction& f, Scope& scope);
  std::optional<std::vector<Oid>> unnested(const sql::FromFunction& f);
  void using_columns(const sql::Join& j, FromNode& node, const std::vector<std::string>& names,
                     Relation& out);
  void add_columns(int from, const std::vector<std::string>& names, Relation& out);
  void query_columns(int block, Relation& out);
  void rename(const std::optional<sql::Alias>& alias, Relation& r);
  void note_table(const catalog::Table& t);
  int add_relation(Relation r);

  // bind_expr.cc
  void expr(const sql::Expr* e, Scope& scope);
  void exprs(const sql::ExprList& list, Scope& scope);
  void node(const sql::Expr& e, const sql::ColumnRef& c, Scope& scope);
  void node(const sql::Expr& e, const sql::Call& c, Scope& scope);
  void node(const sql::Expr& e, const sql::Operator& o, Scope& scope);
  void node(const sql::Expr& e, const sql::SubLink& s, Scope& scope);
  void node(const sql::Expr& e, const sql::Cast& c, Scope& scope);
  void node(const sql::Expr& e, const sql::SqlValue& v, Scope& scope);
  void classify(const sql::Call& c, bool& aggregate, bool& window);
  void user_function(const catalog::Function& f);
  void reached(const Reach& reach, const std::string& what);
  void window(const sql::WindowDef& w, Scope& scope);
  void steps(const std::vector<sql::Indirection::Step>& steps, Scope& scope);
  // Looks for a column; `local`: on this level only. Sets `found` once, fails on ambiguity.
  std::optional<ColumnId> find(std::string_view name, Scope& scope, bool local, bool& ambiguous);
  int find_relation(std::string_view schema, std::string_view name, Scope& scope);
  void use(ColumnId id);
  void whole_row(int relation);
  void record(const sql::Expr& e, ColumnId id);
  bool missing(const sql::Expr& e, const sql::ColumnRef& c, Scope& scope);
  Oid type_of(const sql::Expr& e);

  // bind_keys.cc
  void group_by(const sql::Select& s, Block& b, Scope& scope);
  void group_key(const sql::Expr* e, Block& b, Scope& scope, std::vector<Key>& out);
  std::vector<std::vector<Key>> group_sets(const sql::Expr* e, Block& b, Scope& scope);
  Key sort_key(const sql::Expr* e, Block& b, Scope& scope, int& output);
  void order_by(const sql::Select& s, Block& b, Scope& scope);
  void partition(const sql::WindowDef& w, Block& b);

  // helpers
  ColumnId flatten(ColumnId id) const;
  Block& block(int id) { return *a_.blocks[static_cast<std::size_t>(id)]; }
  Relation& relation(int id) { return *a_.relations[static_cast<std::size_t>(id)]; }
  void fail(std::string sqlstate, std::string message, int location = -1);
  void refuse_once(Error e);
  bool hides();  // hides_rows(), asked once

  struct AggregateFrame {
    int depth = 0;     // of the level on which the call stands
    int deepest = -1;  // deepest level of a column inside
  };

  Analysis& a_;
  const SessionFacts& session_;
  std::vector<std::string> path_;
  std::vector<AggregateFrame> aggregates_;
  Effects* effects_ = nullptr;  // where the effects of an expression go
  int view_depth_ = 0;
  std::optional<bool> hides_;
};

}  // namespace shoal::route
