// The cluster at one epoch: shards, keyspaces, and home's schema as far as routing needs it.
// Built once (builder.h), then immutable and shared between cores by shared_ptr<const Snapshot>;
// a statement or transaction pins the one that it began with.
// Thread rule: const after construction, read from any thread without locks.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "keys/slot_map.h"

namespace shoal::catalog {

struct Shard {
  ShardId id;
  std::string name;
  std::string host, port, dbname, options;  // libpq keywords of its DSN; options = the rest
  std::string server;  // system identifier: the same for databases of one PostgreSQL server
  bool home = false;
  bool active = true;  // false: known, but not visible to statements yet
};

struct Keyspace {
  KeyspaceId id;
  std::string name;
  std::string function;              // name in keys/function.h
  std::string params;                // JSON
  std::vector<keys::KeyType> types;  // of the key columns; the hash family for default keyspaces
  std::shared_ptr<const keys::Placement> placement;  // function + slot map + pins -> ShardId
  bool match = true;  // false: equal values may lie apart, only prune (planner.md section 1)
};

enum class TableKind : std::uint8_t { kSingle, kSharded, kReference, kCatalog };
// kCatalog: pg_catalog, information_schema: answered by home, another content on each shard.

struct Column {
  std::string name;
  Oid type;  // pg_type oid on home
  std::int32_t typmod = -1;
  std::int16_t attnum = 0;
  bool not_null = false;
  bool has_default = false;
  std::string default_sql;  // pg_get_expr of the default, empty if none
  bool identity = false, generated = false;
  Oid collation;  // 0 when not collatable
  Oid sequence;   // serial/identity: its sequence on home, 0 if none
};

struct Index {
  std::string name;
  std::vector<std::int16_t> attnums;  // 0 for an expression
  bool unique = false, primary = false, partial = false;
  bool local = false;  // unique only within each shard (named in local_constraints)
};

struct Table {
  Oid oid;  // on home
  std::string schema, name;
  char relkind = 'r';  // pg_class.relkind: r p v m f S t ...
  TableKind kind = TableKind::kSingle;
  KeyspaceId keyspace;                    // of a sharded table
  std::vector<std::int16_t> key_attnums;  // of a sharded table, in the key's order
  std::vector<Column> columns;            // live columns by attnum order, dropped ones left out
  std::vector<Index> indexes;
  std::string view_definition;  // of a view: pg_get_viewdef
  bool has_triggers = false;    // user triggers (not internal foreign-key ones) not declared local
  bool has_rules = false;       // rules other than a view's own
  bool row_security = false;
  bool temporary = false;
  bool has_children = false;      // inheritance or partitions
  bool default_volatile = false;  // some default is neither constant, nextval nor now()
  // Functions of users that run unseen: of CHECK constraints, of row security policies, of triggers
  // that are enabled. And the other relations that policies read.
  std::vector<Oid> check_functions, policy_functions, policy_tables, trigger_functions;

  const Column* column(std::string_view name) const;
  const Column* column(std::int16_t attnum) const;
};

struct Type {
  Oid oid;
  std::string schema, name;
  char typtype = 'b';  // b c d e p r m
  char category = 'U';
  Oid base;                                           // domain: its base type, otherwise 0
  Oid element;                                        // array: its element type, otherwise 0
  std::vector<Oid> check_functions;                   // domain: users' functions in its CHECKs
  bool builtin() const { return oid.value < 16384; }  // FirstNormalObjectId
};

enum class Volatility : char { kImmutable = 'i', kStable = 's', kVolatile = 'v' };
struct Function {
  Oid oid;
  std::string schema, name;
  Volatility volatility = Volatility::kVolatile;
  char prokind = 'f';  // f p a w, and o: an operator that a user made
  bool returns_set = false;
  bool variadic = false;
  bool strict = false;
  std::uint16_t args = 0, default_args = 0;
  std::vector<Oid> arg_types;
  Oid result;
  // What a user function was declared as (shoal.declare_function): empty, "local" (touches no
  // distributed table).
  std::string declared;
  // Of a user's function: its language and, of SQL and PL/pgSQL, its text with its defaults. An
  // aggregate's volatility is the worst of the functions that users wrote for it.
  std::string language, body;
  bool builtin() const { return oid.value < 16384; }
};

struct Collation {
  Oid oid;
  std::string name, locale;  // collcollate / colliculocale
  char provider = 'c';       // 'd' default, 'c' libc, 'i' ICU
  bool deterministic = true;
  std::string version;  // as the server reports, empty if none
};

// What becomes of a new table (shoal.table_rule): the first rule that fits it.
struct TableRule {
  std::int32_t id = 0;
  std::string column, schema;  // empty: any
  std::string pattern = "%";   // LIKE, of the table's name
  TableKind kind = TableKind::kSingle;
  std::string keyspace;  // empty: the default one
};

class Snapshot {
 public:
  Epoch epoch;
  std::string cluster;  // name of the cluster: part of every gid
  ShardId home;
  std::vector<Shard> shards;  // active ones first, by name
  std::vector<Keyspace> keyspaces;
  std::vector<TableRule> table_rules;  // by id
  Collation database_collation;        // what collation "default" means on home
  std::string server_encoding = "UTF8";
  int server_version_num = 150000;

  // Look-ups return nullptr (or empty) when there is none; pointers live as long as the snapshot.
  const Shard* shard(ShardId id) const;
  const Shard* shard(std::string_view name) const;
  std::vector<ShardId> active_shards() const;  // in order of names
  const Keyspace* keyspace(KeyspaceId id) const;
  const Keyspace* keyspace(std::string_view name) const;
  const Table* table(Oid oid) const;
  const Table* table(std::string_view schema, std::string_view name) const;
  // First match along the search path; entries "$user" are already replaced; pg_catalog is searched
  // first unless listed; pg_temp names in `temp` (session's own) shadow everything.
  const Table* resolve_table(const std::vector<std::string>& path, std::string_view schema,
                             std::string_view name) const;
  const Type* type(Oid oid) const;
  const Type* resolve_type(const std::vector<std::string>& path,
                           const std::vector<std::string>& names) const;
  // All visible overloads of a function name.
  std::vector<const Function*> resolve_functions(const std::vector<std::string>& path,
                                                 const std::vector<std::string>& names) const;
  const Function* user_function(Oid oid) const;
  const Collation* collation(Oid oid) const;
  bool has_schema(std::string_view name) const;
  bool any_sharded() const;  // some table is sharded or reference

  // Filled by the builder only.
  std::unordered_map<Oid, Table> tables_by_oid;
  std::unordered_map<std::string, Oid> tables_by_name;  // schema + '\0' + name
  std::unordered_map<Oid, Type> types;
  std::unordered_map<std::string, Oid> types_by_name;
  std::unordered_multimap<std::string, std::shared_ptr<const Function>> functions;  // by name
  std::unordered_map<Oid, std::shared_ptr<const Function>> user_functions;
  std::unordered_map<Oid, Collation> collations;
  std::vector<std::string> schemas;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace shoal::catalog
