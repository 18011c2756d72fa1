// What the servers hold: tables, columns, unique constraints, partitions, and a Citus map.
#include <charconv>

#include "control/adopt.h"
#include "control/scan.h"
#include "control/work.h"

namespace shoal::control {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};

#define SHOAL_ADOPT_TABLES \
  " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
#define SHOAL_ADOPT_CONDITION                                                           \
  " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'" \
  " AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'shoal')"       \
  " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"           \
  "   AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')"

constexpr const char* kTables =
    "SELECT n.nspname, c.relname, c.oid::int8, c.relkind,"
    " (SELECT sum(greatest(k.reltuples::float8, pg_relation_size(k.oid) / 200.0))"
    "   FROM pg_partition_tree(c.oid) t JOIN pg_class k ON k.oid = t.relid AND k.relkind = 'r'"
    "   UNION ALL SELECT greatest(c.reltuples::float8, pg_relation_size(c.oid) / 200.0)"
    "   WHERE c.relkind = 'r' ORDER BY 1 NULLS LAST LIMIT 1),"
    " (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '"
    "   ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
    "   AND NOT a.attisdropped),"
    " EXISTS (SELECT FROM pg_inherits i JOIN pg_class f ON f.oid = i.inhrelid"
    "   WHERE i.inhparent = c.oid AND f.relkind = 'f')" SHOAL_ADOPT_TABLES SHOAL_ADOPT_CONDITION
    " ORDER BY 1, 2";

constexpr const char* kColumns =
    "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),"
    " CASE WHEN b.typtype = 'd' THEN b.typbasetype ELSE b.oid END::int8, a.attnotnull,"
    " a.attgenerated = '' AND coalesce(l.collisdeterministic, true)" SHOAL_ADOPT_TABLES
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " JOIN pg_type t ON t.oid = a.atttypid"
    " JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END"
    " LEFT JOIN pg_collation l ON l.oid = a.attcollation" SHOAL_ADOPT_CONDITION
    " ORDER BY 1, 2, a.attnum";

constexpr const char* kUniques =
    "SELECT n.nspname, c.relname, x.relname,"
    " ARRAY(SELECT coalesce((SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid"
    "   AND a.attnum = k.attnum AND k.attnum > 0), '')"
    "   FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, ord)"
    "   WHERE k.ord <= i.indnkeyatts ORDER BY k.ord)" SHOAL_ADOPT_TABLES
    " JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid"
    " JOIN pg_class x ON x.oid = i.indexrelid" SHOAL_ADOPT_CONDITION " ORDER BY 1, 2, 3";

constexpr const char* kHashTrees =
    "SELECT n.nspname, c.relname, f.relname, f.relkind,"
    " substring(pg_get_expr(f.relpartbound, f.oid) from 'modulus (\\d+)'),"
    " substring(pg_get_expr(f.relpartbound, f.oid) from 'remainder (\\d+)'),"
    " ARRAY(SELECT a.attname FROM unnest(p.partattrs::int2[]) WITH ORDINALITY k(attnum, ord)"
    "   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum ORDER BY k.ord),"
    " p.partexprs IS NULL AND NOT EXISTS (SELECT FROM unnest(p.partclass::oid[]) o(oid)"
    "   JOIN pg_opclass q ON q.oid = o.oid WHERE NOT q.opcdefault)" SHOAL_ADOPT_TABLES
    " JOIN pg_partitioned_table p ON p.partrelid = c.oid AND p.partstrat = 'h'"
    " LEFT JOIN pg_inherits i ON i.inhparent = c.oid"
    " LEFT JOIN pg_class f ON f.oid = i.inhrelid" SHOAL_ADOPT_CONDITION " ORDER BY 1, 2, 3";

