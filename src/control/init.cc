// Bootstrap of the catalog and the checks of a new shard.
#include "control/init.h"

#include <charconv>

#include "control/add_shard.h"
#include "control/schema.h"
#include "control/ticket.h"

namespace shoal::control {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{5'000};

std::string cell(const TextRows& rows, std::size_t column, std::size_t row = 0) {
  if (row >= rows.rows.size() || column >= rows.rows[row].size()) return {};
  return rows.rows[row][column].value_or("");
}

int to_int(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Columns: version, max_prepared_transactions, wal_level, encoding, collation..., superuser, ...
constexpr const char* kFacts =
    "SELECT current_setting('server_version_num'), current_setting('max_prepared_transactions'),"
    " current_setting('wal_level'), pg_encoding_to_char(d.encoding),"
    " concat_ws(' ', d.datcollate, d.datctype, j->>'datlocprovider', j->>'datlocale',"
    "   j->>'daticulocale', j->>'datcollversion'),"
    " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
    " has_database_privilege(current_database(), 'CREATE'), pg_is_in_recovery(),"
    " (SELECT system_identifier FROM pg_control_system()),"
    " current_setting('integer_datetimes')"
    " FROM pg_database d, LATERAL to_jsonb(d) j WHERE d.datname = current_database()";

Error step_error(const std::string& shard, Error e) {
  e.shard = shard;
  e.message = fmt::format("shard {}: {}", shard, e.message);
  return e;
}

std::string shard_row_sql(int id, const ShardSpec& spec, const Dsn& dsn, bool home,
                          const ShardReport& report) {
  std::string notes;
  for (const std::string& note : report.notes) notes += (notes.empty() ? "" : "; ") + note;
  return fmt::format(
      "INSERT INTO shoal.shard (id, name, host, port, dbname, options, dsn, home, active, notes,"
      " system_identifier) VALUES ({}, {}, {}, {}, {}, {}, {}, {}, true, {}, {})"
      " ON CONFLICT (name) DO UPDATE SET host = excluded.host, port = excluded.port,"
      " dbname = excluded.dbname, options = excluded.options, dsn = excluded.dsn,"
      " notes = excluded.notes, system_identifier = excluded.system_identifier;",
      id, quote_literal(spec.name), quote_literal(dsn.host), quote_literal(dsn.port),
      quote_literal(dsn.dbname), quote_literal(dsn.options), quote_literal(spec.dsn),
      home ? "true" : "false", quote_literal(notes), quote_literal(report.system_identifier));
}

Result<std::string> install_on_home(Pq& home, const std::string& cluster_name) {
  SHOAL_TRY(home.query("BEGIN; SET LOCAL client_min_messages = warning;"));
  SHOAL_TRY(home.query(std::string(shard_schema_sql())));
  SHOAL_TRY(home.query(home_schema_sql()));
  SHOAL_TRY(
      home.query(fmt::format("INSERT INTO shoal.cluster (name, version) VALUES ({}, {})"
                             " ON CONFLICT (one) DO UPDATE SET version = excluded.version",
                             quote_literal(cluster_name), kSchemaVersion)));
  auto name = home.query("SELECT name FROM shoal.cluster");
  if (!name) return std::move(name).error();
  if (cell(*name, 0) != cluster_name) {
    return refuse(Refusal::kBadShard,
                  fmt::format("the database is home of cluster {} already", cell(*name, 0)));
  }
  SHOAL_TRY(home.query(fmt::format(
      "INSERT INTO shoal.secret (value) VALUES ('\\x{}') ON CONFLICT DO NOTHING; COMMIT",
      to_hex(make_secret()))));
  return read_secret(home);
}

// A database that existed before may have schemas and types already.
Result<> copy_existing_schema(Pq& home, Pq& shard) {
  SHOAL_TRY(home.query("BEGIN; SET LOCAL search_path = ''"));
  SHOAL_TRY(
      shard.query("BEGIN; SET LOCAL search_path = ''; SET LOCAL client_min_messages = warning;"
                  " SET LOCAL check_function_bodies = off"));
  SHOAL_TRY(copy_schema(home, shard));
  SHOAL_TRY(shard.query("COMMIT"));
  SHOAL_TRY(home.query("COMMIT"));
  return {};
}

bool same_place(const Dsn& a, const Dsn& b) {
  return a.host == b.host && a.port == b.port && a.dbname == b.dbname;
}

}  // namespace

Result<ShardReport> check_shard(Pq& shard, Pq* reference) {
  auto facts = shard.query(kFacts);
  if (!facts) return std::move(facts).error();
  ShardReport report;
  report.system_identifier = cell(*facts, 8);
  const auto missing = [&](std::string what) { report.missing.push_back(std::move(what)); };
  if (to_int(cell(*facts, 0)) < 130000) missing("PostgreSQL 13 or later is needed");
  if (to_int(cell(*facts, 1)) < 1) {
    missing(
        "max_prepared_transactions is 0: ALTER SYSTEM SET max_prepared_transactions = 100 and "
        "restart, or no transaction can span this shard");
  }
  if (cell(*facts, 6) != "t") missing("the role may not create a schema in this database");
  if (cell(*facts, 7) == "t") missing("the server is a standby");
  if (cell(*facts, 2) != "logical") {
    report.notes.push_back("wal_level is not logical: slots cannot be moved from this shard");
  }
  if (cell(*facts, 5) != "t") {
    report.notes.push_back(
        "the service role is no superuser: recovery can finish transactions of "
        "roles that it is a member of only");
  }
  if (!reference) return report;
  auto home = reference->query(kFacts);
  if (!home) return std::move(home).error();
  if (cell(*home, 3) != cell(*facts, 3)) {
    missing(fmt::format("its encoding is {}, home's is {}", cell(*facts, 3), cell(*home, 3)));
  }
  if (cell(*home, 4) != cell(*facts, 4)) {
    missing(
        fmt::format("its collation is {}, home's is {}: texts would sort and compare in two ways",
                    cell(*facts, 4), cell(*home, 4)));
  }
  return report;
}

Result<> prepare_shard(Pq& shard, const std::string& secret) {
  SHOAL_TRY(shard.query("BEGIN; SET LOCAL client_min_messages = warning;"));
  SHOAL_TRY(shard.query(std::string(shard_schema_sql())));
  SHOAL_TRY(shard.query(fmt::format(
      "INSERT INTO shoal.secret (value) VALUES ('\\x{}') ON CONFLICT DO NOTHING; COMMIT",
      to_hex(secret))));
  auto found = read_secret(shard);
  if (!found) return std::move(found).error();
  if (*found != secret) {
    return refuse(Refusal::kBadShard, "the database is a shard of another cluster",
                  "DROP SCHEMA shoal CASCADE there when that cluster is gone");
  }
  return {};
}

Result<std::string> read_secret(Pq& home) {
  auto rows = home.query("SELECT encode(value, 'hex') FROM shoal.secret");
  if (!rows) return std::move(rows).error();
  Result<std::string> secret(from_hex(cell(*rows, 0)));
  if (secret->size() != 32) return make_error("XX000", "shoal.secret is empty: run shoal init");
  return secret;
}

Result<> init(const std::string& home_dsn, const std::string& cluster_name,
              const std::vector<ShardSpec>& shards) {
  auto home_parts = parse_dsn(home_dsn);
  if (!home_parts) return std::move(home_parts).error();
  auto home = Pq::connect(home_dsn, kConnectTimeout);
  if (!home) return step_error("home", std::move(home).error());
  auto secret = install_on_home(*home, cluster_name);
  if (!secret) return step_error("home", std::move(secret).error());

  std::vector<ShardSpec> specs = shards;
  const auto is_home = [&](const ShardSpec& s) {
    auto parts = parse_dsn(s.dsn);
    return parts && same_place(*parts, *home_parts);
  };
  if (std::none_of(specs.begin(), specs.end(), is_home)) specs.push_back({"home", home_dsn});
  std::sort(specs.begin(), specs.end(),
            [](const ShardSpec& a, const ShardSpec& b) { return a.name < b.name; });

  auto known = home->query("SELECT coalesce(max(id), 0) FROM shoal.shard");
  if (!known) return std::move(known).error();
  int next_id = to_int(cell(*known, 0));
  std::string rows;
  for (ShardSpec& spec : specs) {
    auto parts = parse_dsn(spec.dsn);
    if (!parts) return step_error(spec.name, std::move(parts).error());
    spec.dsn = parts->text(*home_parts);
    const bool at_home = is_home(spec);
    auto shard = at_home ? home : Pq::connect(spec.dsn, kConnectTimeout);
    if (!shard) return step_error(spec.name, std::move(shard).error());
    auto report = check_shard(*shard, at_home ? nullptr : &*home);
    if (!report) return step_error(spec.name, std::move(report).error());
    if (!report->missing.empty()) {
      std::string why;
      for (const std::string& m : report->missing) why += (why.empty() ? "" : "; ") + m;
      return step_error(spec.name, refuse(Refusal::kBadShard, why));
    }
    if (!at_home) {
      auto done = prepare_shard(*shard, *secret);
      if (done) done = copy_existing_schema(*home, *shard);
      if (!done) return step_error(spec.name, std::move(done).error());
    }
    rows += shard_row_sql(++next_id, spec, *parts, at_home, *report);
  }
  SHOAL_TRY(home->query("BEGIN; " + rows +
                        "UPDATE shoal.cluster SET epoch = epoch + 1,"
                        " schema_mark = shoal.schema_mark(); COMMIT; NOTIFY shoal_epoch"));
  return {};
}

}  // namespace shoal::control
