// The settings table and everything that is made from it.
#include "app/settings.h"

#include <charconv>
#include <fstream>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "control/pq.h"

namespace shoal::app {
namespace {

using std::chrono::milliseconds;

// How a member is reached and what it holds; the unit follows from the type.
template <class T>
using Access = T& (*)(Settings&);
using Member = std::variant<Access<std::string>, Access<std::vector<std::string>>, Access<int>,
                            Access<std::size_t>, Access<milliseconds>>;

enum class Unit : std::uint8_t { kNone, kBytes };

struct Row {
  std::string_view key;
  Member member;
  std::int64_t least, most;  // of numbers (milliseconds for durations)
  std::string_view choices;  // "a | b": the only texts allowed
  bool changeable;           // by RELOAD
  Unit unit;
  std::string_view help;
};

constexpr std::int64_t kMany = 1'000'000'000;
constexpr std::int64_t kHour = 3'600'000;

#define MEMBER(type, path) Member(Access<type>([](Settings& s) -> type& { return s.path; }))
#define TEXT(key, path, choices, changeable, help)                               \
  Row {                                                                          \
    key, MEMBER(std::string, path), 0, 0, choices, changeable, Unit::kNone, help \
  }
#define LIST(key, path, help)                                                      \
  Row {                                                                            \
    key, MEMBER(std::vector<std::string>, path), 0, 0, "", true, Unit::kNone, help \
  }
#define NUMBER(key, type, path, least, most, changeable, help)              \
  Row {                                                                     \
    key, MEMBER(type, path), least, most, "", changeable, Unit::kNone, help \
  }
#define BYTES(key, path, least, help)                                                          \
  Row {                                                                                        \
    key, MEMBER(std::size_t, path), least, std::int64_t{1} << 40, "", true, Unit::kBytes, help \
  }
#define TIME(key, path, least, changeable, help)                                          \
  Row {                                                                                   \
    key, MEMBER(milliseconds, path), least, 24 * kHour, "", changeable, Unit::kNone, help \
  }

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      TEXT("catalog.dsn", catalog, "", false,
           "connection string of the home shard's database, as the service role (required)"),
      TIME("catalog.poll", catalog_poll, 10, false,
           "how often to look for a new epoch beside LISTEN"),
      TEXT("router_name", router_name, "", false,
           "name of this router in the catalog; empty: host name and port"),
      TEXT("listen.host", listen_host, "", false, "address to listen on; * for all"),
      NUMBER("listen.port", int, listen_port, 1, 65535, false, "port for PostgreSQL clients"),
      TEXT("listen.unix_dir", listen_unix_dir, "", false,
           "directory of a Unix socket .s.PGSQL.<port>; empty: none"),
      TEXT("listen.database", listen_database, "", false,
           "database name that clients connect to; empty: that of the home shard"),
      NUMBER("threads", int, threads, 0, 1024, false, "event loops; 0: one per CPU"),
      TEXT("http.host", http_host, "", false, "address of dashboard, metrics and health checks"),
      NUMBER("http.port", int, http_port, 0, 65535, false, "port of the same; 0: off"),
      TEXT("auth.method", auth_method, "scram-sha-256 | password | trust", false,
           "how clients prove who they are; trust is for development on loopback only"),
      LIST("auth.admin_users", admin_users, "roles that may use the whole admin console"),
      LIST("auth.stats_users", stats_users, "roles that may use its SHOW commands"),
      TEXT("client_tls.mode", client_tls, "disable | allow | require", false,
           "TLS towards clients; allow needs a certificate to offer it"),
      TEXT("client_tls.certificate", client_tls_certificate, "", false, "PEM file of the chain"),
      TEXT("client_tls.key", client_tls_key, "", false, "PEM file of the private key"),
      TEXT("server_tls.mode", server_tls, "disable | allow | require | verify-full", false,
           "TLS towards shards"),
      TEXT("server_tls.ca", server_tls_ca, "", false, "PEM file of the authorities to trust"),
      TEXT("fanout", fanout, "allow | warn | deny", true,
           "default of shoal.fanout: statements over several shards"),
      TEXT("log.level", log_level, "debug | info | warning | error", false, "least level to log"),
      TEXT("log.file", log_file, "", false, "log file; empty: standard error"),
      TIME("shutdown_timeout", shutdown_timeout, 0, true,
           "how long SIGTERM waits for transactions to end"),
      TIME("recovery.interval", recovery_interval, 0, false,
           "how often to look for prepared transactions left behind; 0: never"),
      NUMBER("limits.clients", std::size_t, limits.clients, 1, kMany, true,
             "client connections; more are refused (SH0607)"),
      NUMBER("limits.server_connections", std::size_t, limits.server_connections, 1, 100'000, false,
             "connections per shard and router; then clients wait"),
      TIME("limits.pool_wait", limits.pool_wait, 1, false, "wait for a server connection (SH0608)"),
      TIME("limits.connect_timeout", limits.connect_timeout, 1, false, "connecting to a shard"),
      TIME("limits.login_timeout", limits.login_timeout, 1, true, "a client's login"),
      BYTES("limits.statement_bytes", limits.statement_bytes, 1024,
            "longest statement that is analysed (SH0601)"),
      NUMBER("limits.sql_depth", int, limits.sql_depth, 10, 10'000, true,
             "deepest nesting of a statement (SH0602)"),
      BYTES("limits.message_bytes", limits.message_bytes, 16'384, "longest protocol message"),
      BYTES("limits.pipeline_bytes", limits.pipeline_bytes, 16'384,
            "bytes between two Syncs (SH0609)"),
      NUMBER("limits.statements_per_session", std::size_t, limits.statements_per_session, 1, kMany,
             true, "named prepared statements of one session (SH0610)"),
      BYTES("limits.pull_bytes", limits.pull_bytes, 1024,
            "bytes one statement may gather (SH0603)"),
      NUMBER("limits.pull_rows", std::size_t, limits.pull_rows, 1, std::int64_t{1} << 50, true,
             "rows one statement may gather (SH0604)"),
      TIME("limits.pull_time", limits.pull_time, 1, true, "time one statement may gather (SH0605)"),
      BYTES("limits.portal_bytes", limits.portal_bytes, 1024,
            "rows held for a row-limited portal over shards (SH0606)"),
      BYTES("limits.group_bytes", limits.group_bytes, 1024,
            "partial groups combined in the router (SH0611)"),
      BYTES("limits.merge_buffer_bytes", limits.merge_buffer_bytes, 1024,
            "rows buffered per shard and statement; then the shard waits"),
      NUMBER("limits.plan_cache_entries", std::size_t, limits.plan_cache_entries, 0, kMany, false,
             "cached plans per thread"),
  };
  return rows;
}

Error config_error(std::string_view key, std::string why) {
  return make_error("F0000", fmt::format("setting {}: {}", key, why));
}

const Row* find(std::string_view key) {
  for (const Row& row : table()) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

// The known key that a mistyped one most likely meant: the one with the longest common beginning.
std::string suggestion(std::string_view key) {
  std::string_view best;
  std::size_t length = 2;
  for (const Row& row : table()) {
    const auto [a, b] = std::mismatch(key.begin(), key.end(), row.key.begin(), row.key.end());
    const auto common = static_cast<std::size_t>(a - key.begin());
    if (common > length) {
      length = common;
      best = row.key;
    }
  }
  return best.empty() ? "" : fmt::format("; did you mean {}?", best);
}

Error unknown_key(std::string_view key) {
  return config_error(key, "there is no such setting" + suggestion(key));
}

// ---- values from text and back ------------------------------------------------------------------

struct UnitName {
  std::string_view name;
  std::int64_t factor;
};
constexpr UnitName kTimeUnits[] = {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", kHour}};
constexpr UnitName kByteUnits[] = {{"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}};

// "30s", "4MB", "12": a whole number with one of the units, or none.
std::optional<std::int64_t> parse_number(std::string_view text, std::span<const UnitName> units) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
  if (rest.empty()) return value;
  for (const UnitName& unit : units) {
    std::int64_t product = 0;
    if (rest == unit.name && !__builtin_mul_overflow(value, unit.factor, &product)) return product;
  }
  return std::nullopt;
}

std::string print_number(std::int64_t value, std::span<const UnitName> units,
                         std::string_view base) {
  for (std::size_t i = units.size(); i-- > 0;) {
    if (value != 0 && value % units[i].factor == 0) {
      return fmt::format("{}{}", value / units[i].factor, units[i].name);
    }
  }
  return fmt::format("{}{}", value, base);
}

std::span<const UnitName> units_of(const Row& row) {
  if (std::holds_alternative<Access<milliseconds>>(row.member)) return kTimeUnits;
  if (row.unit == Unit::kBytes) return kByteUnits;
  return {};
}

std::string print_value(const Row& row, std::int64_t value) {
  return print_number(value, units_of(row), "");
}

std::string range_of(const Row& row) {
  if (!row.choices.empty()) return std::string(row.choices);
  if (row.most == 0) return {};
  return print_value(row, row.least) + " .. " + print_value(row, row.most);
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find(" | "), choices.size());
    if (choices.substr(0, bar) == text) return true;
    choices.remove_prefix(std::min(bar + 3, choices.size()));
  }
  return false;
}

struct Assign {
  Settings& settings;
  const Row& row;
  std::string_view text;

  Result<> operator()(Access<std::string> access) const {
    if (!row.choices.empty() && !is_choice(row.choices, text)) return wrong();
    access(settings) = text;
    return {};
  }
  Result<> operator()(Access<std::vector<std::string>> access) const {
    access(settings) = split(text);
    return {};
  }
  Result<> operator()(Access<milliseconds> access) const {
    return number([&](std::int64_t value) { access(settings) = milliseconds(value); });
  }
  template <class T>
  Result<> operator()(Access<T> access) const {
    return number([&](std::int64_t value) { access(settings) = static_cast<T>(value); });
  }

 private:
  template <class Store>
  Result<> number(Store store) const {
    const auto value = parse_number(text, units_of(row));
    if (!value || *value < row.least || *value > row.most) return wrong();
    store(*value);
    return {};
  }
  Error wrong() const {
    std::string hint = range_of(row);
    if (!units_of(row).empty()) {
      hint += ", with a unit:";
      for (const UnitName& unit : units_of(row)) hint += fmt::format(" {}", unit.name);
    }
    return config_error(row.key, fmt::format("\"{}\" is not possible; {}", text, hint));
  }
};

struct Print {
  const Settings& settings;
  const Row& row;

  std::string operator()(Access<std::string> access) const { return access(mutable_settings()); }
  std::string operator()(Access<std::vector<std::string>> access) const {
    std::string out;
    for (const std::string& part : access(mutable_settings())) {
      out += (out.empty() ? "" : ", ") + part;
    }
    return out;
  }
  std::string operator()(Access<milliseconds> access) const {
    return print_value(row, access(mutable_settings()).count());
  }
  template <class T>
  std::string operator()(Access<T> access) const {
    return print_value(row, static_cast<std::int64_t>(access(mutable_settings())));
  }

 private:
  // The accessors serve reading and writing; only Assign writes.
  Settings& mutable_settings() const { return const_cast<Settings&>(settings); }
};

std::string print(const Settings& settings, const Row& row) {
  return std::visit(Print{settings, row}, row.member);
}

// ---- TOML ---------------------------------------------------------------------------------------

std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  const toml::array* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::string out;
  for (const toml::node& element : *list) {
    const auto* text = element.as_string();
    if (text == nullptr) return std::nullopt;
    out += (out.empty() ? "" : ",") + text->get();
  }
  return out;
}

Result<> read_table(Settings& settings, const toml::table& from, const std::string& prefix,
                    const std::string& source) {
  for (const auto& [name, node] : from) {
    const std::string key = prefix + std::string(name.str());
    const auto located = [&](Error e) {
      e.message = fmt::format("{}:{}: {}", source, node.source().begin.line, e.message);
      return e;
    };
    const Row* row = find(key);
    if (const toml::table* inner = row == nullptr ? node.as_table() : nullptr) {
      SHOAL_TRY(read_table(settings, *inner, key + ".", source));
      continue;
    }
    if (row == nullptr) return located(unknown_key(key));
    const auto text = text_of(node);
    if (!text) return located(config_error(key, "a text, a number or a list of texts is needed"));
    if (auto done = set_setting(settings, key, *text); !done) return located(done.error());
  }
  return {};
}

}  // namespace

