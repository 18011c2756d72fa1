// The program `shoal`: names every command and hands over to the room that has it.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "app/serve.h"
#include "app/settings.h"
#include "surface/adopt_cli.h"
#include "surface/audit_cli.h"
#include "surface/cluster_cli.h"
#include "surface/dev.h"
#include "surface/local_cli.h"
#include "surface/print.h"

namespace shoal::app {
namespace {

struct ServeOptions {
  std::string config;
  std::vector<std::string> set;
  bool check = false;
};

int run_serve(const ServeOptions& options) {
  const auto settings = load_settings(options.config, options.set);
  if (!settings) return surface::print_error(settings.error());
  if (!options.check) return serve(*settings);
  for (const SettingLine& line : show_settings(*settings)) {
    fmt::print("{} = {}\n", line.key, line.value);
  }
  return 0;
}

void add_serve_command(CLI::App& app, int& status) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* serve_command = app.add_subcommand("serve", "Run a router");
  serve_command->add_option("-c,--config", options->config, "Configuration file (TOML)");
  serve_command->add_option("--set", options->set, "key=value over the file; may be repeated");
  serve_command->add_flag("--check", options->check, "Only print the settings in effect");
  serve_command->footer("All settings: shoal settings");
  serve_command->callback([options, &status] { status = run_serve(*options); });
}

void add_settings_command(CLI::App& app, int& status) {
  auto as_template = std::make_shared<bool>(false), markdown = std::make_shared<bool>(false),
       json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("settings", "List the settings of a router");
  command->add_flag("--template", *as_template, "As a commented configuration file");
  command->add_flag("--markdown", *markdown, "As the table of the manual");
  command->add_flag("--json", *json, "As JSON");
  command->callback([as_template, markdown, json, &status] {
    surface::Sheet sheet{{"setting", "default", "values", "by RELOAD", "meaning"}, {}};
    for (const SettingLine& line : show_settings({})) {
      sheet.rows.push_back(
          {line.key, line.default_value, line.range, line.changeable ? "yes" : "no", line.help});
    }
    fmt::print("{}", *as_template ? settings_template()
                     : *markdown  ? settings_markdown()
                     : *json      ? surface::print_json(sheet)
                                  : surface::print_aligned(sheet));
    status = 0;
  });
}

int run(int argc, char** argv) {
  int status = 0;
  CLI::App app("Shoal makes many plain PostgreSQL servers one database.", "shoal");
  app.set_version_flag("--version", "shoal " SHOAL_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  add_serve_command(app, status);
  surface::add_dev_commands(app, status);
  surface::add_local_commands(app, status);
  surface::add_cluster_commands(app, status);
  surface::add_adopt_command(app, status);
  surface::add_audit_command(app, status);
  add_settings_command(app, status);
  app.footer("Help of one command: shoal COMMAND --help");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  return status;
}

}  // namespace
}  // namespace shoal::app

int main(int argc, char** argv) {
  return shoal::app::run(argc, argv);
}
