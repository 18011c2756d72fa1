// The catalog of an adopted cluster. Everything on home happens in one transaction, which can be
// rehearsed: the same statements, then ROLLBACK.
#include <charconv>

#include "catalog/builder.h"
#include "control/add_shard.h"
#include "control/adopt.h"
#include "control/definition.h"
#include "control/obstacles.h"
#include "control/schema.h"
#include "control/work.h"

namespace shoal::control {
namespace {

using Kind = AdoptPlacement::Kind;

constexpr const char* kSettings =
    "SET LOCAL search_path = ''; SET LOCAL client_min_messages = warning;"
    " SET LOCAL check_function_bodies = off; SET LOCAL lock_timeout = '10s';";

Result<catalog::SnapshotPtr> read_snapshot(Pq& home) {
  catalog::SnapshotBuilder builder;
  const auto queries = catalog::snapshot_queries();
  std::vector<std::optional<std::string_view>> views;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    auto rows = home.query(std::string(queries[i]));
    if (!rows) return std::move(rows).error();
    for (const auto& row : rows->rows) {
      views.assign(row.begin(), row.end());
      SHOAL_TRY(builder.add_row(i, views));
    }
  }
  return builder.finish();
}

std::string types_array(const std::vector<keys::KeyType>& types) {
  std::vector<std::string> names;
  for (const keys::KeyType t : types) names.emplace_back(keys::type_name(t));
  return array_literal(names);
}

class Writer {
 public:
  Writer(Servers& servers, const AdoptOptions& options, const Adoption& adoption,
         const Progress& progress)
      : servers_(servers), options_(options), adoption_(adoption), progress_(progress) {}

  Result<> require_no_router();
  Result<> install_for_rehearsal();
  Result<> prepare_other_shards();
  Result<> write_home();
  Result<std::vector<std::string>> judge();
  Result<> place_tables();
  Result<> advance_sequences();
  Pq& home() { return servers_.connections[servers_.home]; }

 private:
  const AdoptTable& table(const AdoptPlacement& p) const { return servers_.tables[p.table]; }
  Result<> create_missing(std::size_t on);
  Result<> forbid_null_keys(std::size_t on);
  Result<> read_shard_ids();
  Result<> write_keyspace(const AdoptKeyspace& k);
  Result<Oid> oid_of(const AdoptTable& t);
  Result<> place(const AdoptPlacement& p);