Result<> set_setting(Settings& settings, std::string_view key, std::string_view value) {
  const Row* row = find(key);
  if (row == nullptr) return unknown_key(key);
  return std::visit(Assign{settings, *row, value}, row->member);
}

Result<Settings> parse_settings(std::string_view text, const std::string& source) {
  toml::parse_result parsed = toml::parse(text, source);
  if (!parsed) {
    return make_error("F0000", fmt::format("{}:{}: {}", source, parsed.error().source().begin.line,
                                           parsed.error().description()));
  }
  Settings settings;
  settings.config_file = source;
  SHOAL_TRY(read_table(settings, parsed.table(), "", source));
  return settings;
}

Result<Settings> read_settings(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return make_error("F0000", fmt::format("cannot read the configuration file {}", path));
  return parse_settings(text.str(), path);
}

Result<Settings> load_settings(const std::string& path, const std::vector<std::string>& overrides) {
  auto settings = path.empty() ? Result<Settings>(Settings()) : read_settings(path);
  if (!settings) return settings;
  for (const std::string& text : overrides) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return config_error(text, "key=value is needed");
    SHOAL_TRY(set_setting(*settings, text.substr(0, equals), text.substr(equals + 1)));
  }
  settings->overrides = overrides;
  if (!settings->catalog.empty()) return settings;
  Error e = config_error("catalog.dsn", "it is missing");
  e.hint = "name home's database in the configuration file or with --set catalog.dsn=...";
  return e;
}

