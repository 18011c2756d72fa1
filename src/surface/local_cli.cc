// Options and output of the commands of local_cli.h.
#include "surface/local_cli.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "base/refusal.h"
#include "control/init.h"
#include "keys/check.h"
#include "surface/print.h"

namespace shoal::surface {
namespace {

struct LocalOptions {
  std::string catalog, cluster = "app", file;
  std::vector<std::string> shards;
  bool json = false, markdown = false;
};

int init(const LocalOptions& options) {
  std::vector<control::ShardSpec> specs;
  for (const std::string& shard : options.shards) {
    const std::size_t equals = shard.find('=');
    if (equals == std::string::npos || equals == 0) {
      return print_error(make_error("22023", fmt::format("--shard {}: NAME=DSN is needed", shard)));
    }
    specs.push_back({shard.substr(0, equals), shard.substr(equals + 1)});
  }
  const auto done = control::init(options.catalog, options.cluster, specs);
  if (!done) return print_error(done.error());
  fmt::print("cluster {} is ready: start a router with\n  shoal serve --set 'catalog.dsn={}'\n",
             options.cluster, options.catalog);
  return 0;
}

int keys_check(const LocalOptions& options) {
  std::ifstream file;
  if (options.file != "-") {
    file.open(options.file);
    if (!file) return print_error(make_error("58P01", fmt::format("cannot read {}", options.file)));
  }
  const keys::CheckReport report = keys::check_vectors(options.file == "-" ? std::cin : file);
  for (const auto& line : report.failures) fmt::print("FAILED line {}: {}\n", line.line, line.what);
  for (const auto& line : report.refusals)
    fmt::print("refused line {}: {}\n", line.line, line.what);
  if (options.json) {
    fmt::print("{{\"passed\": {}, \"failed\": {}, \"refused\": {}}}\n", report.passed,
               report.failed, report.refused);
  } else {
    fmt::print("{}\n", report.summary());
  }
  return report.failed == 0 ? 0 : 1;
}

int refusals(const LocalOptions& options) {
  if (options.markdown) {
    fmt::print("{}", refusals_markdown());
    return 0;
  }
  Sheet sheet{{"number", "sqlstate", "message", "hint"}, {}};
  for (const RefusalEntry& entry : refusal_table()) {
    sheet.rows.push_back({fmt::format("SH{:04}", static_cast<int>(entry.number)),
                          std::string(entry.sqlstate), std::string(entry.message),
                          std::string(entry.hint)});
  }
  fmt::print("{}", options.json ? print_json(sheet) : print_aligned(sheet));
  return 0;
}

}  // namespace

std::string refusals_markdown() {
  std::string page =
      "# Refusals\n\n"
      "What Shoal will not do, why, and the way out. The number stands at the start of the error's "
      "DETAIL.\nThis page is made by `shoal refusals --markdown`.\n\n"
      "| number | SQLSTATE | what is refused | way out |\n|---|---|---|---|\n";
  for (const RefusalEntry& entry : refusal_table()) {
    page += fmt::format("| SH{:04} | `{}` | {} | {} |\n", static_cast<int>(entry.number),
                        entry.sqlstate, entry.message, entry.hint);
  }
  return page;
}

void add_local_commands(CLI::App& app, int& status) {
  auto options = std::make_shared<LocalOptions>();
  CLI::App* init_command = app.add_subcommand(
      "init", "Make a database the home of a new cluster and register its shards");
  init_command->add_option("--catalog", options->catalog, "Connection string of home, as superuser")
      ->required();
  init_command->add_option("--cluster", options->cluster, "Name of the cluster")
      ->capture_default_str();
  init_command->add_option("--shard", options->shards,
                           "NAME=DSN of a shard; once for each. Without home among them, it is "
                           "registered as \"home\"");
  init_command->callback([options, &status] { status = init(*options); });

  CLI::App* keys = app.add_subcommand("keys", "Key functions");
  keys->require_subcommand(1);
  CLI::App* check = keys->add_subcommand("check", "Compute every record of a vector file");
  check->add_option("file", options->file, "JSON lines; - for standard input")->required();
  check->add_flag("--json", options->json, "Summary as JSON");
  check->callback([options, &status] { status = keys_check(*options); });

  CLI::App* list = app.add_subcommand("refusals", "What Shoal will not do, by number");
  list->add_flag("--markdown", options->markdown, "As the page of the manual");
  list->add_flag("--json", options->json, "As JSON");
  list->callback([options, &status] { status = refusals(*options); });
}

}  // namespace shoal::surface
