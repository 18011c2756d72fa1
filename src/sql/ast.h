// The statement as Shoal sees it: an owned tree of plain structs, free of any parser library.
// parse.h makes it from text, deparse.h makes text from it. Names are unresolved (resolution needs
// the catalog and lies in route/). Shapes that the tree cannot express are Opaque: such a statement
// can go verbatim where one shard is certain and is refused elsewhere.
// Thread rule: plain values.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace shoal::sql {

struct Expr;
struct Select;
struct FromItem;
using ExprPtr = std::unique_ptr<Expr>;
using SelectPtr = std::unique_ptr<Select>;
using FromPtr = std::unique_ptr<FromItem>;
using ExprList = std::vector<ExprPtr>;

// A type's name as written, e.g. {"pg_catalog","int4"}; typmods as expressions (numeric(10,2)).
struct TypeName {
  std::vector<std::string> names;
  ExprList typmods;
  std::vector<int> array_bounds;  // -1 = no bound; size = number of dimensions
  bool setof = false;
  bool pct_type = false;  // table.column%TYPE
};

struct SortBy {
  ExprPtr expr;
  enum class Order { kDefault, kAsc, kDesc, kUsing } order = Order::kDefault;
  enum class Nulls { kDefault, kFirst, kLast } nulls = Nulls::kDefault;
  std::vector<std::string> using_op;
};

struct WindowDef {
  std::string name;      // in a WINDOW clause: the window's own name; in OVER name: referenced
  std::string ref_name;  // OVER (base ...)
  ExprList partition_by;
  std::vector<SortBy> order_by;
  int frame_options = 0;  // PostgreSQL's FRAMEOPTION_* bits as the parser gave them
  ExprPtr start_offset, end_offset;
  bool by_name_only = false;  // OVER name
};

// ---- expressions ------------------------------------------------------------------------------
struct Const {
  enum class Kind { kNull, kInteger, kFloat, kString, kBit, kBool } kind = Kind::kNull;
  // kInteger, kFloat: digits, with a leading '-' when negated; kString: contents without quotes;
  // kBool: "t" or "f"; kBit: 'b' or 'x' and the digits (b1010, xFF).
  std::string text;
};
struct Param { int number = 0; };  // $1 is 1
struct ColumnRef {
  std::vector<std::string> fields;  // a, t.a, s.t.a
  bool star = false;                // *, t.*
};
struct Call {
  std::vector<std::string> name;
  ExprList args;
  std::vector<SortBy> order_by;  // aggregate ORDER BY or WITHIN GROUP
  ExprPtr filter;
  std::unique_ptr<WindowDef> over;
  bool star = false;  // count(*)
  bool distinct = false, variadic = false, within_group = false;
  bool sql_syntax = false;  // EXTRACT(x FROM y) and its kind: deparse as such
};
struct Operator {
  enum class Form {
    kPlain, kAny, kAll, kDistinct, kNotDistinct, kNullIf, kIn, kNotIn, kLike, kNotLike, kILike,
    kNotILike, kSimilar, kNotSimilar, kBetween, kNotBetween, kBetweenSym, kNotBetweenSym
  } form = Form::kPlain;
  std::vector<std::string> name;  // {"="} or {"pg_catalog","="} for OPERATOR(...)
  ExprPtr left;                   // empty for a prefix operator
  ExprPtr right;                  // IN and BETWEEN: a List
};
struct BoolExpr {
  enum class Op { kAnd, kOr, kNot } op = Op::kAnd;
  ExprList args;
};
struct NullTest { ExprPtr arg; bool is_null = true; };
struct BooleanTest {
  enum class Kind { kTrue, kNotTrue, kFalse, kNotFalse, kUnknown, kNotUnknown } kind = Kind::kTrue;
  ExprPtr arg;
};
struct Cast { ExprPtr arg; TypeName type; };
struct CaseWhen { ExprPtr when, then; };
struct Case { ExprPtr arg; std::vector<CaseWhen> whens; ExprPtr otherwise; };
struct Coalesce { ExprList args; };
struct MinMax { bool greatest = true; ExprList args; };
struct RowExpr { ExprList args; bool explicit_row = false; };
struct ArrayExpr { ExprList elements; };
struct List { ExprList items; };
struct SubLink {
  enum class Kind { kExists, kAll, kAny, kExpr, kMulti, kArray } kind = Kind::kExpr;
  ExprPtr test;                   // left side of ANY/ALL
  std::vector<std::string> op;    // ANY/ALL operator; empty for IN (means "=")
  SelectPtr query;
};
struct Collate { ExprPtr arg; std::vector<std::string> name; };
struct Subscript { ExprPtr lower, upper; bool slice = false; };
struct Indirection {  // arg followed by .field, .*, [i], [a:b]
  ExprPtr arg;
  struct Step { std::string field; bool star = false; std::optional<Subscript> subscript; };
  std::vector<Step> steps;
};
struct SqlValue { std::string name; int typmod = -1; };  // "CURRENT_DATE", "LOCALTIMESTAMP"...
struct DefaultExpr {};                                   // DEFAULT in VALUES or SET
struct Grouping { ExprList args; };                      // GROUPING(a, b)
struct GroupingSet {                                     // only inside GROUP BY
  enum class Kind { kEmpty, kSimple, kRollup, kCube, kSets } kind = Kind::kSets;
  ExprList content;
};
struct NamedArg { std::string name; ExprPtr arg; };
struct CurrentOf { std::string cursor; };
struct MultiAssign { ExprPtr source; int column = 1, columns = 1; };  // SET (a,b) = source
struct Opaque { std::string what; };  // a shape the tree does not express (XML, ...)