std::vector<std::string> reload_settings(Settings& running, const Settings& fresh) {
  std::vector<std::string> need_restart;
  for (const Row& row : table()) {
    const std::string value = print(fresh, row);
    if (value == print(running, row)) continue;
    if (row.changeable)
      std::visit(Assign{running, row, value}, row.member).value();
    else
      need_restart.emplace_back(row.key);
  }
  return need_restart;
}

namespace {

// The DSN may hold a password, which nobody needs to see again.
std::string shown(const Settings& settings, const Row& row) {
  std::string value = print(settings, row);
  if (row.key != "catalog.dsn" || value.empty()) return value;
  const auto dsn = control::parse_dsn(value);
  if (dsn && dsn->password.empty()) return value;
  if (!dsn || value.find(dsn->password) == std::string::npos) return "(hidden)";
  return value.replace(value.find(dsn->password), dsn->password.size(), "********");
}

}  // namespace

std::vector<SettingLine> show_settings(const Settings& settings) {
  const Settings defaults;
  std::vector<SettingLine> lines;
  for (const Row& row : table()) {
    lines.push_back({std::string(row.key), shown(settings, row), print(defaults, row),
                     row.changeable, std::string(row.help), range_of(row)});
  }
  return lines;
}

std::string settings_template() {
  std::string out = "# Shoal: settings of one router, all at their defaults.\n";
  std::string section;
  // TOML wants the keys without a section first.
  for (const bool top_level : {true, false}) {
    for (const SettingLine& line : show_settings({})) {
      const std::size_t dot = line.key.rfind('.');
      if ((dot == std::string::npos) != top_level) continue;
      if (!top_level && line.key.substr(0, dot) != section) {
        section = line.key.substr(0, dot);
        out += fmt::format("\n[{}]\n", section);
      }
      out += fmt::format("# {}{}{}\n# {} = \"{}\"\n", line.help, line.range.empty() ? "" : ": ",
                         line.range, top_level ? line.key : line.key.substr(dot + 1),
                         line.default_value);
    }
  }
  return out;
}

std::string settings_markdown() {
  std::string out = "| setting | default | values | by RELOAD | meaning |\n|---|---|---|---|---|\n";
  for (const SettingLine& line : show_settings({})) {
    std::string range = line.range;
    for (std::size_t at = 0; (at = range.find('|', at)) != std::string::npos; at += 2) {
      range.insert(at, 1, '\\');
    }
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", line.key,
                       line.default_value.empty() ? "" : "`" + line.default_value + "`", range,
                       line.changeable ? "yes" : "no", line.help);
  }
  return out;
}

}  // namespace shoal::app
