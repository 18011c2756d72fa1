// Options, SQL and output of the commands of cluster_cli.h.
#include "surface/cluster_cli.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "control/pq.h"
#include "surface/dev_state.h"
#include "surface/print.h"

namespace shoal::surface {
namespace {

using control::quote_literal;

constexpr std::chrono::milliseconds kConnectTimeout{10'000};

struct ClusterOptions {
  std::string url;
  bool json = false;
  // Arguments of whichever command runs.
  std::string name, text, dsn, keyspace, function = "postgres", params = "{}";
  std::vector<std::string> columns, key_types{"bigint"}, local_constraints;
};

// --url, SHOAL_URL, or the development cluster.
Result<std::string> router_url(const ClusterOptions& options) {
  if (!options.url.empty()) return options.url;
  if (const char* url = std::getenv("SHOAL_URL"); url != nullptr && *url != '\0') {
    return std::string(url);
  }
  const auto state = read_state(default_dir());
  if (!state) {
    return make_error("08001", "no router is named", {},
                      "use --url or SHOAL_URL, or start a development cluster with shoal dev up");
  }
  return url_of(*state);
}

Result<Sheet> ask(const ClusterOptions& options, const std::string& sql) {
  const auto url = router_url(options);
  if (!url) return url.error();
  auto router = control::Pq::connect(*url, kConnectTimeout, "shoal");
  if (!router) return std::move(router).error();
  auto rows = router->query(sql);
  if (!rows) return std::move(rows).error();
  return Sheet{std::move(rows->columns), std::move(rows->rows)};
}

int show(const ClusterOptions& options, const std::string& sql) {
  const auto sheet = ask(options, sql);
  if (!sheet) return print_error(sheet.error());
  fmt::print("{}", options.json ? print_json(*sheet) : print_aligned(*sheet));
  return 0;
}

// For calls whose result says nothing.
int call(const ClusterOptions& options, const std::string& sql, const std::string& done) {
  const auto sheet = ask(options, sql);
  if (!sheet) return print_error(sheet.error());
  if (options.json)
    fmt::print("{{\"done\": {}}}\n", json_text(done));
  else
    fmt::print("{}\n", done);
  return 0;
}

std::string array_literal(const std::vector<std::string>& values) {
  std::string sql = "ARRAY[";
  for (const std::string& value : values) {
    sql += (sql.back() == '[' ? "" : ", ") + quote_literal(value);
  }
  return sql + "]::text[]";
}

std::string keyspace_argument(const ClusterOptions& options) {
  return options.keyspace.empty() ? "NULL" : quote_literal(options.keyspace);
}

int where(const ClusterOptions& options) {
  return show(options, fmt::format("SELECT * FROM shoal.where({}, {})", quote_literal(options.name),
                                   options.columns.size() == 1 ? quote_literal(options.columns[0])
                                                               : array_literal(options.columns)));
}

int route(const ClusterOptions& options) {
  const auto sheet = ask(options, "EXPLAIN (ROUTE) " + options.text);
  if (!sheet) return print_error(sheet.error());
  if (options.json) {
    fmt::print("{}", print_json(*sheet));
    return 0;
  }
  for (const auto& row : sheet->rows) fmt::print("{}\n", row.empty() ? "" : row[0].value_or(""));
  return 0;
}

int shard_add(const ClusterOptions& options) {
  return call(options,
              fmt::format("SELECT shoal.add_shard({}, {})", quote_literal(options.name),
                          quote_literal(options.dsn)),
              fmt::format("shard {} was added", options.name));
}

int table_shard(const ClusterOptions& options) {
  const std::string columns = options.columns.size() == 1 ? quote_literal(options.columns[0])
                                                          : array_literal(options.columns);
  return call(
      options,
      fmt::format("SELECT shoal.shard_table({}, {}, {}, {})", quote_literal(options.name), columns,
                  keyspace_argument(options), array_literal(options.local_constraints)),
      fmt::format("{} is sharded", options.name));
}

int table_reference(const ClusterOptions& options) {
  return call(options, fmt::format("SELECT shoal.reference_table({})", quote_literal(options.name)),
              fmt::format("{} is a reference table", options.name));
}

int table_single(const ClusterOptions& options) {
  return call(options, fmt::format("SELECT shoal.single_table({})", quote_literal(options.name)),
              fmt::format("{} is a single table", options.name));
}

int keyspace_create(const ClusterOptions& options) {
  return call(options,
              fmt::format("SELECT shoal.create_keyspace({}, {}, {}, {})",
                          quote_literal(options.name), quote_literal(options.function),
                          quote_literal(options.params), array_literal(options.key_types)),
              fmt::format("keyspace {} was created", options.name));
}

int keyspace_pin(const ClusterOptions& options) {
  return call(options,
              fmt::format("SELECT shoal.pin({}, {}, {})", quote_literal(options.name),
                          quote_literal(options.text), quote_literal(options.dsn)),
              fmt::format("key {} of {} is pinned to {}", options.text, options.name, options.dsn));
}

// Adds subcommands that share one ClusterOptions.
class Builder {
 public:
  Builder(std::shared_ptr<ClusterOptions> options, int& status)
      : options_(std::move(options)), status_(&status) {}

  template <class Run>
  CLI::App* command(CLI::App& parent, const char* name, const char* help, Run run) const {
    CLI::App* sub = parent.add_subcommand(name, help);
    sub->add_option("--url", options_->url,
                    "Router to ask (or SHOAL_URL; otherwise the development cluster)");
    sub->add_flag("--json", options_->json, "As JSON");
    sub->callback([options = options_, run, status = status_] { *status = run(*options); });
    return sub;
  }
  CLI::App* list(CLI::App& parent, const char* help, const std::string& sql) const {
    return command(parent, "list", help,
                   [sql](const ClusterOptions& options) { return show(options, sql); });
  }
  ClusterOptions& options() const { return *options_; }

 private:
  std::shared_ptr<ClusterOptions> options_;
  int* status_;
};

void add_shard_commands(CLI::App& app, const Builder& build) {
  CLI::App* shard = app.add_subcommand("shard", "Shards of the cluster");
  shard->require_subcommand(1);
  build.list(*shard, "List shards",
             "SELECT name, home, active, host, port, dbname, slots, pins, notes FROM shoal.shards "
             "ORDER BY name");
  CLI::App* add = build.command(*shard, "add", "Add a PostgreSQL database as a shard", shard_add);
  add->add_option("name", build.options().name, "Name of the shard")->required();
  add->add_option("dsn", build.options().dsn, "Connection string, as the service role")->required();
}

void add_table_commands(CLI::App& app, const Builder& build) {
  CLI::App* table = app.add_subcommand("table", "Tables and how they are placed");
  table->require_subcommand(1);
  build.list(*table, "List tables",
             "SELECT schema_name, table_name, kind, keyspace, key_columns FROM shoal.tables "
             "ORDER BY schema_name, table_name");
  CLI::App* shard = build.command(*table, "shard", "Spread a table over the shards", table_shard);
  shard->add_option("table", build.options().name, "Table")->required();
  shard->add_option("columns", build.options().columns, "Column(s) of the shard key")->required();
  shard->add_option("--keyspace", build.options().keyspace, "Keyspace (default: by column type)");
  shard->add_option("--local-constraint", build.options().local_constraints,
                    "Unique constraint that may hold within each shard only");
  CLI::App* reference =
      build.command(*table, "reference", "Copy a table to every shard", table_reference);
  reference->add_option("table", build.options().name, "Table")->required();
  CLI::App* single =
      build.command(*table, "single", "Bring a table back to the home shard", table_single);
  single->add_option("table", build.options().name, "Table")->required();
}

void add_keyspace_commands(CLI::App& app, const Builder& build) {
  CLI::App* keyspace = app.add_subcommand("keyspace", "Keyspaces: key functions and slot maps");
  keyspace->require_subcommand(1);
  build.list(*keyspace, "List keyspaces",
             "SELECT name, function, params, key_types, slots, tables FROM shoal.keyspaces "
             "ORDER BY name");
  CLI::App* create = build.command(*keyspace, "create", "Create a keyspace", keyspace_create);
  create->add_option("name", build.options().name, "Name")->required();
  create->add_option("--function", build.options().function, "Key function")->capture_default_str();
  create->add_option("--params", build.options().params, "Its parameters, as JSON")
      ->capture_default_str();
  create->add_option("--key-types", build.options().key_types, "SQL types of the key")
      ->delimiter(',')
      ->capture_default_str();
  CLI::App* pin = build.command(*keyspace, "pin", "Place one key on a shard", keyspace_pin);
  pin->add_option("keyspace", build.options().name, "Keyspace")->required();
  pin->add_option("key", build.options().text, "Key")->required();
  pin->add_option("shard", build.options().dsn, "Shard")->required();
}

}  // namespace

void add_cluster_commands(CLI::App& app, int& status) {
  const Builder build(std::make_shared<ClusterOptions>(), status);
  CLI::App* find = build.command(app, "where", "Shard, slot and hash of a key", where);
  find->add_option("table", build.options().name, "Sharded table or keyspace")->required();
  find->add_option("key", build.options().columns, "Value(s) of the shard key")->required();
  CLI::App* explain =
      build.command(app, "route", "Where a statement would run, why, and how it is merged", route);
  explain->add_option("sql", build.options().text, "SQL statement")->required();
  add_shard_commands(app, build);
  add_table_commands(app, build);
  add_keyspace_commands(app, build);
  CLI::App* jobs = app.add_subcommand("jobs", "Moves, migrations and other long work");
  jobs->require_subcommand(1);
  build.list(*jobs, "List jobs",
             "SELECT id, kind, state, subject, progress, detail, begun, changed FROM shoal.jobs "
             "ORDER BY id");
}

}  // namespace shoal::surface