  Servers& servers_;
  const AdoptOptions& options_;
  const Adoption& adoption_;
  const Progress& progress_;
  std::vector<int> shard_ids_;
  std::map<std::size_t, int> keyspace_ids_;
};

Result<> Writer::require_no_router() {
  auto known = home().query("SELECT to_regclass('shoal.router') IS NOT NULL");
  if (!known) return std::move(known).error();
  if (cell(*known, 0, 0) != "t") return {};
  auto live = home().query(
      "SELECT name FROM shoal.router WHERE state = 'live' AND lease_until > clock_timestamp()");
  if (!live) return std::move(live).error();
  if (live->rows.empty()) return {};
  return make_error("55000", fmt::format("router {} is running", cell(*live, 0, 0)),
                    "adoption changes where rows belong under it",
                    "stop the routers, adopt, start them");
}

// What shoal init does on home, in the open transaction.
Result<> Writer::install_for_rehearsal() {
  SHOAL_TRY(home().query(std::string(shard_schema_sql())));
  SHOAL_TRY(home().query(home_schema_sql()));
  std::string sql = fmt::format(
      "INSERT INTO shoal.cluster (name, version) VALUES ({}, {}) ON CONFLICT (one) DO NOTHING;",
      quote_literal(options_.cluster), kSchemaVersion);
  for (std::size_t i = 0; i < servers_.specs.size(); ++i) {
    sql += fmt::format(
        "INSERT INTO shoal.shard (id, name, host, port, dbname, dsn, home, active)"
        " SELECT coalesce(max(id), 0) + 1, {}, '', '', '', '', {}, true FROM shoal.shard"
        " ON CONFLICT (name) DO NOTHING;",
        quote_literal(servers_.specs[i].name), i == servers_.home ? "true" : "false");
  }
  SHOAL_TRY(home().query(sql));
  return {};
}

// Tables that other shards have and this one lacks, empty, in the open transaction.
Result<> Writer::create_missing(std::size_t on) {
  std::map<std::size_t, std::vector<Oid>> from;  // by the shard that has them
  for (const AdoptPlacement& p : adoption_.placements) {
    const AdoptTable& t = table(p);
    if (p.kind != Kind::kSharded || t.on[on]) continue;
    for (std::size_t i = 0; i < t.on.size(); ++i) {
      if (!t.on[i]) continue;
      from[i].push_back(Oid(t.on[i]->oid));
      break;
    }
  }
  for (const auto& [source, oids] : from) {
    Pq& there = servers_.connections[source];
    SHOAL_TRY(there.query(fmt::format("BEGIN READ ONLY; {}", kSettings)));
    auto copied = copy_schema(there, servers_.connections[on]);
    auto rows = there.query(definition_query(oids));
    SHOAL_TRY(there.query("ROLLBACK"));
    if (!copied) return std::move(copied).error();
    if (!rows) return std::move(rows).error();
    auto definition = read_definition(*rows);
    if (!definition) return std::move(definition).error();
    for (const auto phase : {DefinitionPhase::kTables, DefinitionPhase::kIndexes,
                             DefinitionPhase::kForeignKeys, DefinitionPhase::kRest}) {
      const std::string sql = definition_sql(*definition, phase, ShardId(static_cast<int>(on)));
      if (!sql.empty()) SHOAL_TRY(servers_.connections[on].query(sql));
    }
    if (on != servers_.home) continue;
    // Home's sequences are the cluster's own, not a range aside.
    for (const Definition::Piece& piece : definition->pieces) {
      if (piece.kind == Definition::Piece::Kind::kSql) continue;
      SHOAL_TRY(home().query(
          fmt::format("ALTER SEQUENCE {} NO MINVALUE NO MAXVALUE START 1 RESTART 1", piece.sql)));
    }
  }
  return {};
}

Result<> Writer::forbid_null_keys(std::size_t on) {
  for (const AdoptPlacement& p : adoption_.placements) {
    if (p.kind != Kind::kSharded) continue;
    for (const std::string& c : p.key) {
      if (table(p).column(c)->not_null) continue;
      SHOAL_TRY(servers_.connections[on].query(fmt::format(
          "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", table(p).quoted(), quote_ident(c))));
    }
  }
  return {};
}

Result<> Writer::prepare_other_shards() {
  for (std::size_t i = 0; i < servers_.specs.size(); ++i) {
    if (i == servers_.home) continue;
    progress_("preparing " + servers_.specs[i].name, i, servers_.specs.size());
    Pq& c = servers_.connections[i];
    SHOAL_TRY(c.query(fmt::format("BEGIN; {}", kSettings)));
    auto done = create_missing(i);
    if (done) done = forbid_null_keys(i);
    if (!done) {
      (void)c.query("ROLLBACK");
      Error e = std::move(done).error();
      e.message = fmt::format("shard {}: {}", servers_.specs[i].name, e.message);
      return e;
    }
    SHOAL_TRY(c.query("COMMIT"));
  }
  return {};
}

Result<> Writer::read_shard_ids() {
  shard_ids_.clear();
  for (const ShardSpec& spec : servers_.specs) {
    auto row = home().query(
        fmt::format("SELECT id FROM shoal.shard WHERE name = {}", quote_literal(spec.name)));
    if (!row) return std::move(row).error();
    int id = 0;
    const std::string text = cell(*row, 0, 0);
    std::from_chars(text.data(), text.data() + text.size(), id);
    shard_ids_.push_back(id);
  }
  return {};
}

Result<> Writer::write_keyspace(const AdoptKeyspace& k) {
  auto row = home().query(fmt::format(
      "INSERT INTO shoal.keyspace (id, name, function, params, key_types, slots)"
      " SELECT coalesce(max(id), 0) + 1, {}, {}, {}, {}, {} FROM shoal.keyspace RETURNING id",
      quote_literal(k.name), quote_literal(k.function), quote_literal(k.params),
      types_array(k.types), k.made->slot_count()));
  if (!row) return std::move(row).error();
  const std::string id = cell(*row, 0, 0);
  keyspace_ids_[keyspace_ids_.size()] = std::stoi(id);
  const auto owner = [&](std::uint32_t slot) {
    const auto bucket = k.made->bucket_of(Slot(slot));
    const std::size_t at = bucket ? k.owners[*bucket] : AdoptKeyspace::kNobody;
    return at == AdoptKeyspace::kNobody ? -1 : shard_ids_[at];
  };
  std::string values;
  const auto flush = [&]() -> Result<> {
    if (!values.empty()) {
      SHOAL_TRY(home().query(
          "INSERT INTO shoal.slot_range (keyspace, first_slot, last_slot, shard) VALUES " +
          values));
    }
    values.clear();
    return {};
  };
  for (std::uint32_t first = 0; first < k.made->slot_count();) {
    const int at = owner(first);
    std::uint32_t last = first;
    while (last + 1 < k.made->slot_count() && owner(last + 1) == at) ++last;
    if (at >= 0) {
      values += fmt::format("{}({}, {}, {}, {})", values.empty() ? "" : ", ", id, first, last, at);
    }
    first = last + 1;
    if (values.size() > 100'000) SHOAL_TRY(flush());
  }
  SHOAL_TRY(flush());
  for (const auto& [key, at] : k.pins) {
    SHOAL_TRY(home().query("INSERT INTO shoal.pinned (keyspace, key, shard) VALUES ($1, $2, $3)",
                           {id, key, std::to_string(shard_ids_[at])}));
  }
  return {};
}

Result<Oid> Writer::oid_of(const AdoptTable& t) {
  auto row = home().query(
      fmt::format("SELECT {}::pg_catalog.regclass::pg_catalog.oid", quote_literal(t.quoted())));
  if (!row) return std::move(row).error();
  return Oid(static_cast<std::uint32_t>(std::stoul(cell(*row, 0, 0))));
}

// Up to the tables themselves: what judging needs.
Result<> Writer::write_home() {
  SHOAL_TRY(create_missing(servers_.home));
  SHOAL_TRY(forbid_null_keys(servers_.home));
  SHOAL_TRY(read_shard_ids());
  for (const AdoptKeyspace& k : adoption_.keyspaces) SHOAL_TRY(write_keyspace(k));
  for (const AdoptPlacement& p : adoption_.placements) {
    if (p.kind == Kind::kReference) SHOAL_TRY(place(p));
  }
  return {};
}

Result<> Writer::place_tables() {
  for (const AdoptPlacement& p : adoption_.placements) {
    if (p.kind == Kind::kSharded) SHOAL_TRY(place(p));
  }
  return {};
}

// What shoal.shard_table and shoal.reference_table would refuse.
Result<std::vector<std::string>> Writer::judge() {
  std::vector<std::string> refused;
  auto snapshot = read_snapshot(home());
  if (!snapshot) return std::move(snapshot).error();
  std::map<std::size_t, std::map<Oid, PlannedTable>> planned;  // by keyspace
  std::map<std::size_t, Oid> oids;
  for (const AdoptPlacement& p : adoption_.placements) {
    if (p.kind != Kind::kSharded && p.kind != Kind::kReference) continue;
    auto oid = oid_of(table(p));
    if (!oid) return std::move(oid).error();
    oids[p.table] = *oid;
    if (p.kind == Kind::kSharded) planned[p.keyspace][*oid] = {*oid, p.key};
  }
  for (const AdoptPlacement& p : adoption_.placements) {
    if (!oids.contains(p.table)) continue;
    const Oid oid = oids[p.table];
    const std::vector<Oid> one{oid};
    auto rows = home().query(obstacles_query(one));
    if (!rows) return std::move(rows).error();
    auto obstacles = read_obstacles(*rows);
    if (!obstacles) return std::move(obstacles).error();
    const Result<> judged = p.kind == Kind::kReference
                                ? judge_reference(oid, *obstacles, **snapshot)
                                : judge_sharded(planned[p.keyspace][oid], planned[p.keyspace],
                                                KeyspaceId(keyspace_ids_[p.keyspace]), *obstacles,
                                                p.local_constraints, **snapshot);
    if (judged) continue;
    const Error& e = judged.error();
    refused.push_back(
        fmt::format("{}: {}{}{}", table(p).shown(), e.detail, e.hint.empty() ? "" : "; ", e.hint));
  }
  return refused;
}

Result<> Writer::place(const AdoptPlacement& p) {
  const AdoptTable& t = table(p);
  // Partitions that are not on every shard are known as parts of their parent only.
  const bool leaves = std::all_of(
      t.partitions.begin(), t.partitions.end(),
      [&](const AdoptTable::Partition& x) { return x.on.size() == servers_.specs.size(); });
  const bool sharded = p.kind == Kind::kSharded;
  SHOAL_TRY(home().query(fmt::format(
      "INSERT INTO shoal.placed_table (relation, kind, keyspace, key_columns, local_constraints)"
      " SELECT relid, '{}', {}, {}, {} FROM pg_catalog.pg_partition_tree({}) WHERE level = 0{}"
      " UNION SELECT {}::pg_catalog.regclass, '{}', {}, {}, {}",
      sharded ? "sharded" : "reference",
      sharded ? std::to_string(keyspace_ids_[p.keyspace]) : "NULL::int", array_literal(p.key),
      array_literal(p.local_constraints), quote_literal(t.quoted()), leaves ? " OR true" : "",
      quote_literal(t.quoted()), sharded ? "sharded" : "reference",
      sharded ? std::to_string(keyspace_ids_[p.keyspace]) : "NULL::int", array_literal(p.key),
      array_literal(p.local_constraints))));
  return {};
}

// Home's sequences serve the whole cluster: none may give a number that some shard has given.
Result<> Writer::advance_sequences() {
  constexpr const char* kOwned =
      "SELECT pg_catalog.format('%I.%I', sn.nspname, s.relname), q.last_value"
      " FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = "
      "'S'"
      " JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace"
      " JOIN pg_catalog.pg_sequences q ON q.schemaname = sn.nspname AND q.sequencename = s.relname"
      " WHERE d.refobjid = pg_catalog.to_regclass({}) AND d.deptype IN ('a', 'i')"
      " AND q.last_value IS NOT NULL";
  std::map<std::string, long long> highest;
  for (const AdoptPlacement& p : adoption_.placements) {
    if (p.kind != Kind::kSharded) continue;
    for (std::size_t i = 0; i < servers_.specs.size(); ++i) {
      auto rows = servers_.connections[i].query(
          fmt::format(fmt::runtime(kOwned), quote_literal(table(p).quoted())));
      if (!rows) return std::move(rows).error();
      for (std::size_t r = 0; r < rows->rows.size(); ++r) {
        long long& most = highest[cell(*rows, r, 0)];
        most = std::max(most, std::stoll(cell(*rows, r, 1)));
      }
    }
  }
  for (const auto& [name, value] : highest) {
    SHOAL_TRY(home().query(fmt::format(
        "SELECT pg_catalog.setval(c.oid, greatest({}, coalesce(pg_catalog.pg_sequence_last_value("
        "c.oid), 0))) FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({})",
        value, quote_literal(name))));
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> rehearse_adoption(Servers& servers, const AdoptOptions& options,
                                                   const Adoption& adoption) {
  const Progress silent = [](const std::string&, std::uint64_t, std::uint64_t) {};
  Writer writer(servers, options, adoption, silent);
  SHOAL_TRY(writer.home().query(fmt::format("BEGIN; {}", kSettings)));
  std::vector<std::string> refused;
  const auto run = [&]() -> Result<> {
    SHOAL_TRY(writer.require_no_router());
    SHOAL_TRY(writer.install_for_rehearsal());
    SHOAL_TRY(writer.write_home());
    auto judged = writer.judge();
    if (!judged) return std::move(judged).error();
    refused = std::move(*judged);
    if (!refused.empty()) return {};
    SHOAL_TRY(writer.place_tables());
    auto snapshot = read_snapshot(writer.home());
    if (!snapshot) return std::move(snapshot).error();
    return {};
  };
  auto done = run();
  (void)writer.home().query("ROLLBACK");
  if (!done) return std::move(done).error();
  return refused;
}

Result<> write_adoption(Servers& servers, const AdoptOptions& options, const Adoption& adoption,
                        const Progress& progress) {
  Writer writer(servers, options, adoption, progress);
  SHOAL_TRY(writer.require_no_router());
  progress("making the catalog", 0, 0);
  SHOAL_TRY(init(servers.specs[servers.home].dsn, options.cluster, servers.specs));
  SHOAL_TRY(writer.prepare_other_shards());
  progress("writing the catalog", 0, 0);
  SHOAL_TRY(writer.home().query(fmt::format("BEGIN; {}", kSettings)));
  const auto run = [&]() -> Result<> {
    SHOAL_TRY(writer.write_home());
    auto judged = writer.judge();
    if (!judged) return std::move(judged).error();
    if (!judged->empty()) return refuse(Refusal::kBadPlacement, judged->front());
    SHOAL_TRY(writer.place_tables());
    auto snapshot = read_snapshot(writer.home());
    if (!snapshot) return std::move(snapshot).error();
    SHOAL_TRY(writer.advance_sequences());
    SHOAL_TRY(writer.home().query(
        "UPDATE shoal.cluster SET epoch = epoch + 1, schema_mark = shoal.schema_mark()"));
    return {};
  };
  if (auto done = run(); !done) {
    (void)writer.home().query("ROLLBACK");
    return std::move(done).error();
  }
  SHOAL_TRY(writer.home().query("COMMIT; NOTIFY shoal_epoch"));
  return {};
}

}  // namespace shoal::control
