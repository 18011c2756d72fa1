// Options, SQL and output of the commands of cluster_cli.h.
#include "surface/cluster_cli.h"

#include <CLI/CLI.hpp>

#include "control/pq.h"
#include "surface/ask.h"
#include "surface/keyspace_cli.h"

namespace shoal::surface {
namespace {

using control::quote_literal;

struct ClusterOptions {
  std::string url;
  bool json = false;
  // Arguments of whichever command runs.
  std::string name, text, dsn, keyspace, shard, low, high, function = "postgres", params = "{}";
  std::vector<std::string> columns, key_types{"bigint"}, local_constraints;
};

Result<Sheet> ask(const ClusterOptions& options, const std::string& sql) {
  return ask_router(options.url, sql);
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
                          quote_literal(options.text), quote_literal(options.shard)),
              fmt::format("the key is pinned to {}", options.shard));
}

int keyspace_unpin(const ClusterOptions& options) {
  return call(options,
              fmt::format("SELECT shoal.unpin({}, {})", quote_literal(options.name),
                          quote_literal(options.text)),
              "the key is back on its slot's shard");
}

int keyspace_rule(const ClusterOptions& options) {
  const auto nullable = [](const std::string& text) {
    return text.empty() ? std::string("NULL") : quote_literal(text);
  };
  return show(options,
              fmt::format("SELECT shoal.placement_rule({}, {}, {}, {}, {})",
                          quote_literal(options.name), quote_literal(options.text),
                          options.columns.empty() ? "NULL" : array_literal(options.columns),
                          nullable(options.low), nullable(options.high)));
}

int shard_tag(const ClusterOptions& options) {
  return call(options,
              fmt::format("SELECT shoal.set_tags({}, {})", quote_literal(options.name),
                          array_literal(options.columns)),
              fmt::format("the tags of {} are set", options.name));
}

int balance(const ClusterOptions& options) {
  const auto measured = ask(options, "SELECT shoal.measure()");
  if (!measured) return print_error(measured.error());
  return show(options,
              "SELECT keyspace, shard, slots, pins, rows, pg_size_pretty(bytes) AS size, percent"
              " FROM shoal.balance ORDER BY keyspace, shard");
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
  int& status() const { return *status_; }

 private:
  std::shared_ptr<ClusterOptions> options_;
  int* status_;
};

void add_tag_command(CLI::App& shard, const Builder& build) {
  CLI::App* tag = build.command(shard, "tag", "Set a shard's tags, such as its region", shard_tag);
  tag->add_option("name", build.options().name, "Shard")->required();
  tag->add_option("tags", build.options().columns, "Tags, in place of those it has");
}

void add_shard_commands(CLI::App& app, const Builder& build) {
  CLI::App* shard = app.add_subcommand("shard", "Shards of the cluster");
  shard->require_subcommand(1);
  build.list(*shard, "List shards",
             "SELECT name, home, active, host, port, dbname, slots, pins, tags, notes "
             "FROM shoal.shards "
             "ORDER BY name");
  CLI::App* add = build.command(*shard, "add", "Add a PostgreSQL database as a shard", shard_add);
  add->add_option("name", build.options().name, "Name of the shard")->required();
  add->add_option("dsn", build.options().dsn, "Connection string, as the service role")->required();
  add_tag_command(*shard, build);
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
  add_keyspace_show_and_test(*keyspace, build.status());
  CLI::App* pin = build.command(*keyspace, "pin", "Place one key on a shard", keyspace_pin);
  pin->add_option("keyspace", build.options().name, "Keyspace or one of its tables")->required();
  pin->add_option("key", build.options().text, "Key; of several columns: {a,b}")->required();
  pin->add_option("shard", build.options().shard, "Shard")->required();
  CLI::App* unpin =
      build.command(*keyspace, "unpin", "Send a pinned key back to its slot", keyspace_unpin);
  unpin->add_option("keyspace", build.options().name, "Keyspace or one of its tables")->required();
  unpin->add_option("key", build.options().text, "Key; of several columns: {a,b}")->required();
  CLI::App* rule = build.command(*keyspace, "rule", "Keep keys on shards with a tag; prints its id",
                                 keyspace_rule);
  rule->add_option("keyspace", build.options().name, "Keyspace")->required();
  rule->add_option("tag", build.options().text, "Tag, as given by shoal shard tag")->required();
  rule->add_option("keys", build.options().columns, "Keys (default: the whole keyspace)");
  rule->add_option("--low", build.options().low, "Instead of keys: all from this one on");
  rule->add_option("--high", build.options().high, "... up to this one, included");
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
  build.command(app, "balance", "Measure rows and bytes of keyspaces on each shard", balance);
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
