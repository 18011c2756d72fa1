// What an audit needs to know, and rows of one key as texts.
#include <charconv>
#include <numeric>

#include "control/audit.h"
#include "control/loader.h"
#include "control/work.h"

namespace shoal::control {
namespace {

std::string text_list(const std::vector<std::string>& columns) {
  std::string out;
  for (const std::string& c : columns) {
    out += fmt::format("{}{}::pg_catalog.text", out.empty() ? "" : ", ", quote_ident(c));
  }
  return out;
}

std::string name_list(const std::vector<std::string>& columns, const char* prefix = "") {
  std::string out;
  for (const std::string& c : columns) {
    out += (out.empty() ? "" : ", ") + (prefix + quote_ident(c));
  }
  return out;
}

AuditTable describe(const catalog::Snapshot& snapshot, const catalog::Table& t) {
  AuditTable out;
  out.oid = t.oid;
  out.name = t.schema == "public" ? t.name : t.schema + "." + t.name;
  out.quoted = quote_ident(t.schema) + "." + quote_ident(t.name);
  out.keyspace = t.keyspace;
  out.types = snapshot.keyspace(t.keyspace)->types;
  for (const std::int16_t a : t.key_attnums) out.key.push_back(t.column(a)->name);
  for (const catalog::Index& i : t.indexes) {
    if (!i.primary) continue;
    for (const std::int16_t a : i.attnums) out.primary.push_back(t.column(a)->name);
  }
  for (const catalog::Column& c : t.columns) {
    if (!c.generated) out.columns.push_back(c.name);
  }
  return out;
}

// Sharded tables that are nobody's partition, parents of foreign keys first, with their groups.
Result<> read_tables(Pq& catalog, AuditWorld& world) {
  auto roots = catalog.query(
      "SELECT t.relation::oid::int8 FROM shoal.placed_table t JOIN pg_class c ON c.oid = t.relation"
      " WHERE t.kind = 'sharded' AND NOT c.relispartition ORDER BY t.relation::text");
  if (!roots) return std::move(roots).error();
  std::vector<Oid> waiting;
  for (std::size_t i = 0; i < roots->rows.size(); ++i) {
    waiting.push_back(Oid(static_cast<std::uint32_t>(std::stoul(cell(*roots, i, 0)))));
  }
  auto edges = catalog.query(
      "SELECT DISTINCT conrelid::int8, confrelid::int8 FROM pg_constraint WHERE contype = 'f'"
      " AND conrelid <> confrelid AND conrelid IN (SELECT relation FROM shoal.placed_table)"
      " AND confrelid IN (SELECT relation FROM shoal.placed_table)");
  if (!edges) return std::move(edges).error();
  const auto depends = [&](Oid a, Oid b) {
    return std::any_of(edges->rows.begin(), edges->rows.end(), [&](const auto& e) {
      return e[0] == std::to_string(a.value) && e[1] == std::to_string(b.value);
    });
  };
  std::vector<Oid> ordered;
  while (!waiting.empty()) {
    const auto ready = std::find_if(waiting.begin(), waiting.end(), [&](Oid t) {
      return std::none_of(waiting.begin(), waiting.end(), [&](Oid o) { return depends(t, o); });
    });
    const auto next = ready == waiting.end() ? waiting.begin() : ready;
    ordered.push_back(*next);
    waiting.erase(next);
  }
  for (const Oid oid : ordered) {
    const catalog::Table* t = world.snapshot->table(oid);
    if (t) world.all_tables.push_back(describe(*world.snapshot, *t));
  }
  for (AuditTable& t : world.all_tables) {
    for (const std::string& c : t.primary) {
      auto type = catalog.query(fmt::format(
          "SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
          " WHERE attrelid = {} AND attname = {}",
          t.oid.value, quote_literal(c)));
      if (!type) return std::move(type).error();
      t.primary_types.push_back(cell(*type, 0, 0));
    }
  }
  world.groups.resize(world.all_tables.size());
  std::iota(world.groups.begin(), world.groups.end(), std::size_t{0});
  for (std::size_t i = 0; i < world.all_tables.size(); ++i) {
    for (std::size_t j = 0; j < world.all_tables.size(); ++j) {
      if (!depends(world.all_tables[i].oid, world.all_tables[j].oid)) continue;
      const std::size_t from = world.groups[i], to = world.groups[j];
      std::replace(world.groups.begin(), world.groups.end(), from, to);
    }
  }
  return {};
}

Result<> choose_tables(Pq& catalog, const AuditOptions& options, AuditWorld& world) {
  if (options.tables.empty()) {
    world.tables = world.all_tables;
    return {};
  }
  for (const std::string& name : options.tables) {
    auto row = catalog.query(fmt::format(
        "SELECT coalesce((SELECT relid::oid FROM pg_partition_ancestors({0}) WITH ORDINALITY"
        " a(relid, n) ORDER BY n DESC LIMIT 1), {0}::regclass::oid)::int8",
        quote_literal(name.find('.') == std::string::npos ? "public." + name : name)));
    if (!row) return std::move(row).error();
    const auto found = std::find_if(
        world.all_tables.begin(), world.all_tables.end(),
        [&](const AuditTable& t) { return std::to_string(t.oid.value) == cell(*row, 0, 0); });
    if (found == world.all_tables.end()) {
      return make_error("42809", fmt::format("{} is not a sharded table", name), "",
                        "shoal table list shows the kinds");
    }
    world.tables.push_back(*found);
  }
  return {};
}

Result<> read_server_list(Pq& catalog, const AuditOptions& options, AuditWorld& world) {
  auto rows = catalog.query("SELECT name, dsn, id FROM shoal.shard WHERE active ORDER BY name");
  if (!rows) return std::move(rows).error();
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    world.servers.push_back(
        {cell(*rows, i, 0), cell(*rows, i, 1), ShardId(std::stoi(cell(*rows, i, 2))), true});
  }
  for (const std::string& text : options.also) {
    AuditServer other;
    other.is_shard = false;
    const std::size_t equals = text.find('=');
    const std::string word = text.substr(0, equals);
    // "host=..." is a DSN, "old=host=..." has a name.
    const bool named = equals != std::string::npos &&
                       word.find_first_of(" :/") == std::string::npos &&
                       (text.find('=', equals + 1) != std::string::npos ||
                        text.compare(equals + 1, 8, "postgres") == 0) &&
                       !parse_dsn(text);
    other.name = named ? word : "also";
    other.dsn = named ? text.substr(equals + 1) : text;
    if (auto dsn = parse_dsn(other.dsn); !dsn) return std::move(dsn).error();
    if (world.server(other.name)) {
      return make_error("42710", fmt::format("two servers are called {}", other.name), "",
                        "--also NAME=DSN");
    }
    world.servers.push_back(std::move(other));
  }
  return {};
}

}  // namespace