struct Expr {
  std::variant<Const, Param, ColumnRef, Call, Operator, BoolExpr, NullTest, BooleanTest, Cast, Case,
               Coalesce, MinMax, RowExpr, ArrayExpr, List, SubLink, Collate, Indirection, SqlValue,
               DefaultExpr, Grouping, GroupingSet, NamedArg, CurrentOf, MultiAssign, Opaque>
      node;
  int location = -1;  // byte offset in the text given to parse(), -1 = none; of a constant behind
                      // a sign its own place, so that it equals Literal::position
};

// ---- queries ----------------------------------------------------------------------------------
struct Alias {
  std::string name;
  std::vector<std::string> columns;
};
struct RangeVar {
  std::string database, schema, name;
  bool only = false;  // ONLY t
  std::optional<Alias> alias;
  int location = -1;
  char persistence = 'p';  // 't' TEMP, 'u' UNLOGGED; only where a table is created
};
struct ColumnDef { std::string name; TypeName type; std::vector<std::string> collation; };
struct FromSelect { SelectPtr query; bool lateral = false; std::optional<Alias> alias; };
struct FromFunction {
  struct Item { ExprPtr call; std::vector<ColumnDef> columns; };
  std::vector<Item> items;  // several: ROWS FROM (...)
  bool lateral = false, ordinality = false, rows_from = false;
  std::optional<Alias> alias;
  std::vector<ColumnDef> columns;  // AS f(a int, b text)
};
struct Join {
  enum class Kind { kInner, kLeft, kRight, kFull, kCross } kind = Kind::kInner;
  bool natural = false;
  FromPtr left, right;
  std::vector<std::string> using_columns;
  std::optional<Alias> using_alias;
  ExprPtr on;
  std::optional<Alias> alias;
};
struct TableSample {
  RangeVar table;
  std::vector<std::string> method;
  ExprList args;
  ExprPtr repeatable;
};
struct FromOpaque { std::string what; };
struct FromItem {
  std::variant<RangeVar, FromSelect, FromFunction, Join, TableSample, FromOpaque> node;
};

struct Target {  // SELECT list, RETURNING
  ExprPtr expr;
  std::string name;  // AS name, empty if none
};

struct Insert;
struct Update;
struct Delete;
struct Merge;
struct Cte {
  std::string name;
  std::vector<std::string> columns;
  enum class Materialized { kDefault, kAlways, kNever } materialized = Materialized::kDefault;
  std::variant<SelectPtr, std::unique_ptr<Insert>, std::unique_ptr<Update>, std::unique_ptr<Delete>>
      query;
  bool has_search_or_cycle = false;  // SEARCH/CYCLE clause: not expressed further
};
struct With {
  bool recursive = false;
  std::vector<Cte> ctes;
};
struct Locking {
  enum class Strength { kKeyShare, kShare, kNoKeyUpdate, kUpdate } strength = Strength::kUpdate;
  enum class Wait { kBlock, kSkip, kNoWait } wait = Wait::kBlock;
  std::vector<RangeVar> of;
};
struct Select {
  enum class SetOp { kNone, kUnion, kIntersect, kExcept };
  With with;
  SetOp op = SetOp::kNone;  // kNone: a plain block or VALUES
  bool all = false;
  SelectPtr left, right;          // of a set operation
  std::vector<ExprList> values;   // VALUES rows; then targets and from are empty
  bool distinct = false;          // DISTINCT or, with distinct_on, DISTINCT ON
  ExprList distinct_on;
  std::vector<Target> targets;
  std::vector<FromPtr> from;
  ExprPtr where;
  ExprList group_by;
  bool group_distinct = false;
  ExprPtr having;
  std::vector<WindowDef> windows;
  std::vector<SortBy> order_by;   // also on set operations and VALUES
  ExprPtr limit, offset;
  bool with_ties = false;
  std::vector<Locking> locking;
  std::optional<RangeVar> into;   // SELECT INTO
};