template <class T>
T number(const std::string& text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class Reader {
 public:
  Reader(Servers& servers, std::size_t shard) : servers_(servers), shard_(shard) {}
  Result<> run() {
    SHOAL_TRY(tables());
    SHOAL_TRY(columns());
    SHOAL_TRY(uniques());
    return hash_trees();
  }

 private:
  Result<TextRows> ask(const char* sql) {
    // Names in these queries are pg_catalog's: the search path is empty.
    auto rows = servers_.connections[shard_].query(sql);
    if (rows) return rows;
    Error e = std::move(rows).error();
    e.shard = servers_.specs[shard_].name;
    e.message = fmt::format("shard {}: {}", e.shard, e.message);
    return e;
  }
  AdoptTable* find(const std::string& schema, const std::string& name) {
    for (AdoptTable& t : servers_.tables) {
      if (t.schema == schema && t.name == name) return &t;
    }
    return nullptr;
  }
  // Details are read where the table was met first, and on home.
  bool describes(const AdoptTable& t) const {
    for (std::size_t i = 0; i < shard_; ++i) {
      if (t.on[i]) return false;
    }
    return t.on[shard_].has_value();
  }

  Result<> tables() {
    auto rows = ask(kTables);
    if (!rows) return std::move(rows).error();
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      const std::string schema = cell(*rows, i, 0), name = cell(*rows, i, 1);
      AdoptTable* t = find(schema, name);
      if (!t) {
        t = &servers_.tables.emplace_back();
        t->schema = schema;
        t->name = name;
        t->on.resize(servers_.specs.size());
      }
      ServerTable& here = t->on[shard_].emplace();
      here.oid = number<std::uint32_t>(cell(*rows, i, 2));
      here.relkind = cell(*rows, i, 3).at(0);
      here.rows = number<double>(cell(*rows, i, 4));
      here.signature = cell(*rows, i, 5);
      t->foreign_partitions = t->foreign_partitions || cell(*rows, i, 6) == "t";
    }
    return {};
  }

  Result<> columns() {
    auto rows = ask(kColumns);
    if (!rows) return std::move(rows).error();
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      AdoptTable* t = find(cell(*rows, i, 0), cell(*rows, i, 1));
      if (!t || !describes(*t)) continue;
      t->columns.push_back({cell(*rows, i, 2), cell(*rows, i, 3),
                            number<std::uint32_t>(cell(*rows, i, 4)), cell(*rows, i, 5) == "t",
                            cell(*rows, i, 6) == "t"});
    }
    return {};
  }

  Result<> uniques() {
    auto rows = ask(kUniques);
    if (!rows) return std::move(rows).error();
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      AdoptTable* t = find(cell(*rows, i, 0), cell(*rows, i, 1));
      if (!t || !describes(*t)) continue;
      t->uniques.push_back({cell(*rows, i, 2), array_elements(cell(*rows, i, 3))});
    }
    return {};
  }

  Result<> hash_trees() {
    auto rows = ask(kHashTrees);
    if (!rows) return std::move(rows).error();
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      AdoptTable* t = find(cell(*rows, i, 0), cell(*rows, i, 1));
      if (!t || cell(*rows, i, 7) != "t") continue;
      t->hash_columns = array_elements(cell(*rows, i, 6));
      const std::string name = cell(*rows, i, 2);
      if (name.empty() || cell(*rows, i, 3) == "f") continue;
      auto p = std::find_if(t->partitions.begin(), t->partitions.end(),
                            [&](const AdoptTable::Partition& x) { return x.name == name; });
      if (p == t->partitions.end()) {
        p = t->partitions.insert(p, {name,
                                     number<std::uint64_t>(cell(*rows, i, 4)),
                                     number<std::uint64_t>(cell(*rows, i, 5)),
                                     {}});
      }
      p->on.push_back(shard_);
    }
    return {};
  }

  Servers& servers_;
  std::size_t shard_;
};

// ---- Citus --------------------------------------------------------------------------------------

Result<std::vector<CitusTable>> read_citus(Pq& shard) {
  std::vector<CitusTable> out;
  auto found = shard.query(
      "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      " WHERE c.relname = 'pg_dist_partition' AND EXISTS (SELECT FROM pg_class s WHERE"
      " s.relname = 'pg_dist_shard' AND s.relnamespace = c.relnamespace)");
  if (!found) return std::move(found).error();
  if (found->rows.empty()) return out;
  const std::string schema = quote_ident(cell(*found, 0, 0));
  auto rows = shard.query(fmt::format(
      "SELECT p.logicalrelid::regclass::text, p.partmethod,"
      " (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p.logicalrelid::oid AND a.attnum ="
      "   substring(p.partkey::text from ':varattno (\\d+)')::int2),"
      " count(s.shardid), (SELECT count(DISTINCT l.groupid) FROM {0}.pg_dist_placement l"
      "   JOIN {0}.pg_dist_shard x ON x.shardid = l.shardid WHERE x.logicalrelid = p.logicalrelid),"
      " min(s.shardminvalue::int8), max(s.shardmaxvalue::int8)"
      " FROM {0}.pg_dist_partition p LEFT JOIN {0}.pg_dist_shard s"
      "   ON s.logicalrelid = p.logicalrelid"
      " GROUP BY p.logicalrelid, p.partmethod, p.partkey::text ORDER BY 1",
      schema));
  if (!rows) return std::move(rows).error();
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    CitusTable t;
    t.table = cell(*rows, i, 0);
    const std::string method = cell(*rows, i, 1);
    t.method = method == "h" ? "hash" : method == "n" ? "reference or local" : method;
    t.column = cell(*rows, i, 2);
    t.shards = number<std::uint64_t>(cell(*rows, i, 3));
    t.nodes = number<std::uint64_t>(cell(*rows, i, 4));
    t.smallest = cell(*rows, i, 5);
    t.largest = cell(*rows, i, 6);
    out.push_back(std::move(t));
  }
  return out;
}

