// A statement after name resolution: what each name means, block by block. bind.h makes it, the
// property algebra (property.h) and plan/ read it. It points into the statement's tree and into the
// snapshot, which must both outlive it.
// Invariant: a column that is in `column_of` was resolved with certainty; what could not be is an
// error or a relation that is `open`.
// Thread rule: one statement, one thread.
#pragma once
#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/snapshot.h"
#include "sql/ast.h"

namespace shoal::route {

// One column of one range table entry of the statement; relation -1: a block's own output.
struct ColumnId {
  int relation = -1;
  int column = -1;
  auto operator<=>(const ColumnId&) const = default;
};

struct RelationColumn {
  std::string name;
  Oid type;                   // 0 = not known
  Oid collation;              // of a collatable type; meaningful only when `plain`
  bool plain = false;         // comes unchanged from a stored column
  bool not_null = false;      // of a stored column
  bool used = false;          // some expression of the statement needs it
  std::optional<ColumnId> same_as;  // of a join: the input column that it is
  std::optional<std::pair<ColumnId, ColumnId>> merged;  // FULL JOIN USING: COALESCE(left, right)
};

enum class RelationKind { kTable, kQuery, kFunction, kJoin, kUnknown };

// What a function or expression of a block can do beyond its arguments.
struct Effects {
  bool row_volatile = false;   // random() and its kind: another value for each row
  bool moment = false;         // now() and its kind
  bool home = false;           // describes a server or a sequence: only home's answer is right
  bool home_action = false;    // of those, the ones that must not run in a workspace
  void add(const Effects& other) {
    row_volatile |= other.row_volatile;
    moment |= other.moment;
    home |= other.home;
    home_action |= other.home_action;
  }
};

struct Relation {
  RelationKind kind = RelationKind::kUnknown;
  std::string name;    // as the block knows it
  std::string schema;  // of a stored relation without alias: for s.t.a
  const catalog::Table* table = nullptr;
  int owner = -1;      // block in whose FROM it stands
  int block = -1;      // of a subquery, view or CTE reference: the block that it reads
  bool lateral = false;
  bool cte = false;
  bool working_table = false;  // the self-reference of a recursive CTE
  bool view = false;
  bool sampled = false;
  bool temporary = false;
  bool open = false;           // its columns are not known: names that fit nowhere may be its own
  bool whole_row = false;      // *, t.*, or t as a value is used
  bool system_column = false;  // ctid, xmin, ... is used
  bool renamed = false;        // alias with column names
  Effects effects;             // of a function
  const sql::RangeVar* source = nullptr;
  const sql::FromItem* item = nullptr;
  std::vector<RelationColumn> columns;
};

struct FromNode {
  int relation = -1;  // leaf: what stands there; join: the relation of its columns
  bool join = false;
  sql::Join::Kind kind = sql::Join::Kind::kInner;  // after outer joins were reduced
  bool was_full = false;  // some column of USING is one of its own: COALESCE, or of a common type
  std::unique_ptr<FromNode> left, right;
  const sql::Expr* on = nullptr;
  std::vector<std::pair<ColumnId, ColumnId>> equal;  // USING and NATURAL
};

struct Output {
  std::string name;
  const sql::Expr* expr = nullptr;  // empty when it comes from a star
  std::optional<ColumnId> column;   // a plain column
  Oid type;                         // 0 = not known
};

// One key of GROUP BY, DISTINCT ON, PARTITION BY.
struct Key {
  const sql::Expr* expr = nullptr;
  std::optional<ColumnId> column;
};

struct SortItem {
  const sql::SortBy* by = nullptr;
  int output = -1;  // the output column that it is, -1: another expression
  std::optional<ColumnId> column;
};

struct AggregateUse {
  const sql::Expr* call = nullptr;
  bool window = false;
};

struct SubLinkUse {
  const sql::Expr* expr = nullptr;
  int block = -1;
};

// One query level: a plain SELECT, a set operation, VALUES, or the FROM and WHERE of an UPDATE,
// DELETE or MERGE.
struct Block {
  int id = -1;
  int parent = -1;  // the level whose columns it may refer to
  int depth = 0;
  const sql::Select* select = nullptr;
  int left = -1, right = -1;  // of a set operation
  std::vector<std::unique_ptr<FromNode>> from;
  const sql::Expr* where = nullptr;
  std::vector<Output> outputs;
  bool grouped = false;                        // has GROUP BY
  std::vector<std::vector<Key>> grouping_sets;  // one set without GROUPING SETS; empty: too many
  std::vector<AggregateUse> aggregates;        // of this level, windows included
  std::vector<std::vector<Key>> partitions;    // PARTITION BY of each window that is used
  std::vector<Key> distinct_on;
  std::vector<SortItem> order;
  std::vector<SubLinkUse> sublinks;
  std::vector<int> ctes;        // blocks of its own WITH list that nothing refers to
  int recursive_term = -1;      // of a recursive CTE's UNION: the block that refers to itself
  bool volatile_cte = false;
  Effects effects;              // of the expressions of this level
  bool aggregated() const;      // has aggregates of its own (not windows)
  bool windowed() const;
};

struct CteUse {
  std::string name;
  int block = -1;
  int references = 0;
  sql::Cte::Materialized materialized = sql::Cte::Materialized::kDefault;
  bool modifying = false;
  // Of a modifying one:
  const sql::Cte* cte = nullptr;
  int target = -1;  // the relation that it writes; its block is the one of its RETURNING
  int source = -1;  // of INSERT: the block of its source
};

struct Analysis {
  const catalog::Snapshot* snapshot = nullptr;
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::unique_ptr<Relation>> relations;
  std::vector<CteUse> ctes;
  std::unordered_map<const sql::Expr*, ColumnId> column_of;
  std::unordered_map<const sql::Expr*, int> block_of;   // SubLink -> block
  std::unordered_map<const sql::Expr*, int> aggregate_of;  // aggregate or window call -> its block
  int root = -1;    // the outermost block
  int target = -1;  // relation that INSERT, UPDATE, DELETE or MERGE writes
  std::vector<std::unique_ptr<sql::Statement>> views;  // parsed definitions
  std::optional<Error> error;    // 42703 and its kind; final when a sharded table is involved
  std::optional<Error> missing_function;  // 42883, also where tables are not involved
  std::optional<Error> refusal;  // what must be refused wherever the statement would run
  // What the whole text mentions, expanded views included.
  bool sharded = false, reference = false, single = false, catalog = false, unknown = false;
  bool temporary = false, system_columns = false, opaque = false, user_code = false;
  bool modifying_cte = false, row_locks = false, sampled = false;
  bool view_row_security = false;  // a table with row security behind a view
  Effects effects;                 // of the whole statement
  std::vector<const catalog::Table*> tables;  // each once
  std::vector<int> shaping;        // locations of constants whose value was looked at

  const Block& block(int id) const { return *blocks[static_cast<std::size_t>(id)]; }
  const Relation& relation(int id) const { return *relations[static_cast<std::size_t>(id)]; }
  const RelationColumn& column(ColumnId id) const {
    return relation(id.relation).columns[static_cast<std::size_t>(id.column)];
  }
  std::optional<ColumnId> find_column(const sql::Expr* e) const {
    auto it = column_of.find(e);
    return it == column_of.end() ? std::nullopt : std::optional(it->second);
  }
};

}  // namespace shoal::route