const AuditServer* AuditWorld::server(ShardId id) const {
  for (const AuditServer& s : servers) {
    if (s.is_shard && s.id == id) return &s;
  }
  return nullptr;
}

const AuditServer* AuditWorld::server(const std::string& name) const {
  for (const AuditServer& s : servers) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

Result<AuditWorld> read_audit_world(Pq& catalog, const AuditOptions& options) {
  AuditWorld world;
  auto snapshot = load_snapshot(catalog, nullptr);
  if (!snapshot) return std::move(snapshot).error();
  world.snapshot = *snapshot;
  world.cluster = world.snapshot->cluster;
  SHOAL_TRY(set_key_settings(catalog));
  SHOAL_TRY(read_tables(catalog, world));
  SHOAL_TRY(choose_tables(catalog, options, world));
  SHOAL_TRY(read_server_list(catalog, options, world));
  return world;
}

std::string pack_key(const std::vector<std::string>& key) {
  if (key.size() == 1) return key[0];
  std::string out = "{";
  for (const std::string& part : key) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (const char c : part) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    out.push_back('"');
  }
  return out + "}";
}

std::vector<std::string> unpack_key(const std::string& text) {
  return array_elements(text);
}

std::string key_condition(const AuditTable& table, const std::vector<std::string>& key) {
  std::string out;
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    out += fmt::format("{}{} = {}", i == 0 ? "" : " AND ", quote_ident(table.key[i]),
                       quote_literal(key.at(i)));
  }
  return out;
}

Result<KeyRows> read_key_rows(Pq& server, const AuditTable& table,
                              const std::vector<std::string>& key, bool lock, std::size_t limit) {
  std::string primary;
  if (!table.primary.empty()) primary = ", " + text_list(table.primary);
  auto rows = server.query(fmt::format(
      "SELECT tableoid::pg_catalog.int8, ctid::pg_catalog.text, ROW({})::pg_catalog.text{} FROM {}"
      " WHERE {} ORDER BY 1, 2{}{}",
      name_list(table.columns), primary, table.quoted, key_condition(table, key),
      limit > 0 ? fmt::format(" LIMIT {}", limit) : "", lock ? " FOR UPDATE" : ""));
  if (!rows) return std::move(rows).error();
  KeyRows out;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    KeyRows::Row row{cell(*rows, i, 0), cell(*rows, i, 1), {}, cell(*rows, i, 2)};
    for (std::size_t c = 3; c < rows->rows[i].size(); ++c) row.primary.push_back(cell(*rows, i, c));
    out.rows.push_back(std::move(row));
  }
  return out;
}

Result<AuditCount> compare_rows(Pq& target, const AuditTable& table, const KeyRows& rows,
                                std::vector<bool>* same, std::vector<bool>* conflicting) {
  AuditCount count;
  same->assign(rows.rows.size(), false);
  conflicting->assign(rows.rows.size(), false);
  // Without a primary key two equal rows may both be meant.
  if (table.primary.empty()) return count;
  std::string join, names = "n";
  for (std::size_t c = 0; c < table.primary.size(); ++c) {
    names += fmt::format(", p{}", c);
    join += fmt::format("{}t.{} = v.p{}::{}", c == 0 ? "" : " AND ", quote_ident(table.primary[c]),
                        c, table.primary_types[c]);
  }
  constexpr std::size_t kBatch = 500;
  for (std::size_t from = 0; from < rows.rows.size(); from += kBatch) {
    std::string values;
    for (std::size_t i = from; i < std::min(from + kBatch, rows.rows.size()); ++i) {
      values += fmt::format("{}({}", values.empty() ? "" : ", ", i);
      for (const std::string& v : rows.rows[i].primary) values += ", " + quote_literal(v);
      values += ")";
    }
    auto found = target.query(
        fmt::format("SELECT v.n, ROW({})::pg_catalog.text FROM (VALUES {}) v({}) JOIN {} t ON {}",
                    name_list(table.columns, "t."), values, names, table.quoted, join));
    if (!found) return std::move(found).error();
    for (std::size_t i = 0; i < found->rows.size(); ++i) {
      const std::size_t n = std::stoul(cell(*found, i, 0));
      const bool equal = rows.rows.at(n).whole == cell(*found, i, 1);
      (equal ? same : conflicting)->at(n) = true;
      ++(equal ? count.duplicates : count.conflicts);
    }
  }
  return count;
}

}  // namespace shoal::control
