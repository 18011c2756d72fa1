// For this room's tests: one PostgreSQL server with three databases that play shards, a core to run
// tasks on, and a snapshot that knows a few tables. The server is started once per test program.
// Skipped by tests (cluster() == nullptr) where PostgreSQL is not installed.
// Thread rule: the test's thread; run() hands tasks to the core's thread and waits.
#pragma once
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "exec/run.h"
#include "exec/transaction.h"

namespace shoal::exec::testing {

class Server {
 public:
  static Server* get() {
    static Server server;
    return server.port_ != 0 ? &server : nullptr;
  }
  int port() const { return port_; }

 private:
  Server() {
    for (int version = 18; version >= 13 && bin_.empty(); --version) {
      std::string dir = fmt::format("/usr/lib/postgresql/{}/bin", version);
      if (std::filesystem::exists(dir + "/initdb")) bin_ = dir;
    }
    char name[] = "/tmp/shoal-exec-XXXXXX";
    if (bin_.empty() || !::mkdtemp(name)) return;
    root_ = name;
    if (::geteuid() == 0) {
      const passwd* user = ::getpwnam("postgres");
      if (!user || ::chown(name, user->pw_uid, user->pw_gid) != 0) return;
    }
    const int port = free_port();
    const std::string options = fmt::format(
        "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off "
        "-c max_prepared_transactions=50 -c shared_buffers=16MB",
        port);
    if (run(fmt::format("{}/initdb -D {}/data -U app -A trust --locale=C.UTF-8 -E UTF8 -N", bin_,
                        root_)) &&
        run(fmt::format("{0}/pg_ctl -D {1}/data -l {1}/log -w -o '{2}' start", bin_, root_,
                        options)))
      port_ = port;
  }
  ~Server() {
    if (port_ != 0) run(fmt::format("{}/pg_ctl -D {}/data -m immediate -w stop", bin_, root_));
    std::error_code ignored;
    if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
  }
  static bool run(const std::string& command) {
    const std::string full =
        ::geteuid() == 0 ? fmt::format("runuser -u postgres -- {}", command) : command;
    return std::system((full + " >/dev/null 2>&1").c_str()) == 0;
  }
  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    ::close(fd);
    return bound ? ntohs(address.sin_port) : 0;
  }

  std::string bin_, root_;
  int port_ = 0;
};

// A core with its thread, and the databases s1 (home), s2, s3 of the server.
class Cluster {
 public:
  static Cluster* get() {
    static Cluster* cluster = Server::get() ? new Cluster(Server::get()->port()) : nullptr;
    return cluster;
  }

  CoreContext& context() { return *context_; }
  const catalog::SnapshotPtr& snapshot() const { return context_->snapshot; }

  // Runs a task on the core and waits for its result.
  template <class T>
  T run(io::Task<T> task) {
    std::promise<T> promise;
    std::future<T> result = promise.get_future();
    auto boxed = std::make_shared<io::Task<T>>(std::move(task));
    core_.post([this, boxed, &promise] { core_.spawn(finish(std::move(*boxed), promise)); });
    return result.get();
  }

  // Simple SQL on one shard; aborts the test program when it fails.
  backend::TextRows sql(int shard, std::string text) {
    Result<backend::TextRows> rows = run(query(context_.get(), ShardId(shard), std::move(text)));
    if (!rows) {
      fmt::print(stderr, "setup failed: {}\n", rows.error().message);
      std::abort();
    }
    return std::move(*rows);
  }
  void everywhere(const std::string& text) {
    for (int shard = 1; shard <= 3; ++shard) sql(shard, text);
  }
  std::string value(int shard, std::string text) {
    backend::TextRows rows = sql(shard, std::move(text));
    return rows.rows.empty() ? "" : rows.rows[0][0].value_or("NULL");
  }

