// Options and output of `shoal dev`.
#include "surface/dev.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "control/pq.h"
#include "surface/dev_cluster.h"
#include "surface/print.h"

namespace shoal::surface {
namespace {

struct DevOptions {
  UpOptions up;
  std::string shard;
  bool destroy = false, json = false, no_fsync = false, superuser = false;
  std::vector<std::string> psql_arguments;
};

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

int up(DevOptions& options) {
  options.up.fsync = !options.no_fsync;
  const auto state = dev_up(options.up, say);
  if (!state) return print_error(state.error());
  std::string names;
  for (const DevShard& shard : state->shards) names += (names.empty() ? "" : ", ") + shard.name;
  say(fmt::format("{} shards ({}) behind {}", state->shards.size(), names, url_of(*state)));
  if (state->http_port != 0) say(fmt::format("dashboard: http://127.0.0.1:{}/", state->http_port));
  return 0;
}

int down(const DevOptions& options) {
  const auto done = dev_down(options.up.dir, options.destroy, say);
  return done ? 0 : print_error(done.error());
}

int status_command(const DevOptions& options) {
  const auto state = read_state(options.up.dir);
  if (!state) return print_error(state.error());
  Sheet sheet{{"name", "state", "port", "pid", "url", "log"}, {}};
  bool all_run = true;
  for (const DevProcess& process : dev_status(*state)) {
    all_run = all_run && process.pid != 0;
    sheet.rows.push_back({process.name, process.pid != 0 ? "running" : "stopped",
                          std::to_string(process.port), std::to_string(process.pid), process.url,
                          process.log});
  }
  fmt::print("{}", options.json ? print_json(sheet) : print_aligned(sheet));
  return all_run ? 0 : 3;
}

// The URL of the router, or of the shard named by --shard.
Result<std::string> chosen_url(const DevOptions& options) {
  const auto state = read_state(options.up.dir);
  if (!state) return state.error();
  if (options.shard.empty()) return url_of(*state);
  const DevShard* shard = state->shard(options.shard);
  if (shard == nullptr) return refuse(Refusal::kUnknownShard, options.shard, "shoal dev status");
  return url_of(*shard, options.superuser ? "postgres" : "app");
}

int url(const DevOptions& options) {
  const auto chosen = chosen_url(options);
  if (!chosen) return print_error(chosen.error());
  say(*chosen);
  return 0;
}

int psql(const DevOptions& options) {
  auto chosen = chosen_url(options);
  if (!chosen) return print_error(chosen.error());
  const auto state = read_state(options.up.dir);
  std::string program = state->bin + "/psql";
  if (!std::filesystem::exists(program)) program = "psql";
  std::vector<std::string> texts{program, *chosen};
  texts.insert(texts.end(), options.psql_arguments.begin(), options.psql_arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  return print_error(make_error("58000", "psql was not found", {}, "install postgresql-client"));
}

int add(const DevOptions& options) {
  const auto server = dev_add_server(options.up.dir, options.shard, say);
  if (!server) return print_error(server.error());
  const auto state = read_state(options.up.dir);
  auto router = control::Pq::connect(
      fmt::format("host=127.0.0.1 port={} user=postgres dbname=app", state->port),
      std::chrono::milliseconds(10'000), "shoal dev add");
  if (!router) return print_error(router.error());
  const std::string dsn =
      fmt::format("host=127.0.0.1 port={} dbname=app user=postgres", server->port);
  const auto known = router->query("SELECT FROM shoal.shards WHERE name = $1", {server->name});
  if (!known) return print_error(known.error());
  if (known->rows.empty()) {
    const auto added = router->query(fmt::format("SELECT shoal.add_shard({}, {})",
                                                 control::quote_literal(server->name),
                                                 control::quote_literal(dsn)));
    if (!added) return print_error(added.error());
  }
  say(fmt::format("shard {} is part of the cluster: {}", server->name, url_of(*server, "app")));
  return 0;
}

}  // namespace

void add_dev_commands(CLI::App& app, int& status) {
  auto options = std::make_shared<DevOptions>();
  options->up.dir = default_dir();
  CLI::App* dev = app.add_subcommand(
      "dev", "A cluster on this machine: PostgreSQL servers and a router on loopback");
  dev->require_subcommand(1);

  const auto command = [&](const char* name, const char* help, auto run) {
    CLI::App* sub = dev->add_subcommand(name, help);
    sub->add_option("--dir", options->up.dir, "Folder of the cluster (or SHOAL_DIR)")
        ->capture_default_str();
    sub->callback([options, run, &status] {
      options->up.dir = std::filesystem::absolute(options->up.dir).lexically_normal().string();
      status = run(*options);
    });
    return sub;
  };
  CLI::App* up_command = command("up", "Start the cluster; create it first if there is none", up);
  up_command->add_option("--shards", options->up.shards, "Number of shards (new: 4)")
      ->check(CLI::PositiveNumber);
  up_command->add_option("--names", options->up.names, "Names of the shards instead of s1, s2, ...")
      ->delimiter(',');
  up_command->add_option("--port", options->up.port, "Port of the router (new: 6432)")
      ->check(CLI::Range(1, 65535));
  up_command->add_option("--pg-bin", options->up.pg_bin, "Folder of PostgreSQL's programs")
      ->check(CLI::ExistingDirectory);
  up_command->add_flag("--no-fsync", options->no_fsync, "Faster, but a crash may lose data");

  command("down", "Stop the cluster", down)
      ->add_flag("--destroy", options->destroy, "Remove its data, too");
  command("status", "List its processes; exit status 3 when one does not run", status_command)
      ->add_flag("--json", options->json, "As JSON");

  CLI::App* url_command = command("url", "Print the connection URL", url);
  CLI::App* psql_command = command("psql", "Open psql; arguments after -- go to it", psql);
  for (CLI::App* sub : {url_command, psql_command}) {
    sub->add_option("--shard", options->shard, "Of this shard directly, past the router");
    sub->add_flag("--superuser", options->superuser, "There as role postgres instead of app");
  }
  psql_command->add_option("arguments", options->psql_arguments, "Arguments of psql");

  command("add", "Start one more server and make it a shard", add)
      ->add_option("name", options->shard, "Name of the new shard")
      ->required();
}

}  // namespace shoal::surface
