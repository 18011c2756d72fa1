// The settings of one process: what `shoal serve` needs to start. Everything about the cluster
// itself lives in the catalog. One table (settings.cc) gives the parser, bounds, SHOW CONFIG,
// `shoal serve --help`, `shoal config --template` and the manual; a key that is not in it is an
// error. Defaults are the member initialisers below, nowhere else.
// Thread rule: plain values.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace shoal::app {

struct Settings {
  // Where it was read from: a file (empty: none) and key=value from the command line. Not settings
  // themselves; a reload reads both again.
  std::string config_file;
  std::vector<std::string> overrides;

  std::string catalog;  // DSN of home's database, as the service role
  std::string router_name;

  std::string listen_host = "127.0.0.1";
  int listen_port = 6432;
  std::string listen_unix_dir;
  std::string listen_database;  // the name clients connect to; empty: home's
  int threads = 0;              // 0: one per CPU

  std::string http_host = "127.0.0.1";
  int http_port = 6480;  // 0: no HTTP

  std::string auth_method = "scram-sha-256";
  std::vector<std::string> admin_users{"postgres"};
  std::vector<std::string> stats_users;

  std::string client_tls = "allow";
  std::string client_tls_certificate, client_tls_key;
  std::string server_tls = "allow";
  std::string server_tls_ca;

  std::string fanout = "allow";

  std::string log_level = "info";
  std::string log_file;  // empty: standard error

  std::chrono::milliseconds shutdown_timeout{30'000};
  std::chrono::milliseconds catalog_poll{250};
  std::chrono::milliseconds recovery_interval{5'000};

  Limits limits;
};

// Reads a TOML file's text over the defaults. `source` names it in errors, which say key, line and
// what would be right. F0000 (config_file_error) for all of them.
Result<Settings> parse_settings(std::string_view toml, const std::string& source);
Result<Settings> read_settings(const std::string& path);
// The file, if one is named, with "key=value" texts over it. Fails when the catalog is not named.
Result<Settings> load_settings(const std::string& path, const std::vector<std::string>& overrides);
// One `key = value` as on the command line: `listen.port=7000`, `limits.pool_wait=5s`.
Result<> set_setting(Settings& settings, std::string_view key, std::string_view value);
// Those that need no restart are taken over from `fresh`; returns the keys of changed ones that do.
std::vector<std::string> reload_settings(Settings& running, const Settings& fresh);

// One row of SHOW CONFIG.
struct SettingLine {
  std::string key, value, default_value;
  bool changeable;  // by RELOAD
  std::string help;
  std::string range;  // "1 .. 65535", "disable | allow | require", or empty
};
std::vector<SettingLine> show_settings(const Settings& settings);

// A commented TOML file with every key at its default; a Markdown table for the manual.
std::string settings_template();
std::string settings_markdown();

}  // namespace shoal::app
