// From an empty database to a shard, in one transaction there.
#include "control/add_shard.h"

#include "control/definition.h"
#include "control/init.h"
#include "control/views.h"
#include "control/work.h"

namespace shoal::control {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{5'000};

Error on_shard(const std::string& name, Error e) {
  e.shard = name;
  return e;
}

// Tries all statements, again and again while some still succeed: functions need types, types need
// functions, and some need what is on home only. Gives those that never did, with the reason.
Result<std::vector<std::string>> run_in_passes(Pq& shard, std::vector<std::string> statements) {
  std::vector<std::string> reasons;
  for (bool progress = true; progress && !statements.empty();) {
    progress = false;
    reasons.clear();
    std::vector<std::string> failed;
    for (std::string& sql : statements) {
      SHOAL_TRY(shard.query("SAVEPOINT shoal_try"));
      if (auto done = shard.query(sql)) {
        SHOAL_TRY(shard.query("RELEASE shoal_try"));
        progress = true;
        continue;
      } else {
        if (done.error().fatal) return std::move(done).error();
        reasons.push_back(done.error().message);
      }
      SHOAL_TRY(shard.query("ROLLBACK TO shoal_try; RELEASE shoal_try"));
      failed.push_back(std::move(sql));
    }
    statements = std::move(failed);
  }
  return reasons;
}

Result<> copy_roles(Pq& home, Pq& shard) {
  auto roles = home.query(roles_query());
  if (!roles) return {};  // not a superuser: the roles must be there already
  auto there = shard.query("SELECT rolname FROM pg_catalog.pg_roles");
  if (!there) return std::move(there).error();
  std::vector<std::string> statements;
  for (std::size_t i = 0; i < roles->rows.size(); ++i) {
    const std::string name = cell(*roles, i, 0);
    const bool known = std::any_of(there->rows.begin(), there->rows.end(),
                                   [&](const auto& r) { return r.at(0) == name; });
    if (!known) statements.push_back(cell(*roles, i, 1));
  }
  auto failed = run_in_passes(shard, std::move(statements));
  if (!failed) return std::move(failed).error();
  return {};
}

// What an attempt before this one left behind, and the list for the next one.
Result<> drop_leftovers(Pq& shard) {
  SHOAL_TRY(shard.query("CREATE TABLE IF NOT EXISTS shoal.attempt (relation text PRIMARY KEY)"));
  auto left = shard.query("SELECT relation FROM shoal.attempt");
  if (!left) return std::move(left).error();
  for (std::size_t i = 0; i < left->rows.size(); ++i) {
    SHOAL_TRY(shard.query(fmt::format("DROP TABLE IF EXISTS {} CASCADE", cell(*left, i, 0))));
  }
  SHOAL_TRY(shard.query("TRUNCATE shoal.attempt"));
  return {};
}

Result<> create_schema_objects(Pq& home, Pq& shard) {
  auto objects = home.query(schema_objects_query());
  if (!objects) return std::move(objects).error();
  std::vector<std::string> statements;
  for (std::size_t i = 0; i < objects->rows.size(); ++i) statements.push_back(cell(*objects, i, 2));
  // What cannot be created depends on tables that are on home only, and is on home only itself; a
  // table that needs it says so below.
  auto failed = run_in_passes(shard, std::move(statements));
  if (!failed) return std::move(failed).error();
  return {};
}

std::string quoted(const catalog::Table& t) {
  return quote_ident(t.schema) + "." + quote_ident(t.name);
}

Result<> create_tables(Pq& home, Pq& shard, ShardId id, const catalog::Snapshot& snapshot) {
  std::vector<Oid> placed, roots;
  for (const auto& [oid, t] : snapshot.tables_by_oid) {
    if (t.kind != catalog::TableKind::kSharded && t.kind != catalog::TableKind::kReference)
      continue;
    placed.push_back(oid);
  }
  std::sort(placed.begin(), placed.end());
  if (placed.empty()) return {};
  std::string list;
  for (const Oid o : placed) list += fmt::format("{}{}", list.empty() ? "" : ",", o.value);
  auto tops = home.query(fmt::format(
      "SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ('{{{}}}') AND NOT relispartition",
      list));
  if (!tops) return std::move(tops).error();
  for (std::size_t i = 0; i < tops->rows.size(); ++i) {
    roots.push_back(Oid(static_cast<std::uint32_t>(std::stoul(cell(*tops, i, 0)))));
  }
  auto rows = home.query(definition_query(roots));
  if (!rows) return std::move(rows).error();
  auto definition = read_definition(*rows);
  if (!definition) return std::move(definition).error();
  for (const auto phase : {DefinitionPhase::kTables, DefinitionPhase::kIndexes}) {
    const std::string sql = definition_sql(*definition, phase, id);
    if (!sql.empty()) SHOAL_TRY(shard.query(sql));
  }
  for (const Oid o : roots) {
    const catalog::Table& t = *snapshot.table(o);
    SHOAL_TRY(shard.query(
        fmt::format("INSERT INTO shoal.attempt VALUES ({})", quote_literal(quoted(t)))));
    if (t.kind != catalog::TableKind::kReference) continue;
    std::string columns;
    for (const catalog::Column& c : t.columns) {
      if (!c.generated) columns += (columns.empty() ? "" : ", ") + quote_ident(c.name);
    }
    auto data =
        home.copy_out(fmt::format("COPY (SELECT {} FROM {}) TO STDOUT", columns, quoted(t)));
    if (!data) return std::move(data).error();
    SHOAL_TRY(shard.copy_in(fmt::format("COPY {} ({}) FROM STDIN", quoted(t), columns), *data));
  }
  for (const auto phase : {DefinitionPhase::kForeignKeys, DefinitionPhase::kRest}) {
    const std::string sql = definition_sql(*definition, phase, id);
    if (!sql.empty()) SHOAL_TRY(shard.query(sql));
  }
  auto views = home.query(views_query(placed));
  if (!views) return std::move(views).error();
  for (std::size_t i = 0; i < views->rows.size(); ++i) SHOAL_TRY(shard.query(cell(*views, i, 0)));
  return {};
}

constexpr const char* kSettings =
    "SET LOCAL search_path = ''; SET LOCAL client_min_messages = warning;"
    " SET LOCAL check_function_bodies = off; SET LOCAL extra_float_digits = 3;"
    " SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres;";

Result<> fill(Pq& home, Pq& shard, ShardId id, const catalog::Snapshot& snapshot) {
  SHOAL_TRY(
      home.query(fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", kSettings)));
  SHOAL_TRY(shard.query(fmt::format("BEGIN; {}", kSettings)));
  SHOAL_TRY(drop_leftovers(shard));
  SHOAL_TRY(copy_schema(home, shard));
  SHOAL_TRY(create_tables(home, shard, id, snapshot));
  SHOAL_TRY(shard.query("COMMIT"));
  SHOAL_TRY(home.query("COMMIT"));
  return {};
}

}  // namespace

Result<> copy_schema(Pq& home, Pq& shard) {
  SHOAL_TRY(copy_roles(home, shard));
  return create_schema_objects(home, shard);
}

Result<PreparedShard> prepare_new_shard(const NewShard& spec, const std::string& catalog_dsn,
                                        const std::string& secret,
                                        const catalog::Snapshot& snapshot) {
  auto home_parts = parse_dsn(catalog_dsn);
  if (!home_parts) return std::move(home_parts).error();
  auto parts = parse_dsn(spec.dsn);
  if (!parts) return std::move(parts).error();
  const std::string dsn = parts->text(*home_parts);
  for (const catalog::Shard& s : snapshot.shards) {
    if (s.host != parts->host || s.port != parts->port || s.dbname != parts->dbname) continue;
    return refuse(Refusal::kBadShard, fmt::format("this database is shard {} already", s.name));
  }
  auto home = Pq::connect(catalog_dsn, kConnectTimeout);
  if (!home) return std::move(home).error();
  auto shard = Pq::connect(dsn, kConnectTimeout);
  if (!shard) return on_shard(spec.name, std::move(shard).error());
  auto report = check_shard(*shard, &*home);
  if (!report) return on_shard(spec.name, std::move(report).error());
  std::string why;
  for (const std::string& m : report->missing) why += (why.empty() ? "" : "; ") + m;
  if (!why.empty()) return on_shard(spec.name, refuse(Refusal::kBadShard, why));
  if (auto done = prepare_shard(*shard, secret); !done) {
    return on_shard(spec.name, std::move(done).error());
  }
  if (auto done = fill(*home, *shard, spec.id, snapshot); !done) {
    return on_shard(spec.name, std::move(done).error());
  }
  std::string notes;
  for (const std::string& n : report->notes) notes += (notes.empty() ? "" : "; ") + n;
  PreparedShard out;
  out.catalog_sql = fmt::format(
      "INSERT INTO shoal.shard (id, name, host, port, dbname, options, dsn, active, notes,"
      " system_identifier) VALUES ({}, {}, {}, {}, {}, {}, {}, true, {}, {})",
      spec.id.value, quote_literal(spec.name), quote_literal(parts->host),
      quote_literal(parts->port), quote_literal(parts->dbname), quote_literal(parts->options),
      quote_literal(dsn), quote_literal(notes), quote_literal(report->system_identifier));
  return out;
}

}  // namespace shoal::control
