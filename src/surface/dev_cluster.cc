// up, down and status over servers and router.
#include "surface/dev_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "control/init.h"
#include "surface/dev_server.h"
#include "surface/process.h"

namespace shoal::surface {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr int kDefaultShards = 4, kMostShards = 64;
constexpr int kDefaultPort = 6432, kDefaultHttpPort = 6480;
constexpr milliseconds kRouterStart{60'000}, kRouterStop{15'000}, kAnswer{2'000};

// Held while a command changes the cluster, so that two of them do not meet.
class DirLock {
 public:
  explicit DirLock(const std::string& dir)
      : file_(open((dir + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_ >= 0) flock(file_, LOCK_EX);
  }
  ~DirLock() {
    if (file_ >= 0) close(file_);
  }
  DirLock(const DirLock&) = delete;

 private:
  int file_;
};

std::string router_log(const DevState& state) {
  return state.dir + "/router.log";
}
std::string router_pid_file(const DevState& state) {
  return state.dir + "/router.pid";
}

int router_pid(const DevState& state) {
  std::ifstream file(router_pid_file(state));
  int pid = 0;
  file >> pid;
  return file && is_running(pid, state.config()) ? pid : 0;
}

bool router_answers(const DevState& state) {
  auto connection = control::Pq::connect(
      fmt::format("host=127.0.0.1 port={} user=app dbname=app", state.port), kAnswer);
  return connection && connection->query("SELECT 1").has_value();
}

std::string service_dsn(const DevShard& shard) {
  return fmt::format("host=127.0.0.1 port={} dbname=app user=postgres", shard.port);
}

std::string router_config(const DevState& state) {
  return fmt::format(
      "# Written by shoal dev up.\n"
      "shutdown_timeout = \"5s\"\n\n"
      "[catalog]\ndsn = \"{}\"\n\n"
      "[listen]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"app\"\n\n"
      "[http]\nhost = \"127.0.0.1\"\nport = {}\n\n"
      "[auth]\nmethod = \"trust\"\nadmin_users = [\"app\", \"postgres\"]\n",
      service_dsn(state.shards[0]), state.port, state.http_port);
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<> make_folder(const std::string& path, const std::string& owner) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return make_error("58000", fmt::format("cannot create {}: {}", path, error.message()));
  }
  const passwd* entry = owner.empty() ? nullptr : getpwnam(owner.c_str());
  if (entry != nullptr && chown(path.c_str(), entry->pw_uid, entry->pw_gid) != 0) {
    return make_error("58000", fmt::format("cannot give {} to {}", path, owner));
  }
  return {};
}

bool is_shard_name(const std::string& name) {
  return !name.empty() && name.size() <= 40 && name[0] != '.' &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
             std::string::npos;
}

Result<std::vector<std::string>> shard_names(const UpOptions& options) {
  std::vector<std::string> names = options.names;
  const int count = options.shards != 0 ? options.shards
                    : names.empty()     ? kDefaultShards
                                        : static_cast<int>(names.size());
  if (count < 1 || count > kMostShards) {
    return make_error("22023", fmt::format("the number of shards must be 1 to {}", kMostShards));
  }
  if (names.empty()) {
    for (int i = 1; i <= count; ++i) names.push_back(fmt::format("s{}", i));
  }
  if (static_cast<int>(names.size()) != count) {
    return make_error("22023",
                      fmt::format("{} names are given for {} shards", names.size(), count));
  }
  for (const std::string& name : names) {
    if (!is_shard_name(name) || std::count(names.begin(), names.end(), name) != 1) {
      return make_error("22023", fmt::format("\"{}\" is not possible as a shard's name", name), {},
                        "use different names of letters, digits, '_', '-' and '.'");
    }
  }
  return names;
}

Result<DevState> new_state(const UpOptions& options) {
  auto names = shard_names(options);
  if (!names) return std::move(names).error();
  DevState state;
  state.dir = options.dir;
  state.data = options.dir + "/data";
  if (geteuid() == 0) state.user = "postgres";
  auto bin = options.pg_bin.empty() ? find_postgresql() : Result<std::string>(options.pg_bin);
  if (!bin) return std::move(bin).error();
  state.bin = *std::move(bin);
  state.port = options.port != 0 ? options.port : kDefaultPort;
  state.http_port =
      state.port == kDefaultPort ? kDefaultHttpPort : free_port(state.port + 48, {state.port});
  if (!port_is_free(state.http_port)) state.http_port = free_port(0, {state.port});
  for (const std::string& name : *names) state.shards.push_back({name, 0, false});
  return state;
}

// What the caller asks of a cluster that exists must be what it is.
Result<> check_same(const DevState& state, const UpOptions& options) {
  std::vector<std::string> names;
  for (const DevShard& shard : state.shards) {
    if (!shard.extra) names.push_back(shard.name);
  }
  const bool other_names = !options.names.empty() && options.names != names;
  const bool other_count = options.shards != 0 && options.shards != static_cast<int>(names.size());
  if (!other_names && !other_count) return {};
  return make_error("55000",
                    fmt::format("the cluster in {} has {} shards: {}", state.dir, names.size(),
                                fmt::join(names, ", ")),
                    {},
                    "choose another --dir, add a shard with shoal dev add, or remove the cluster "
                    "with shoal dev down --destroy");
}

Result<> prepare_folders(DevState& state, const Progress& progress) {
  SHOAL_TRY(make_folder(state.dir, {}));
  if (!state.user.empty() && !can_enter(state.dir, state.user)) {
    state.data = outside_dir(state.dir) + "/data";
    progress(fmt::format("user {} cannot enter {}: the data is in {}", state.user, state.dir,
                         state.data));
  }
  return make_folder(state.data, state.user);
}

void stop_router(const DevState& state, const Progress& progress) {
  const int pid = router_pid(state);
  if (pid != 0) {
    progress("router: stopping");
    stop(pid, state.config(), kRouterStop);
  }
  std::error_code ignored;
  fs::remove(router_pid_file(state), ignored);
}

bool is_registered(const std::string& home_dsn, const std::string& name) {
  auto home = control::Pq::connect(home_dsn, kAnswer);
  if (!home) return false;
  const auto rows = home->query("SELECT FROM shoal.shard WHERE name = $1", {name});
  return rows && !rows->rows.empty();
}

Result<> start_router(const DevState& state, const Progress& progress) {
  if (!port_is_free(state.port)) {
    return make_error("58000",
                      fmt::format("port {} of 127.0.0.1 is taken by another program", state.port),
                      {}, "choose another one with --port");
  }
  Command command;
  command.argv = {own_program(), "serve", "--config", state.config()};
  command.directory = state.dir;
  command.output = router_log(state);
  command.own_session = true;
  const auto child = start(command);
  if (!child) return child.error();
  std::ofstream(router_pid_file(state)) << *child << '\n';
  const auto deadline = std::chrono::steady_clock::now() + kRouterStart;
  while (!router_answers(state)) {
    if (has_ended(*child)) {
      return make_error("58000", "the router ended at its start",
                        last_lines(router_log(state), 10));
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return make_error("58000", "the router does not answer", last_lines(router_log(state), 10));
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
  progress(fmt::format("router: listening on 127.0.0.1:{}", state.port));
  return {};
}

// A server of `shoal dev add` is only told its address: it became a shard by shoal.add_shard, or
// has not yet.
Result<> register_shards(const DevState& state) {
  const std::string home = service_dsn(state.shards[0]);
  std::vector<control::ShardSpec> specs;
  for (const DevShard& shard : state.shards) {
    if (shard.extra && !is_registered(home, shard.name)) continue;
    specs.push_back({shard.name, service_dsn(shard)});
  }
  return control::init(home, "app", specs);
}

bool all_servers_run(const DevState& state) {
  return std::all_of(state.shards.begin(), state.shards.end(),
                     [&](const DevShard& shard) { return server_pid(state, shard) != 0; });
}

}  // namespace

Result<DevState> dev_up(const UpOptions& options, const Progress& progress) {
  const bool exists = has_state(options.dir);
  auto state = exists ? read_state(options.dir) : new_state(options);
  if (!state) return std::move(state).error();
  if (exists) SHOAL_TRY(check_same(*state, options));
  SHOAL_TRY(prepare_folders(*state, progress));
  const DirLock lock(state->dir);
  if (options.port != 0) state->port = options.port;

  const bool servers_ran = all_servers_run(*state);
  if (!servers_ran) SHOAL_TRY(start_servers(*state, options.fsync, progress));
  const std::string config = router_config(*state);
  const int router = router_pid(*state);
  const bool keep = router != 0 && servers_ran && !is_outdated(router) &&
                    read_text(state->config()) == config && router_answers(*state);
  if (keep) return state;

  stop_router(*state, progress);
  SHOAL_TRY(register_shards(*state));
  std::ofstream(state->config(), std::ios::trunc) << config;
  SHOAL_TRY(write_state(*state));
  SHOAL_TRY(start_router(*state, progress));
  return state;
}

Result<> dev_down(const std::string& dir, bool destroy, const Progress& progress) {
  if (!has_state(dir)) return {};
  const auto state = read_state(dir);
  if (!state) return state.error();
  {
    const DirLock lock(dir);
    stop_router(*state, progress);
    stop_servers(*state, progress);
  }
  if (!destroy) return {};
  std::error_code error;
  for (const DevShard& shard : state->shards) {
    fs::remove_all(state->data_of(shard), error);
    fs::remove(server_log(*state, shard), error);
  }
  fs::remove(state->data, error);
  for (const char* name : {"dev.toml", "router.toml", "router.log", "servers.log", "lock"}) {
    fs::remove(dir + "/" + name, error);
  }
  fs::remove(fs::path(state->data).parent_path(), error);  // only if nothing else is there
  fs::remove(dir, error);
  progress(fmt::format("removed the cluster in {}", dir));
  return {};
}

Result<DevShard> dev_add_server(const std::string& dir, const std::string& name,
                                const Progress& progress) {
  auto state = read_state(dir);
  if (!state) return std::move(state).error();
  const DirLock lock(dir);
  if (!is_shard_name(name)) {
    return make_error("22023", fmt::format("\"{}\" is not possible as a shard's name", name));
  }
  if (state->shard(name) == nullptr) state->shards.push_back({name, 0, true});
  SHOAL_TRY(start_servers(*state, true, progress));
  return *state->shard(name);
}

std::vector<DevProcess> dev_status(const DevState& state) {
  std::vector<DevProcess> all;
  all.push_back({"router", state.port, router_pid(state), url_of(state), router_log(state)});
  for (const DevShard& shard : state.shards) {
    all.push_back({shard.name, shard.port, server_pid(state, shard), url_of(shard, "app"),
                   server_log(state, shard)});
  }
  return all;
}

}  // namespace shoal::surface