struct Assignment {
  std::string column;
  std::vector<Indirection::Step> steps;  // SET a[1] = , SET a.f =
  ExprPtr value;
};
struct InsertColumn {
  std::string name;
  std::vector<Indirection::Step> steps;
};
struct OnConflict {
  bool do_update = false;
  std::string constraint;            // ON CONSTRAINT name
  struct Element { ExprPtr expr; std::string column; std::vector<std::string> collation, opclass; };
  std::vector<Element> elements;     // inference columns
  ExprPtr elements_where;
  std::vector<Assignment> set;
  ExprPtr where;
};
struct Insert {
  enum class Overriding { kNone, kUser, kSystem };
  With with;
  RangeVar table;
  std::vector<InsertColumn> columns;
  SelectPtr source;  // empty: DEFAULT VALUES
  Overriding overriding = Overriding::kNone;
  std::optional<OnConflict> on_conflict;
  std::vector<Target> returning;
};
struct Update {
  With with;
  RangeVar table;
  std::vector<Assignment> set;
  std::vector<FromPtr> from;
  ExprPtr where;
  std::vector<Target> returning;
};
struct Delete {
  With with;
  RangeVar table;
  std::vector<FromPtr> using_items;
  ExprPtr where;
  std::vector<Target> returning;
};
struct MergeWhen {
  bool matched = true;
  enum class Action { kInsert, kUpdate, kDelete, kNothing } action = Action::kNothing;
  ExprPtr condition;
  std::vector<Assignment> set;            // UPDATE
  std::vector<InsertColumn> columns;      // INSERT
  ExprList values;                        // INSERT; empty: DEFAULT VALUES
  Insert::Overriding overriding = Insert::Overriding::kNone;
};
struct Merge {
  With with;
  RangeVar target;
  FromPtr source;
  ExprPtr on;
  std::vector<MergeWhen> whens;
};

// ---- utility statements -----------------------------------------------------------------------
struct Copy {
  RangeVar table;        // empty name: COPY (query)
  SelectPtr query;       // of COPY (query) TO; a data-modifying query makes `opaque_query` true
  bool opaque_query = false;
  std::vector<std::string> columns;
  bool from = false;     // FROM or TO
  bool program = false;
  std::string file;      // empty: STDIN/STDOUT
  // Options in written order, lower-cased names: format, delimiter, null, header, quote, escape,
  // force_quote, force_not_null, force_null, encoding, freeze. Lists join with '\x1f'.
  struct Option { std::string name, value; bool has_value = false; };
  std::vector<Option> options;
  ExprPtr where;
};
struct Transaction {
  enum class Kind {
    kBegin, kStart, kCommit, kRollback, kSavepoint, kRelease, kRollbackTo, kPrepare,
    kCommitPrepared, kRollbackPrepared
  } kind = Kind::kBegin;
  std::string name;  // savepoint or gid
  bool chain = false;
  // BEGIN options in words as PostgreSQL's SET TRANSACTION takes them
  std::string isolation;             // "read committed", ... or empty
  std::optional<bool> read_only, deferrable;
};
struct SetVariable {
  enum class Kind { kSet, kDefault, kFromCurrent, kReset, kResetAll, kMulti } kind = Kind::kSet;
  // Lower-cased; kMulti: "transaction", "session characteristics", "transaction snapshot".
  std::string name;
  ExprList values;
  bool local = false;
  // of kMulti TRANSACTION / SESSION CHARACTERISTICS
  std::string isolation;
  std::optional<bool> read_only, deferrable;
};
struct ShowVariable { std::string name; };
struct Prepare { std::string name; std::vector<TypeName> types; };  // body: Statement::inner
struct Execute { std::string name; ExprList params; };
struct Deallocate { std::string name; bool all = false; };
struct Explain {  // body: Statement::inner
  struct Option { std::string name, value; };
  std::vector<Option> options;  // lower-cased
  bool route = false;           // EXPLAIN (ROUTE)
  bool analyze = false;
};
struct DeclareCursor { std::string name; bool hold = false; int options = 0; SelectPtr query; };
struct Fetch { std::string cursor; bool move = false; };
struct ClosePortal { std::string name; bool all = false; };
struct Discard { enum class What { kAll, kPlans, kSequences, kTemp } what = What::kAll; };
struct Listen { std::string channel; enum class Kind { kListen, kUnlisten, kNotify } kind; };
struct LockTable { std::vector<RangeVar> tables; };
struct Truncate { std::vector<RangeVar> tables; bool restart_identity = false, cascade = false; };
struct CallProcedure { ExprPtr call; };
struct DoBlock {};
struct Maintenance {  // VACUUM, ANALYZE, REINDEX, CLUSTER, CHECKPOINT, REFRESH MATERIALIZED VIEW
  std::string command;  // "VACUUM", ...
  std::vector<RangeVar> tables;
};
struct SetConstraints {};

