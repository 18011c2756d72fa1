// All cores of one router: accepting clients, handing out snapshots and holds, cancel requests,
// counters for the admin console.
// Thread rule: the constructor, start(), stop() belong to the main thread; publish() and hold() may
// be called from any.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/settings.h"
#include "catalog/snapshot.h"
#include "exec/core_context.h"
#include "obs/log.h"
#include "session/login.h"

namespace shoal::app {

class Router {
 public:
  using CommandsFactory = std::function<std::unique_ptr<session::Commands>()>;

  // `service`: the role that reads role passwords, the one of the catalog's DSN.
  Router(Settings settings, std::string id, catalog::SnapshotPtr snapshot, backend::Login service,
         CommandsFactory commands, obs::Logger logger);
  ~Router();

  // How decision rows of two-phase commits are written; before start().
  void set_decision_sql(exec::CoreContext::DecisionSql sql) { decision_sql_ = std::move(sql); }

  Result<> start();
  // Refuses new clients, lets open transactions end, then closes; at most shutdown_timeout.
  void stop();

  void publish(catalog::SnapshotPtr snapshot);
  // `drained` is called once, from any core, when nothing that touches `tables` is in flight.
  void hold(std::set<Oid> tables, std::function<void()> drained);
  // This router was fenced: its server connections are gone.
  void drop_connections();

  // Those in force now; the reference stays valid, an older one too.
  const Settings& settings() const { return *current_.load(); }
  // Takes over what can change while running; returns the keys that need a restart. Main thread.
  std::vector<std::string> reload(const Settings& fresh);
  const backend::Login& service_login() const { return service_; }
  std::size_t clients() const { return clients_; }
  bool stopping() const { return stopping_; }
  std::uint16_t port() const;

  struct Unit;
  // Runs `fn` on each core and waits for all; for the admin console, from a thread of its own or
  // from a core (then through ask()).
  const std::vector<std::unique_ptr<Unit>>& units() const { return units_; }

 private:
  void accept(int socket);
  io::Task<> serve_client(Unit* unit, int socket);
  io::Task<> serve_http_client(Unit* unit, int socket);
  void install(Unit& unit, const catalog::SnapshotPtr& snapshot);

  std::vector<std::unique_ptr<const Settings>> all_settings_;  // of every reload; few
  std::atomic<const Settings*> current_{nullptr};
  std::string id_;
  catalog::SnapshotPtr snapshot_;
  backend::Login service_;
  CommandsFactory commands_;
  exec::CoreContext::DecisionSql decision_sql_;
  obs::Logger logger_;
  session::LoginPolicy policy_;
  std::shared_ptr<io::TlsContext> server_tls_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::vector<std::unique_ptr<io::Thread>> threads_;
  std::unique_ptr<io::Listener> listener_, unix_listener_, http_listener_;
  std::atomic<std::size_t> clients_{0};
  std::size_t next_core_ = 0;
  std::size_t http_clients_ = 0;  // of the first core, which serves HTTP
  std::atomic<bool> stopping_{false};
};

}  // namespace shoal::app