Result<std::size_t> index_of_home(const AdoptOptions& options) {
  if (options.shards.empty()) {
    return make_error("22023", "no shard is named", "", "--shard NAME=DSN, once for each");
  }
  for (std::size_t i = 0; i < options.shards.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (options.shards[i].name == options.shards[j].name) {
        return make_error("42710", fmt::format("two shards are called {}", options.shards[i].name));
      }
    }
  }
  if (options.home.empty()) return std::size_t{0};
  for (std::size_t i = 0; i < options.shards.size(); ++i) {
    if (options.shards[i].name == options.home) return i;
  }
  return refuse(Refusal::kUnknownShard, fmt::format("--home {}", options.home),
                "home is one of the shards that --shard names");
}

// What an earlier adoption has written.
Result<> read_cluster(Servers& servers) {
  Pq& home = servers.connections[servers.home];
  auto known = home.query("SELECT to_regclass('shoal.placed_table') IS NOT NULL");
  if (!known) return std::move(known).error();
  if (cell(*known, 0, 0) != "t") return {};
  auto tables = home.query(
      "SELECT n.nspname || '.' || c.relname FROM shoal.placed_table t JOIN pg_class c"
      " ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace");
  if (!tables) return std::move(tables).error();
  for (std::size_t i = 0; i < tables->rows.size(); ++i) {
    servers.placed.push_back(cell(*tables, i, 0));
  }
  auto keyspaces = home.query("SELECT name FROM shoal.keyspace");
  if (!keyspaces) return std::move(keyspaces).error();
  for (std::size_t i = 0; i < keyspaces->rows.size(); ++i) {
    servers.keyspaces.push_back(cell(*keyspaces, i, 0));
  }
  return {};
}

}  // namespace

bool AdoptKeyspace::owns_something(std::size_t shard) const {
  if (std::find(owners.begin(), owners.end(), shard) != owners.end()) return true;
  return std::any_of(pins.begin(), pins.end(),
                     [&](const auto& pin) { return pin.second == shard; });
}

std::string AdoptTable::quoted() const {
  return quote_ident(schema) + "." + quote_ident(name);
}

std::string AdoptTable::shown() const {
  return schema == "public" ? name : schema + "." + name;
}

const AdoptTable::Column* AdoptTable::column(const std::string& wanted) const {
  for (const Column& c : columns) {
    if (c.name == wanted) return &c;
  }
  return nullptr;
}

bool AdoptTable::everywhere() const {
  return std::all_of(on.begin(), on.end(), [](const auto& t) { return t.has_value(); });
}

Result<Servers> read_servers(const AdoptOptions& options) {
  Servers servers;
  auto home = index_of_home(options);
  if (!home) return std::move(home).error();
  servers.home = *home;
  servers.specs = options.shards;
  for (std::size_t i = 0; i < servers.specs.size(); ++i) {
    auto c = Pq::connect(servers.specs[i].dsn, kConnectTimeout, "shoal adopt");
    if (!c) {
      Error e = std::move(c).error();
      e.message = fmt::format("shard {}: {}", servers.specs[i].name, e.message);
      return e;
    }
    servers.connections.push_back(std::move(*c));
    SHOAL_TRY(set_key_settings(servers.connections[i]));
    auto citus = read_citus(servers.connections[i]);
    if (!citus) return std::move(citus).error();
    if (servers.citus.empty()) servers.citus = std::move(*citus);
    SHOAL_TRY(Reader(servers, i).run());
  }
  SHOAL_TRY(read_cluster(servers));
  return servers;
}

}  // namespace shoal::control
