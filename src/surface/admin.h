// The admin console (virtual database `shoal`) as pure functions: a command's text -> what it asks;
// facts that the caller collected from the cores -> rows. Words, columns and their types are
// PgBouncer's where the same thing exists, so that its exporters and habits work; a shard stands
// where PgBouncer has a database, and the cluster's own database has a row of its own.
// Thread rule: pure functions over values.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shoal::surface {

struct AdminCommand {
  enum class Kind : std::uint8_t {
    kShowHelp,
    kShowVersion,
    kShowConfig,
    kShowDatabases,
    kShowPools,
    kShowClients,
    kShowServers,
    kShowUsers,
    kShowLists,
    kShowStats,
    kShowStatsTotals,
    kShowStatsAverages,
    kShowTotals,
    kShowState,
    kShowKeys,   // the most frequent keys of each keyspace
    kShowSlots,  // statements for each stretch of slots
    kReload,     // read the configuration file again
    kPause,      // let running transactions end, then hold new ones
    kResume,
    kReconnect,  // close server connections as they become free
    kShutdown,   // end the router
  };
  Kind kind = Kind::kShowHelp;
  std::string database;  // of PAUSE, RESUME, RECONNECT: a shard or the cluster's; empty: all
  enum class Wait : std::uint8_t {
    kNone,
    kForServers,
    kForClients
  } wait = Wait::kNone;  // SHUTDOWN
};

// One statement, with or without semicolon, in any case. SH0801 for what is not a command.
Result<AdminCommand> parse_admin_command(std::string_view text);

// Who may: admin users everything, stats users SHOW, others nothing (42501).
Result<> check_admin_access(const AdminCommand& command, const std::string& user,
                            const std::vector<std::string>& admin_users,
                            const std::vector<std::string>& stats_users);
// Whether the user may connect to the console at all.
bool may_use_admin(const std::string& user, const std::vector<std::string>& admin_users,
                   const std::vector<std::string>& stats_users);

bool shows_rows(AdminCommand::Kind kind);
std::string_view admin_tag(AdminCommand::Kind kind);  // "SHOW", "PAUSE", ...
std::string admin_help();                             // DETAIL of SHOW HELP's notice

// ---- facts --------------------------------------------------------------------------------------

struct PoolFacts {
  std::string database, user;  // shard (or the cluster's database) and role
  std::int64_t clients_active = 0, clients_waiting = 0, clients_cancelling = 0;
  std::int64_t servers_active = 0, servers_idle = 0, servers_login = 0, servers_cancelled = 0;
  std::int64_t longest_wait_us = 0;
};

struct ConnectionFacts {
  std::string user, database, state, application;
  std::string address, local_address;             // "127.0.0.1:54321", "unix:..." or "[::1]:54321"
  std::int64_t connected_ms = 0, request_ms = 0;  // since 1970; 0: unknown
  std::int64_t wait_us = 0;                       // a client that waits for a server
  bool close_needed = false;
  std::uint64_t id = 0, linked_id = 0;  // shown as ptr and link; 0: none
  std::int32_t remote_pid = 0;
  std::string tls;
};

struct StatCounters {
  std::int64_t transactions = 0, queries = 0, bytes_in = 0, bytes_out = 0;
  std::int64_t transaction_us = 0, query_us = 0, wait_us = 0;
  StatCounters& operator+=(const StatCounters& other);
};
// How statements were run.
struct RouteCounters {
  std::int64_t one_shard = 0, several_shards = 0, pulled = 0, refused = 0;
};
struct StatFacts {
  std::string database;
  StatCounters now, before;  // `before`: as they were `seconds` ago
  double seconds = 0;        // 0: no averages yet
};

struct DatabaseFacts {
  std::string name, host, port, database;
  std::int64_t pool_size = 0, max_connections = 0, current_connections = 0;
  bool paused = false, disabled = false;
};

struct ConfigFacts {
  std::string key, value, default_value;
  bool changeable = false;
};

// Statements of one key, as obs/key_load.h has sampled them on all cores.
struct KeyFacts {
  std::string keyspace;
  std::uint32_t slots = 0;
  std::uint64_t total = 0;
  struct Key {
    std::string key, shard;
    std::uint64_t statements = 0, error = 0;
  };
  std::vector<Key> top;
  struct Stretch {
    std::uint32_t first = 0, last = 0;
    std::string shards;  // owners, joined by commas
    std::uint64_t statements = 0;
  };
  std::vector<Stretch> stretches;
};

struct AdminFacts {
  std::string version;           // "Shoal 0.1.0"
  std::string state = "active";  // active | paused | shutting_down
  std::vector<PoolFacts> pools;
  std::vector<ConnectionFacts> clients, servers;
  std::vector<StatFacts> stats;
  std::vector<DatabaseFacts> databases;
  std::vector<ConfigFacts> config;
  std::vector<KeyFacts> keys;
  std::vector<std::string> users;
  RouteCounters routes;
  std::int64_t epoch = 0;
};

// ---- rows ---------------------------------------------------------------------------------------

struct AdminColumn {
  std::string_view name;   // static storage
  std::uint32_t type = 0;  // pg_type oid
};
struct AdminTable {
  std::vector<AdminColumn> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

// The rows of a SHOW command; empty for the others and for SHOW HELP.
AdminTable admin_rows(const AdminCommand& command, const AdminFacts& facts);

}  // namespace shoal::surface
