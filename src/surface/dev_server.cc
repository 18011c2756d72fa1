// initdb, pg_ctl and the first statements.
#include "surface/dev_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>

#include "control/pq.h"
#include "surface/process.h"

namespace shoal::surface {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kConnectTimeout{10'000};

Command pg_command(const DevState& state, std::string program, std::vector<std::string> arguments) {
  Command command;
  command.argv = {state.bin + "/" + program};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.user = state.user;
  command.directory = state.data;
  command.output = state.dir + "/servers.log";
  return command;
}

// Starts all commands, then waits for all; the first failure comes back.
Result<> run_together(const std::vector<Command>& commands) {
  std::vector<std::pair<pid_t, const Command*>> children;
  Result<> outcome;
  for (const Command& command : commands) {
    const auto child = start(command);
    if (child)
      children.emplace_back(*child, &command);
    else
      outcome = child.error();
  }
  for (const auto& [child, command] : children) {
    if (auto done = wait_for(child, *command); !done && outcome) outcome = std::move(done);
  }
  return outcome;
}

bool has_data(const DevState& state, const DevShard& shard) {
  return fs::exists(state.data_of(shard) + "/PG_VERSION");
}

std::string server_settings(const DevShard& shard, bool fsync) {
  return fmt::format(
      "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
      "cluster_name = '{}'\nmax_connections = 300\nmax_prepared_transactions = 200\n"
      "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\n"
      "shared_buffers = 64MB\nmax_wal_size = 512MB\nfsync = {}\njit = off\n"
      "timezone = 'UTC'\nlog_timezone = 'UTC'\nlog_line_prefix = '%m [%p] %q%u@%d %a '\n",
      shard.port, shard.name, fsync ? "on" : "off");
}

// The settings are a file of their own, so that a new port rewrites nothing of the user's.
Result<> write_server_settings(const DevState& state, const DevShard& shard, bool fsync,
                               bool include) {
  const std::string folder = state.data_of(shard);
  std::ofstream own(folder + "/shoal.conf", std::ios::trunc);
  own << server_settings(shard, fsync);
  own.close();
  if (include) {
    std::ofstream main(folder + "/postgresql.conf", std::ios::app);
    main << "\ninclude 'shoal.conf'\n";
    main.close();
    if (!main) return make_error("58000", fmt::format("cannot write to {}", folder));
  }
  if (!own) return make_error("58000", fmt::format("cannot write to {}", folder));
  return {};
}

Result<> create(DevState& state, bool fsync, const Progress& progress) {
  std::vector<Command> commands;
  std::vector<const DevShard*> fresh;
  for (const DevShard& shard : state.shards) {
    if (has_data(state, shard)) continue;
    progress(fmt::format("{}: creating a PostgreSQL server", shard.name));
    fresh.push_back(&shard);
    commands.push_back(pg_command(state, "initdb",
                                  {"-D", state.data_of(shard), "-U", "postgres", "-A", "trust",
                                   "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"}));
  }
  SHOAL_TRY(run_together(commands));
  for (const DevShard* shard : fresh) {
    SHOAL_TRY(write_server_settings(state, *shard, fsync, true));
  }
  return {};
}

// Several sessions of several clusters look for ports at once; PostgreSQL itself finds out last.
void choose_ports(DevState& state) {
  std::vector<int> taken{state.port, state.http_port};
  for (const DevShard& shard : state.shards) {
    if (server_pid(state, shard) != 0) taken.push_back(shard.port);
  }
  for (DevShard& shard : state.shards) {
    if (server_pid(state, shard) != 0) continue;
    shard.port = free_port(shard.port, taken);
    taken.push_back(shard.port);
  }
}

Result<> make_app_database(const DevShard& shard) {
  const std::string dsn =
      fmt::format("host=127.0.0.1 port={} user=postgres dbname=postgres", shard.port);
  auto server = control::Pq::connect(dsn, kConnectTimeout);
  if (!server) return std::move(server).error();
  const auto exists = [&server](const std::string& sql) -> Result<bool> {
    auto rows = server->query(sql);
    if (!rows) return std::move(rows).error();
    return !rows->rows.empty();
  };
  const auto role = exists("SELECT FROM pg_roles WHERE rolname = 'app'");
  if (!role) return role.error();
  if (!*role) SHOAL_TRY(server->query("CREATE ROLE app LOGIN CREATEDB CREATEROLE"));
  const auto database = exists("SELECT FROM pg_database WHERE datname = 'app'");
  if (!database) return database.error();
  if (!*database) SHOAL_TRY(server->query("CREATE DATABASE app OWNER app"));
  return {};
}

}  // namespace

std::string server_log(const DevState& state, const DevShard& shard) {
  return state.data + "/" + shard.name + ".log";
}

int server_pid(const DevState& state, const DevShard& shard) {
  std::ifstream file(state.data_of(shard) + "/postmaster.pid");
  int pid = 0;
  file >> pid;
  return file && is_running(pid, state.data_of(shard)) ? pid : 0;
}

bool port_is_free(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound =
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(listener);
  return bound;
}

int free_port(int wanted, const std::vector<int>& taken) {
  const auto is_taken = [&taken](int port) {
    return std::find(taken.begin(), taken.end(), port) != taken.end();
  };
  if (wanted != 0 && !is_taken(wanted) && port_is_free(wanted)) return wanted;
  // Below the range that the kernel gives to outgoing connections, so that none of them is in the
  // way at the next start; from a place of its own for each process.
  constexpr int kFirst = 20'000, kCount = 12'000;
  const int begin = static_cast<int>(getpid()) * 17 % kCount;
  for (int i = 0; i < kCount; ++i) {
    const int port = kFirst + (begin + i) % kCount;
    if (!is_taken(port) && port_is_free(port)) return port;
  }
  return 0;
}

Result<> start_servers(DevState& state, bool fsync, const Progress& progress) {
  choose_ports(state);
  SHOAL_TRY(write_state(state));
  SHOAL_TRY(create(state, fsync, progress));
  std::vector<Command> commands;
  std::vector<const DevShard*> started;
  for (const DevShard& shard : state.shards) {
    if (server_pid(state, shard) != 0) continue;
    SHOAL_TRY(write_server_settings(state, shard, fsync, false));
    started.push_back(&shard);
    commands.push_back(pg_command(
        state, "pg_ctl",
        {"start", "-w", "-t", "120", "-D", state.data_of(shard), "-l", server_log(state, shard)}));
  }
  if (auto done = run_together(commands); !done) {
    Error e = done.error();
    for (const DevShard* shard : started) {
      if (server_pid(state, *shard) == 0) e.detail += last_lines(server_log(state, *shard), 5);
    }
    return e;
  }
  for (const DevShard* shard : started) {
    SHOAL_TRY(make_app_database(*shard));
    progress(fmt::format("{}: PostgreSQL on 127.0.0.1:{}", shard->name, shard->port));
  }
  return {};
}

void stop_servers(const DevState& state, const Progress& progress) {
  std::vector<Command> commands;
  for (const DevShard& shard : state.shards) {
    if (server_pid(state, shard) == 0) continue;
    progress(fmt::format("{}: stopping", shard.name));
    commands.push_back(
        pg_command(state, "pg_ctl", {"stop", "-w", "-m", "fast", "-D", state.data_of(shard)}));
  }
  if (run_together(commands)) return;
  for (const DevShard& shard : state.shards) {
    const int pid = server_pid(state, shard);
    if (pid != 0) stop(pid, state.data_of(shard), kConnectTimeout);
  }
}

}  // namespace shoal::surface