// One CREATE TABLE column and its inline constraints, as far as placement cares.
struct DdlConstraint {
  enum class Kind {
    kPrimary, kUnique, kForeign, kCheck, kExclusion, kNotNull, kIdentity, kGenerated, kDefault,
    kOther
  } kind = Kind::kOther;
  std::string name;
  std::vector<std::string> columns;      // own columns
  std::optional<RangeVar> references;    // foreign key
  std::vector<std::string> referenced_columns;
  std::string using_index;               // ADD CONSTRAINT ... USING INDEX: then columns is empty
};
struct DdlColumn {
  std::string name;
  TypeName type;
  std::vector<DdlConstraint> constraints;
  bool serial = false;  // serial, bigserial, smallserial
};
// Any schema change. `verb` CREATE/ALTER/DROP/COMMENT/GRANT/REVOKE/RENAME/SECURITY LABEL/REASSIGN/
// IMPORT (SET SCHEMA, OWNER TO and the like are ALTER with that as alter_actions[0]), `object` as
// in PostgreSQL's command tags ("TABLE", "INDEX", "VIEW", "TYPE", "FUNCTION", "SCHEMA", "SEQUENCE",
// "EXTENSION", "DOMAIN", "TRIGGER", "POLICY", "RULE", "MATERIALIZED VIEW", "ROLE", ...).
struct Ddl {
  std::string verb, object;
  std::vector<RangeVar> names;      // objects created/altered/dropped, where they are relations;
                                    // ATTACH/DETACH PARTITION: then the partition
  std::vector<std::vector<std::string>> other_names;  // types, functions, schemas, ...
  std::optional<RangeVar> relation; // the table an index, trigger, policy, rule, grant is about
  bool temporary = false, concurrently = false, if_not_exists = false, missing_ok = false;
  bool cascade = false;
  bool unique = false;                       // CREATE UNIQUE INDEX
  std::vector<std::string> index_columns;    // plain columns of an index; expressions are ""
  std::vector<DdlColumn> columns;            // CREATE TABLE, ALTER TABLE ADD COLUMN
  std::vector<DdlConstraint> constraints;    // table constraints, ALTER TABLE ADD CONSTRAINT
  std::vector<RangeVar> parents;             // INHERITS, PARTITION OF
  bool like = false;                         // CREATE TABLE (LIKE ...)
  SelectPtr query;                           // view, materialised view, CREATE TABLE AS
  std::vector<std::string> alter_actions;    // ALTER TABLE: "ADD COLUMN", "DROP COLUMN", ...
  std::vector<std::string> altered_columns;  // column of each alter action, "" if none
  bool login_role_password = false;          // CREATE/ALTER ROLE ... PASSWORD 'clear text'
  std::string owner_sequence;                // OWNED BY of a sequence: "schema.table.column"
  std::string old_name, new_name;            // RENAME (old_name: column, constraint, ... of the
                                             // relation); SET SCHEMA: new_name is the schema
  bool partitioned = false;                  // CREATE TABLE ... PARTITION BY
  bool partition_of = false;                 // CREATE TABLE ... PARTITION OF parents[0]
  bool only = false;                         // ALTER TABLE ONLY: not its children
};
struct UnknownStatement { std::string what; };  // known to the parser, of no kind above

struct Statement {
  std::variant<SelectPtr, std::unique_ptr<Insert>, std::unique_ptr<Update>, std::unique_ptr<Delete>,
               std::unique_ptr<Merge>, Copy, Transaction, SetVariable, ShowVariable, Prepare,
               Execute, Deallocate, Explain, DeclareCursor, Fetch, ClosePortal, Discard, Listen,
               LockTable, Truncate, CallProcedure, DoBlock, Maintenance, SetConstraints, Ddl,
               UnknownStatement>
      node;
  std::unique_ptr<Statement> inner;  // of Prepare and Explain
  std::string text;                  // this statement's own source, without the semicolon
  int offset = 0;                    // where `text` begins in the text that was parsed; locations
                                     // are offsets into that whole text, not into `text`
  int max_param = 0;                 // highest $n
  bool has_opaque = false;           // some Opaque or FromOpaque is inside
};

}  // namespace shoal::sql