 private:
  explicit Cluster(int port) : core_(0) {
    thread_ = std::make_unique<io::Thread>([this] { core_.run(); });
    core_.post([] {});
    Limits limits;
    context_ = std::make_unique<CoreContext>(core_, 10, limits);
    context_->snapshot = make_snapshot(port, "postgres");
    context_->router = "test";
    for (const char* name : {"s1", "s2", "s3"}) sql(1, fmt::format("CREATE DATABASE {}", name));
    context_->pool.drop_idle(ShardId());
    context_->snapshot = make_snapshot(port, "");
    everywhere("CREATE TABLE decision (gid text PRIMARY KEY, outcome text)");
    context_->decision_sql.decide = [](std::string_view key) {
      return fmt::format("INSERT INTO decision VALUES ('{}', 'commit')", key);
    };
    context_->decision_sql.settle = [](std::string_view key) {
      return fmt::format(
          "INSERT INTO decision VALUES ('{0}', 'abort') ON CONFLICT DO NOTHING;"
          "SELECT outcome FROM decision WHERE gid = '{0}'",
          key);
    };
  }

  template <class T>
  static io::Task<> finish(io::Task<T> task, std::promise<T>& promise) {
    if constexpr (std::is_void_v<T>) {
      co_await task;
      promise.set_value();
    } else {
      promise.set_value(co_await task);
    }
  }

  static io::Task<Result<backend::TextRows>> query(CoreContext* context, ShardId shard,
                                                   std::string text) {
    backend::Login login{.user = "app", .password = "", .keys = {}};
    auto c = co_await context->pool.acquire(context->endpoint(*context->snapshot, shard), login);
    if (!c) co_return c.error();
    auto rows = co_await (*c)->query(std::move(text));
    context->pool.release(std::move(*c));
    co_return std::move(rows);
  }

  static catalog::SnapshotPtr make_snapshot(int port, const std::string& only_database) {
    auto s = std::make_shared<catalog::Snapshot>();
    s->epoch = Epoch(1);
    s->cluster = "test";
    s->home = ShardId(1);
    std::vector<ShardId> ids;
    for (int i = 1; i <= 3; ++i) {
      catalog::Shard shard;
      shard.id = ShardId(i);
      shard.name = fmt::format("s{}", i);
      shard.host = "127.0.0.1";
      shard.port = std::to_string(port);
      shard.dbname = only_database.empty() ? shard.name : only_database;
      shard.home = i == 1;
      s->shards.push_back(shard);
      ids.push_back(shard.id);
    }
    catalog::Keyspace keyspace;
    keyspace.id = KeyspaceId(1);
    keyspace.name = "ints";
    keyspace.types = {keys::KeyType::kInt8};
    auto placement = std::make_shared<keys::Placement>();
    placement->function = *keys::make_key_function("mod_floor", R"({"n": 3})", keyspace.types);
    placement->map = keys::SlotMap::contiguous(placement->function->slot_count(), ids);
    keyspace.placement = placement;
    s->keyspaces.push_back(keyspace);
    add_table(*s, 20001, "item", catalog::TableKind::kSharded);
    add_table(*s, 20002, "country", catalog::TableKind::kReference);
    return s;
  }

  // (k int not null, name text), by k.
  static void add_table(catalog::Snapshot& s, std::uint32_t oid, const std::string& name,
                        catalog::TableKind kind) {
    catalog::Table table;
    table.oid = Oid(oid);
    table.schema = "public";
    table.name = name;
    table.kind = kind;
    catalog::Column k, text;
    k.name = "k";
    k.type = Oid(23);
    k.attnum = 1;
    k.not_null = true;
    text.name = "name";
    text.type = Oid(25);
    text.attnum = 2;
    table.columns = {k, text};
    catalog::Index primary;
    primary.name = name + "_pkey";
    primary.attnums = {1};
    primary.unique = primary.primary = true;
    table.indexes = {primary};
    if (kind == catalog::TableKind::kSharded) {
      table.keyspace = KeyspaceId(1);
      table.key_attnums = {1};
    }
    s.tables_by_oid[table.oid] = table;
    s.tables_by_name[table.schema + '\0' + table.name] = table.oid;
  }

  io::Core core_;
  std::unique_ptr<io::Thread> thread_;
  std::unique_ptr<CoreContext> context_;
};

}  // namespace shoal::exec::testing
