// Cores, clients, snapshots, holds.
#include "app/router.h"

#include <random>
#include <thread>

#include "app/admin_session.h"
#include "app/unit.h"
#include "surface/http_server.h"

namespace shoal::app {
namespace {

constexpr std::size_t kMostHttpClients = 64;  // more are closed at once
constexpr int kCoreBits = 8;                  // of a cancel pid: the low bits name the core

std::size_t core_count(const Settings& settings) {
  if (settings.threads > 0) return static_cast<std::size_t>(settings.threads);
  return std::max(1u, std::thread::hardware_concurrency());
}

route::Fanout fanout_of(const Settings& settings) {
  if (settings.fanout == "deny") return route::Fanout::kDeny;
  return settings.fanout == "warn" ? route::Fanout::kWarn : route::Fanout::kAllow;
}

}  // namespace

// The service role reads the verifier; it is the role of the catalog's DSN.
io::Task<Result<std::optional<std::string>>> Router::Unit::verifier(std::string user) {
  const catalog::Snapshot& snapshot = *context.snapshot;
  Result<std::unique_ptr<backend::Connection>> c = co_await context.pool.acquire(
      context.endpoint(snapshot, snapshot.home), router.service_login());
  if (!c) co_return c.error();
  std::string quoted;
  for (char ch : user) quoted += ch == '\'' ? "''" : std::string(1, ch);
  // E'' is not needed: standard_conforming_strings is the server's default on this connection.
  Result<backend::TextRows> rows = co_await (*c)->query(fmt::format(
      "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = '{}' AND rolcanlogin AND "
      "(rolvaliduntil IS NULL OR rolvaliduntil > now())",
      quoted));
  context.pool.release(std::move(*c));
  if (!rows) co_return rows.error();
  if (rows->rows.empty()) co_return std::optional<std::string>();
  co_return rows->rows[0][0];
}

void Router::Unit::cancel(std::int32_t pid, std::string secret) {
  auto index = static_cast<std::size_t>(pid & ((1 << kCoreBits) - 1));
  if (index >= router.units_.size()) return;
  Unit* unit = router.units_[index].get();
  unit->core.post([unit, pid, secret = std::move(secret)] {
    auto client = unit->clients.find(pid);
    if (client != unit->clients.end() && client->second.secret == secret)
      client->second.session->cancel();
  });
}

std::pair<std::int32_t, std::string> Router::Unit::new_cancel_key() {
  std::random_device device;
  std::string secret;
  for (int i = 0; i < 4; ++i) secret.push_back(static_cast<char>(device()));
  do {
    next_pid = (next_pid + 1) & ((1 << (30 - kCoreBits)) - 1);
  } while (clients.contains((next_pid << kCoreBits) | core.index()) || next_pid == 0);
  return {(next_pid << kCoreBits) | core.index(), secret};
}

void Router::Unit::check_drained() {
  if (holding.reported || !holding.report) return;
  for (Oid table : context.held) {
    auto n = context.in_flight.find(table);
    if (n != context.in_flight.end() && n->second > 0) return;
  }
  holding.reported = true;
  holding.report();
}

Router::Router(Settings settings, std::string id, catalog::SnapshotPtr snapshot,
               backend::Login service, CommandsFactory commands, obs::Logger logger)
    : id_(std::move(id)),
      snapshot_(std::move(snapshot)),
      service_(std::move(service)),
      commands_(std::move(commands)),
      logger_(std::move(logger)) {
  all_settings_.push_back(std::make_unique<Settings>(std::move(settings)));
  current_ = all_settings_.back().get();
}

Router::~Router() {
  threads_.clear();
}

std::uint16_t Router::port() const {
  return listener_ ? listener_->port() : 0;
}

std::vector<std::string> Router::reload(const Settings& fresh) {
  auto next = std::make_unique<Settings>(settings());
  std::vector<std::string> need_restart = reload_settings(*next, fresh);
  for (auto& unit : units_) {
    unit->core.post([u = unit.get(), limits = next->limits] { u->context.limits = limits; });
  }
  current_ = next.get();
  all_settings_.push_back(std::move(next));
  return need_restart;
}

Result<> Router::start() {
  const Settings& settings = this->settings();
  using Auth = session::LoginPolicy::Auth;
  using Tls = session::LoginPolicy::Tls;
  const catalog::Shard* home = snapshot_->shard(snapshot_->home);
  policy_.database = settings.listen_database.empty() ? home->dbname : settings.listen_database;
  policy_.auth = settings.auth_method == "trust"      ? Auth::kTrust
                 : settings.auth_method == "password" ? Auth::kPassword
                                                      : Auth::kScram;
  policy_.tls_mode = settings.client_tls == "disable"   ? Tls::kDisable
                     : settings.client_tls == "require" ? Tls::kRequire
                                                        : Tls::kAllow;
  if (!settings.client_tls_certificate.empty()) {
    auto tls = io::make_tls_server({settings.client_tls_certificate, settings.client_tls_key, ""});
    if (!tls) return tls.error();
    policy_.tls = *tls;
  } else if (policy_.tls_mode == Tls::kRequire) {
    return make_error("F0000", "client_tls = require needs a certificate");
  }
  if (settings.server_tls != "disable" &&
      (settings.server_tls != "allow" || !settings.server_tls_ca.empty())) {
    bool verify = settings.server_tls.starts_with("verify");
    auto tls =
        io::make_tls_client({"", "", settings.server_tls_ca, settings.server_tls == "verify-full"});
    if (!tls) return tls.error();
    server_tls_ = *tls;
    (void)verify;
  }
  std::size_t cores = core_count(settings);
  std::size_t share = std::max<std::size_t>(1, settings.limits.server_connections / cores);
  for (std::size_t i = 0; i < cores; ++i) {
    auto& unit = units_.emplace_back(
        std::make_unique<Unit>(*this, static_cast<int>(i), share, settings.limits));
    unit->context.router = id_;
    unit->context.decision_sql = decision_sql_;
    unit->context.server_tls = server_tls_;
    unit->context.server_tls_required =
        settings.server_tls == "require" || settings.server_tls.starts_with("verify");
    unit->context.on_drained = [u = unit.get()] { u->check_drained(); };
    install(*unit, snapshot_);
  }
  Unit& first = *units_.front();
  Result<std::unique_ptr<io::Listener>> listener =
      io::listen(first.core, settings.listen_host, static_cast<std::uint16_t>(settings.listen_port),
                 [this](int socket) { accept(socket); });
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  if (!settings.listen_unix_dir.empty()) {
    std::string path =
        fmt::format("{}/.s.PGSQL.{}", settings.listen_unix_dir, settings.listen_port);
    Result<std::unique_ptr<io::Listener>> unix_listener =
        io::listen_unix(first.core, path, [this](int socket) { accept(socket); });
    if (!unix_listener) return unix_listener.error();
    unix_listener_ = std::move(*unix_listener);
  }
  if (settings.http_port != 0) {
    auto http =
        io::listen(first.core, settings.http_host, static_cast<std::uint16_t>(settings.http_port),
                   [this, &first](int socket) {
                     if (http_clients_ < kMostHttpClients) {
                       first.core.spawn(serve_http_client(&first, socket));
                     } else {
                       io::adopt(socket)->close();
                     }
                   });
    if (!http) {
      Error e = http.error();
      e.hint = "set http.port to another port, or to 0";
      return e;
    }
    http_listener_ = std::move(*http);
  }
  for (auto& unit : units_)
    threads_.push_back(std::make_unique<io::Thread>([u = unit.get()] { u->core.run(); }));
  logger_.event(obs::Level::kInfo, "router.started",
                {{"listen", fmt::format("{}:{}", settings.listen_host, port())},
                 {"cores", cores},
                 {"epoch", snapshot_->epoch.value}});
  return {};
}

void Router::install(Unit& unit, const catalog::SnapshotPtr& snapshot) {
  unit.context.snapshot = snapshot;
  unit.context.descriptions.clear();
  unit.context.pool.set_setup_sql(
      fmt::format("SELECT shoal.check_epoch({}, {})", snapshot->epoch.value, id_));
}

void Router::accept(int socket) {
  std::size_t index = next_core_++ % units_.size();
  Unit* unit = units_[index].get();
  unit->core.post([this, unit, socket] { unit->core.spawn(serve_client(unit, socket)); });
}

io::Task<> Router::serve_client(Unit* unit, int socket) {
  io::StreamPtr stream = io::adopt(socket);
  if (stopping_ || clients_ >= settings().limits.clients) {
    std::string out;
    Error e = stopping_ ? make_error("57P03", "the router is shutting down")
                        : refuse(Refusal::kTooManyClients);
    e.fatal = true;
    wire::append_error(out, e);
    (void)co_await stream->write(out, io::Deadline::in(io::Milliseconds(1000)));
    co_return;
  }
  ++clients_;
  std::optional<session::LoggedIn> client =
      co_await session::log_in(std::move(stream), policy_, unit->context.limits, *unit);
  if (client && client->admin) {
    co_await run_admin_session(*this, *unit, std::move(client->channel),
                               std::move(client->identity));
  } else if (client) {
    std::int32_t pid = client->identity.pid;
    std::string secret = client->identity.secret;
    std::unique_ptr<session::Commands> commands = commands_ ? commands_() : nullptr;
    session::SessionServices services{unit->context, commands.get(), unit->plans, unit->statements,
                                      fanout_of(settings())};
    logger_.event(obs::Level::kDebug, "client.connected",
                  {{"client", pid}, {"user", client->identity.login.user}});
    auto s = std::make_unique<session::Session>(services, std::move(client->channel),
                                                std::move(client->identity));
    unit->clients[pid] = {s.get(), std::move(secret)};
    co_await s->run();
    unit->clients.erase(pid);
    s.reset();
    logger_.event(obs::Level::kDebug, "client.disconnected", {{"client", pid}});
  }
  --clients_;
}

io::Task<> Router::serve_http_client(Unit* unit, int socket) {
  ++http_clients_;
  co_await surface::serve_http(io::adopt(socket),
                               [this, unit] { return admin_facts(*this, *unit); });
  --http_clients_;
}

void Router::stop() {
  stopping_ = true;
  Unit& first = *units_.front();
  first.core.post([this] {
    listener_->close();
    if (unix_listener_) unix_listener_->close();
    if (http_listener_) http_listener_->close();
  });
  auto until = std::chrono::steady_clock::now() + settings().shutdown_timeout;
  while (clients_ > 0 && std::chrono::steady_clock::now() < until) {
    for (auto& unit : units_) {
      unit->core.post([u = unit.get()] {
        for (auto& [pid, client] : u->clients) client.session->shut_down();
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  for (auto& unit : units_) unit->core.stop();
  for (auto& thread : threads_) thread->join();
  logger_.event(obs::Level::kInfo, "router.stopped", {{"clients_left", clients_.load()}});
}

void Router::publish(catalog::SnapshotPtr snapshot) {
  logger_.event(obs::Level::kInfo, "catalog.published", {{"epoch", snapshot->epoch.value}});
  for (auto& unit : units_) {
    unit->core.post([this, u = unit.get(), snapshot] {
      install(*u, snapshot);
      u->context.changed.set();
    });
  }
}

void Router::hold(std::set<Oid> tables, std::function<void()> drained) {
  auto left = std::make_shared<std::atomic<std::size_t>>(units_.size());
  for (auto& unit : units_) {
    unit->core.post([u = unit.get(), tables, drained, left] {
      u->context.held = tables;
      u->holding = {[left, drained] {
                      if (left->fetch_sub(1) == 1 && drained) drained();
                    },
                    false};
      u->context.changed.set();
      u->check_drained();
    });
  }
}

void Router::drop_connections() {
  for (auto& unit : units_)
    unit->core.post([u = unit.get()] { u->context.pool.drop_idle(ShardId(0)); });
}

}  // namespace shoal::app
