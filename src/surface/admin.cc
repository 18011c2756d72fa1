// Commands and rows of the admin console.
#include "surface/admin.h"

#include <cctype>
#include <ctime>

namespace shoal::surface {
namespace {

using Kind = AdminCommand::Kind;
using Cells = std::vector<std::optional<std::string>>;

constexpr std::uint32_t kText = 25, kInt4 = 23, kNumeric = 1700;

struct Word {
  std::string_view text;
  Kind kind;
};
constexpr Word kShow[] = {
    {"help", Kind::kShowHelp},
    {"version", Kind::kShowVersion},
    {"config", Kind::kShowConfig},
    {"databases", Kind::kShowDatabases},
    {"pools", Kind::kShowPools},
    {"clients", Kind::kShowClients},
    {"servers", Kind::kShowServers},
    {"users", Kind::kShowUsers},
    {"lists", Kind::kShowLists},
    {"stats", Kind::kShowStats},
    {"stats_totals", Kind::kShowStatsTotals},
    {"stats_averages", Kind::kShowStatsAverages},
    {"totals", Kind::kShowTotals},
    {"state", Kind::kShowState},
    {"keys", Kind::kShowKeys},
    {"slots", Kind::kShowSlots},
};
constexpr Word kDo[] = {
    {"reload", Kind::kReload},       {"pause", Kind::kPause},       {"resume", Kind::kResume},
    {"reconnect", Kind::kReconnect}, {"shutdown", Kind::kShutdown},
};

// Words in lower case; text in double quotes is one word as it stands.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool open = false, quoted = false;
  for (const char c : text) {
    const bool separator = !quoted && (std::isspace(static_cast<unsigned char>(c)) || c == ';');
    if (separator) {
      open = false;
      continue;
    }
    if (!open) words.emplace_back();
    open = true;
    if (c == '"')
      quoted = !quoted;
    else
      words.back() += quoted ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return words;
}

std::optional<Kind> find(std::span<const Word> table, const std::string& word) {
  for (const Word& entry : table) {
    if (entry.text == word) return entry.kind;
  }
  return std::nullopt;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::optional<std::string> moment(std::int64_t milliseconds) {
  if (milliseconds == 0) return "";
  const std::time_t seconds = milliseconds / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

// "127.0.0.1:5432" -> address and port; a Unix socket has port 0.
std::pair<std::string, std::string> split_address(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || address.starts_with("unix")) return {"unix", "0"};
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

std::string pointer(std::uint64_t id) {
  return id == 0 ? "" : fmt::format("{:#x}", id);
}

// ---- tables -------------------------------------------------------------------------------------

AdminTable pools(const AdminFacts& facts) {
  AdminTable table{{{"database", kText},
                    {"user", kText},
                    {"cl_active", kInt4},
                    {"cl_waiting", kInt4},
                    {"cl_active_cancel_req", kInt4},
                    {"cl_waiting_cancel_req", kInt4},
                    {"sv_active", kInt4},
                    {"sv_active_cancel", kInt4},
                    {"sv_being_canceled", kInt4},
                    {"sv_idle", kInt4},
                    {"sv_used", kInt4},
                    {"sv_tested", kInt4},
                    {"sv_login", kInt4},
                    {"maxwait", kInt4},
                    {"maxwait_us", kInt4},
                    {"pool_mode", kText}},
                   {}};
  for (const PoolFacts& p : facts.pools) {
    table.rows.push_back({p.database, p.user, number(p.clients_active), number(p.clients_waiting),
                          number(p.clients_cancelling), "0", number(p.servers_active), "0",
                          number(p.servers_cancelled), number(p.servers_idle), "0", "0",
                          number(p.servers_login), number(p.longest_wait_us / 1'000'000),
                          number(p.longest_wait_us % 1'000'000), "transaction"});
  }
  return table;
}

AdminTable connections(const std::vector<ConnectionFacts>& all, const char* type) {
  AdminTable table{{{"type", kText},
                    {"user", kText},
                    {"database", kText},
                    {"state", kText},
                    {"addr", kText},
                    {"port", kInt4},
                    {"local_addr", kText},
                    {"local_port", kInt4},
                    {"connect_time", kText},
                    {"request_time", kText},
                    {"wait", kInt4},
                    {"wait_us", kInt4},
                    {"close_needed", kInt4},
                    {"ptr", kText},
                    {"link", kText},
                    {"remote_pid", kInt4},
                    {"tls", kText},
                    {"application_name", kText}},
                   {}};
  for (const ConnectionFacts& c : all) {
    const auto [address, port] = split_address(c.address);
    const auto [local_address, local_port] = split_address(c.local_address);
    table.rows.push_back({type, c.user, c.database, c.state, address, port, local_address,
                          local_port, moment(c.connected_ms), moment(c.request_ms),
                          number(c.wait_us / 1'000'000), number(c.wait_us % 1'000'000),
                          c.close_needed ? "1" : "0", pointer(c.id), pointer(c.linked_id),
                          number(c.remote_pid), c.tls, c.application});
  }
  return table;
}

Cells totals_of(const StatCounters& c) {
  return {number(c.transactions),   number(c.queries),  number(c.bytes_in), number(c.bytes_out),
          number(c.transaction_us), number(c.query_us), number(c.wait_us)};
}

// Rates are per second; times are per transaction and per query.
Cells averages_of(const StatFacts& facts) {
  const StatCounters &a = facts.before, &b = facts.now;
  const auto rate = [&facts](std::int64_t before, std::int64_t now) {
    if (facts.seconds <= 0) return number(0);
    return number(static_cast<std::int64_t>(static_cast<double>(now - before) / facts.seconds));
  };
  const auto each = [](std::int64_t time, std::int64_t count) {
    return number(count > 0 ? time / count : 0);
  };
  return {rate(a.transactions, b.transactions),
          rate(a.queries, b.queries),
          rate(a.bytes_in, b.bytes_in),
          rate(a.bytes_out, b.bytes_out),
          each(b.transaction_us - a.transaction_us, b.transactions - a.transactions),
          each(b.query_us - a.query_us, b.queries - a.queries),
          rate(a.wait_us, b.wait_us)};
}

AdminTable stats(const AdminFacts& facts) {
  AdminTable table{{{"database", kText},
                    {"total_xact_count", kNumeric},
                    {"total_query_count", kNumeric},
                    {"total_received", kNumeric},
                    {"total_sent", kNumeric},
                    {"total_xact_time", kNumeric},
                    {"total_query_time", kNumeric},
                    {"total_wait_time", kNumeric},
                    {"avg_xact_count", kNumeric},
                    {"avg_query_count", kNumeric},
                    {"avg_recv", kNumeric},
                    {"avg_sent", kNumeric},
                    {"avg_xact_time", kNumeric},
                    {"avg_query_time", kNumeric},
                    {"avg_wait_time", kNumeric}},
                   {}};
  for (const StatFacts& s : facts.stats) {
    Cells row{s.database};
    for (const Cells& part : {totals_of(s.now), averages_of(s)}) {
      row.insert(row.end(), part.begin(), part.end());
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

AdminTable stats_part(const AdminFacts& facts, bool averages) {
  AdminTable table{{{"database", kText},
                    {"xact_count", kNumeric},
                    {"query_count", kNumeric},
                    {"bytes_received", kNumeric},
                    {"bytes_sent", kNumeric},
                    {"xact_time", kNumeric},
                    {"query_time", kNumeric},
                    {"wait_time", kNumeric}},
                   {}};
  for (const StatFacts& s : facts.stats) {
    Cells row{s.database};
    const Cells part = averages ? averages_of(s) : totals_of(s.now);
    row.insert(row.end(), part.begin(), part.end());
    table.rows.push_back(std::move(row));
  }
  return table;
}

AdminTable totals(const AdminFacts& facts) {
  StatCounters sum;
  for (const StatFacts& s : facts.stats) sum += s.now;
  AdminTable table{{{"name", kText}, {"value", kNumeric}}, {}};
  constexpr const char* kNames[] = {"total_xact_count", "total_query_count", "total_received",
                                    "total_sent",       "total_xact_time",   "total_query_time",
                                    "total_wait_time"};
  const Cells values = totals_of(sum);
  for (std::size_t i = 0; i < values.size(); ++i) table.rows.push_back({kNames[i], values[i]});
  return table;
}

AdminTable databases(const AdminFacts& facts) {
  AdminTable table{{{"name", kText},
                    {"host", kText},
                    {"port", kInt4},
                    {"database", kText},
                    {"force_user", kText},
                    {"pool_size", kInt4},
                    {"min_pool_size", kInt4},
                    {"reserve_pool", kInt4},
                    {"pool_mode", kText},
                    {"max_connections", kInt4},
                    {"current_connections", kInt4},
                    {"paused", kInt4},
                    {"disabled", kInt4}},
                   {}};
  const auto text = [](const std::string& value) {
    return value.empty() ? std::optional<std::string>() : std::optional(value);
  };
  for (const DatabaseFacts& d : facts.databases) {
    table.rows.push_back({d.name, text(d.host), text(d.port), d.database, std::nullopt,
                          number(d.pool_size), "0", "0", "transaction", number(d.max_connections),
                          number(d.current_connections), d.paused ? "1" : "0",
                          d.disabled ? "1" : "0"});
  }
  return table;
}

AdminTable lists(const AdminFacts& facts) {
  std::int64_t used = 0, idle = 0;
  for (const PoolFacts& p : facts.pools) {
    used += p.servers_active;
    idle += p.servers_idle;
  }
  std::int64_t waiting = 0;
  for (const PoolFacts& p : facts.pools) waiting += p.clients_waiting;
  const auto size = [](const auto& all) { return static_cast<std::int64_t>(all.size()); };
  const std::pair<const char*, std::int64_t> items[] = {
      {"databases", size(facts.databases)},
      {"users", size(facts.users)},
      {"pools", size(facts.pools)},
      {"free_clients", 0},
      {"used_clients", size(facts.clients)},
      {"login_clients", 0},
      {"waiting_clients", waiting},
      {"free_servers", idle},
      {"used_servers", used},
  };
  AdminTable table{{{"list", kText}, {"items", kInt4}}, {}};
  for (const auto& [name, count] : items) table.rows.push_back({name, number(count)});
  return table;
}

AdminTable config(const AdminFacts& facts) {
  AdminTable table{{{"key", kText}, {"value", kText}, {"default", kText}, {"changeable", kText}},
                   {}};
  for (const ConfigFacts& c : facts.config) {
    table.rows.push_back({c.key, c.value, c.default_value, c.changeable ? "yes" : "no"});
  }
  return table;
}

AdminTable hot_keys(const AdminFacts& facts) {
  AdminTable table{{{"keyspace", kText},
                    {"key", kText},
                    {"shard", kText},
                    {"statements", kNumeric},
                    {"error", kNumeric},
                    {"percent", kNumeric}},
                   {}};
  for (const KeyFacts& k : facts.keys) {
    for (const KeyFacts::Key& key : k.top) {
      const double share =
          k.total == 0 ? 0
                       : 100.0 * static_cast<double>(key.statements) / static_cast<double>(k.total);
      table.rows.push_back({k.keyspace, key.key, key.shard, std::to_string(key.statements),
                            std::to_string(key.error), fmt::format("{:.1f}", share)});
    }
  }
  return table;
}

AdminTable slots(const AdminFacts& facts) {
  AdminTable table{{{"keyspace", kText},
                    {"first_slot", kNumeric},
                    {"last_slot", kNumeric},
                    {"shards", kText},
                    {"statements", kNumeric}},
                   {}};
  for (const KeyFacts& k : facts.keys) {
    for (const KeyFacts::Stretch& s : k.stretches) {
      table.rows.push_back({k.keyspace, std::to_string(s.first), std::to_string(s.last), s.shards,
                            std::to_string(s.statements)});
    }
  }
  return table;
}

AdminTable users(const AdminFacts& facts) {
  AdminTable table{{{"name", kText}, {"pool_mode", kText}}, {}};
  for (const std::string& user : facts.users) table.rows.push_back({user, std::nullopt});
  return table;
}

}  // namespace

StatCounters& StatCounters::operator+=(const StatCounters& other) {
  transactions += other.transactions;
  queries += other.queries;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  transaction_us += other.transaction_us;
  query_us += other.query_us;
  wait_us += other.wait_us;
  return *this;
}

Result<AdminCommand> parse_admin_command(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  AdminCommand command;
  const auto unknown = [text] {
    return refuse(Refusal::kAdmin, fmt::format("\"{}\" is no command", text.substr(0, 100)));
  };
  if (words.empty()) return unknown();
  if (words[0] == "show") {
    const auto kind = words.size() == 2 ? find(kShow, words[1]) : std::nullopt;
    if (!kind) return unknown();
    command.kind = *kind;
    return command;
  }
  const auto kind = words.size() <= 2 ? find(kDo, words[0]) : std::nullopt;
  if (!kind) return unknown();
  command.kind = *kind;
  if (words.size() == 1) return command;
  if (command.kind == Kind::kReload) return unknown();
  if (command.kind != Kind::kShutdown) {
    command.database = words[1];
  } else if (words[1] == "wait_for_servers") {
    command.wait = AdminCommand::Wait::kForServers;
  } else if (words[1] == "wait_for_clients") {
    command.wait = AdminCommand::Wait::kForClients;
  } else {
    return unknown();
  }
  return command;
}

bool may_use_admin(const std::string& user, const std::vector<std::string>& admin_users,
                   const std::vector<std::string>& stats_users) {
  return contains(admin_users, user) || contains(stats_users, user);
}

Result<> check_admin_access(const AdminCommand& command, const std::string& user,
                            const std::vector<std::string>& admin_users,
                            const std::vector<std::string>& stats_users) {
  if (contains(admin_users, user)) return {};
  // Keys are data of the users, statistics are not.
  const bool shows = command.kind != Kind::kShowKeys &&
                     (shows_rows(command.kind) || command.kind == Kind::kShowHelp);
  if (shows && contains(stats_users, user)) return {};
  return make_error("42501", "admin access needed", {},
                    "see auth.admin_users and auth.stats_users");
}

bool shows_rows(Kind kind) {
  switch (kind) {
    case Kind::kShowHelp:
    case Kind::kReload:
    case Kind::kPause:
    case Kind::kResume:
    case Kind::kReconnect:
    case Kind::kShutdown:
      return false;
    default:
      return true;
  }
}

std::string_view admin_tag(Kind kind) {
  switch (kind) {
    case Kind::kReload:
      return "RELOAD";
    case Kind::kPause:
      return "PAUSE";
    case Kind::kResume:
      return "RESUME";
    case Kind::kReconnect:
      return "RECONNECT";
    case Kind::kShutdown:
      return "SHUTDOWN";
    default:
      return "SHOW";
  }
}

std::string admin_help() {
  std::string show;
  for (const Word& word : kShow) {
    show += show.empty() ? "\n\tSHOW " : "|";
    for (const char c : word.text) show += static_cast<char>(std::toupper(c));
  }
  return show +
         "\n\tRELOAD\n\tPAUSE [<db>]\n\tRESUME [<db>]\n\tRECONNECT [<db>]"
         "\n\tSHUTDOWN [WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]";
}

AdminTable admin_rows(const AdminCommand& command, const AdminFacts& facts) {
  switch (command.kind) {
    case Kind::kShowVersion:
      return {{{"version", kText}}, {{facts.version}}};
    case Kind::kShowConfig:
      return config(facts);
    case Kind::kShowDatabases:
      return databases(facts);
    case Kind::kShowPools:
      return pools(facts);
    case Kind::kShowClients:
      return connections(facts.clients, "C");
    case Kind::kShowServers:
      return connections(facts.servers, "S");
    case Kind::kShowUsers:
      return users(facts);
    case Kind::kShowLists:
      return lists(facts);
    case Kind::kShowStats:
      return stats(facts);
    case Kind::kShowStatsTotals:
      return stats_part(facts, false);
    case Kind::kShowStatsAverages:
      return stats_part(facts, true);
    case Kind::kShowTotals:
      return totals(facts);
    case Kind::kShowState:
      return {{{"key", kText}, {"value", kText}}, {{"state", facts.state}}};
    case Kind::kShowKeys:
      return hot_keys(facts);
    case Kind::kShowSlots:
      return slots(facts);
    case Kind::kShowHelp:
    case Kind::kReload:
    case Kind::kPause:
    case Kind::kResume:
    case Kind::kReconnect:
    case Kind::kShutdown:
      return {};
  }
  std::abort();
}

}  // namespace shoal::surface
