// What to run where, and how the answers become one: the only thing that exec/ knows of a
// statement. Made by make_plan (make_plan.h), immutable, may be cached and shared within a core.
// Thread rule: const after construction.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "keys/value.h"

namespace shoal::plan {

// A text for shards. `params` lists which of the statement's parameters it uses, in its own $1..$n
// order (1-based); all types and formats are those of the client's Bind.
struct ShardText {
  std::string sql;          // empty: the client's own text, with all its parameters
  std::vector<int> params;  // unused when sql is empty
};

// 1. The statement goes as it came to one shard; its answer is the answer.
struct Forward {
  ShardId shard;
  ShardText text;  // usually the original
};

// How values of one output column are compared in the router (merge/compare.h).
struct SortKey {
  int column = 0;  // 0-based output column
  bool descending = false, nulls_first = false;
  std::uint32_t type = 0;       // pg_type oid: fixes decoding and order
  std::uint32_t collation = 0;  // for text types; 0 = none
  enum class Order : std::uint8_t { kNatural, kBytes, kIcu, kLibc } order = Order::kNatural;
  std::string locale;  // of kIcu, kLibc
};

// Native finishing of partial aggregates (planner.md section 4.2): rows with equal group columns
// become one row.
struct Combine {
  enum class Kind : std::uint8_t { kGroup, kCount, kSum, kMin, kMax, kBoolAnd, kBoolOr };
  Kind kind = Kind::kGroup;
  std::uint32_t type = 0;  // result type oid of the column as PostgreSQL gives it
  SortKey order;           // of kGroup, kMin, kMax: equality and order
};

struct Merge {
  std::vector<SortKey> order;    // k-way merge; empty: concatenation
  std::vector<Combine> combine;  // empty: rows pass; else one entry per column of the shard text
  bool ungrouped = false;        // combine without group columns: exactly one row comes out
  bool distinct = false;         // drop equal neighbours (order covers all columns)
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> limit;
  int hidden_columns = 0;  // trailing columns that the client does not see
  // Shape after combine: output columns by position in the combined row; empty = as they are.
  std::vector<int> output;
};

// 2. One text on several shards, then merged. Also UPDATE/DELETE over shards (tags added up).
struct Scatter {
  std::vector<ShardId> shards;
  ShardText text;
  Merge merge;
  bool writes = false;
  enum class TagRule : std::uint8_t { kSum, kFirst } tag = TagRule::kSum;
};

// 3. Gather rows into temporary tables of a workspace connection on home and finish there.
struct PullStep {
  std::string temp_table;  // unique name, unquoted
  std::string like_sql;    // SELECT whose columns give the temp table its shape (on home)
  std::vector<std::string>
      index_columns;  // PRIMARY KEY to add (functional dependence), may be empty
  std::vector<ShardId> shards;
  ShardText text;  // rows to bring
};
struct Pull {
  std::vector<PullStep> steps;
  ShardText finish;  // on the workspace, refers to the temp tables
};

// 4. Writes whose text differs per shard.
struct WritePart {
  ShardId shard;
  ShardText text;
  std::vector<std::uint32_t>
      input_rows;  // input row index of each row of this part (RETURNING order)
};
struct Write {
  std::vector<WritePart> parts;
  bool returning = false;
  bool row_by_row = false;  // ON CONFLICT DO NOTHING RETURNING: each part is one row
};

// 5. The same write on all copies of a reference table; home first, under an advisory lock.
struct ReferenceWrite {
  Oid table;
  ShardId home;
  std::vector<ShardId> others;
  ShardText text;
  // Set when the copies can't be proved to come out equal by running the text on each: then the
  // text runs on home with RETURNING and the rows are applied elsewhere by primary key.
  bool apply_rows = false;
  std::string apply_key;  // name of the primary key's columns, comma separated and quoted
};

// 6. INSERT ... whose rows or key values must be computed before they can be routed: `source` is
// planned like a SELECT and its rows are inserted by key. Also INSERT .. SELECT that is gathered.
struct Plan;
struct RoutedInsert {
  std::shared_ptr<const Plan> source;  // gives rows in input order
  Oid table;
  std::vector<std::string> columns;  // target columns, one per source column
  std::vector<int> key_columns;      // positions of the key within the source's columns
  KeyspaceId keyspace;               // unset (0) for reference tables: to all shards
  std::string insert_suffix;         // OVERRIDING/ON CONFLICT text appended after VALUES
  std::string returning;             // RETURNING list text, empty if none
  std::vector<ShardId> copies;       // reference target: all shards
  std::optional<ShardId> only;       // rows of other shards are refused
};

// COPY table FROM STDIN and COPY ... TO STDOUT.
struct CopyIn {
  Oid table;
  std::vector<std::string> columns;  // as given or all insertable
  std::vector<int> key_fields;       // position of each key column in `columns`; -1: not given
  KeyspaceId keyspace;
  std::vector<ShardId> shards;  // candidates; reference: all of them get every row
  bool reference = false;
  std::optional<std::string> scope;  // the one key that rows may have
  // What the last of `columns` get because the data lack them: SQL that home computes for each row
  // or, `once`, for all; empty for a key that `scope` gives.
  struct Filled {
    std::string sql;
    Oid type;
    bool once = false;
  };
  std::vector<Filled> filled;
};
struct CopyOut {
  std::vector<ShardId> shards;
  ShardText text;  // COPY ... TO STDOUT for each shard; the header only once
  bool header = false;
};

// A statement over all or some shards without rows: TRUNCATE, LOCK TABLE, DDL...
struct Broadcast {
  std::vector<ShardId> shards;  // home first
  ShardText text;
  bool ddl = false;
};

// Types of parameters must be asked from home (Describe) before this can be planned.
struct NeedTypes {};

struct Plan {
  std::variant<Forward, Scatter, Pull, Write, ReferenceWrite, RoutedInsert, CopyIn, CopyOut,
               Broadcast, NeedTypes, Error>
      node;
  bool writes = false;               // may change rows (two-phase commit when several shards)
  bool locks = false;                // takes row or table locks to the end of the transaction
  bool user_code = false;            // may have run user functions: reset the connection afterwards
  std::vector<Oid> tables;           // what it touches: for holds and placement changes
  std::string reason;                // why this route: "tenant_id = 42"
  std::vector<std::string> explain;  // lines of EXPLAIN (ROUTE): property of each block, rule

  // Set when other values of one constant or parameter give a plan that differs only in the shard:
  // Forward to place(value). The value must not be NULL and must convert to `type`.
  struct KeySource {
    KeyspaceId keyspace;
    keys::KeyType type;
    int param = 0;              // 1-based, 0: a literal
    int literal_location = -1;  // Expr::location of the Const when param is 0
  };
  std::optional<KeySource> reuse;
  // Locations of constants whose value shapes the plan (LIMIT, ORDER BY 2, ...): a cached plan is
  // good only for equal text there. With `reuse`, its literal is not among them.
  std::vector<int> shaping_literals;
  bool depends_on_params = false;  // true: plan again for other parameter values (unless reuse)
};

using PlanPtr = std::shared_ptr<const Plan>;

}  // namespace shoal::plan
