// `shoal serve`: the catalog's store, the router, and signals.
#include "app/serve.h"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <mutex>

#include "app/bridge.h"
#include "app/router.h"
#include "control/pq.h"
#include "control/store.h"
#include "control/ticket.h"
#include "obs/log.h"

namespace shoal::app {
namespace {

obs::Logger make_logger(const Settings& settings) {
  auto file = std::make_shared<std::ofstream>();
  if (!settings.log_file.empty()) file->open(settings.log_file, std::ios::app);
  auto lock = std::make_shared<std::mutex>();
  obs::Level least = settings.log_level == "debug"     ? obs::Level::kDebug
                     : settings.log_level == "warning" ? obs::Level::kWarning
                     : settings.log_level == "error"   ? obs::Level::kError
                                                       : obs::Level::kInfo;
  return obs::Logger(
      [file, lock](obs::Level, std::string_view line) {
        std::lock_guard guard(*lock);
        if (file->is_open())
          *file << line << std::endl;
        else
          fmt::print(stderr, "{}\n", line);
      },
      least,
      [] {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
      });
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

// A file that can't be read changes nothing.
void reload(Router& router, const Settings& settings, const obs::Logger& logger) {
  const auto fresh = load_settings(settings.config_file, settings.overrides);
  if (!fresh) {
    logger.event(obs::Level::kError, "router.reload_failed", {{"error", fresh.error().message}});
    return;
  }
  std::string restart;
  for (const std::string& key : router.reload(*fresh))
    restart += (restart.empty() ? "" : ",") + key;
  logger.event(obs::Level::kInfo, "router.reloaded", {{"need_restart", restart}});
}

}  // namespace

int serve(const Settings& settings) {
  sigset_t signals;
  sigemptyset(&signals);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  obs::Logger logger = make_logger(settings);
  control::Store::Options options;
  options.catalog_dsn = settings.catalog;
  options.host = host_name();
  options.router_name = settings.router_name.empty()
                            ? fmt::format("{}-{}", options.host, settings.listen_port)
                            : settings.router_name;
  options.version = SHOAL_VERSION;
  options.poll = settings.catalog_poll;
  options.recovery_period = settings.recovery_interval;

  std::unique_ptr<Router> router;
  control::Store* store_pointer = nullptr;
  std::mutex ready;  // callbacks wait until the router exists
  std::unique_lock starting(ready);
  control::Store::Callbacks callbacks;
  callbacks.publish = [&](catalog::SnapshotPtr snapshot) {
    std::lock_guard guard(ready);
    if (router) router->publish(std::move(snapshot));
  };
  callbacks.hold = [&](control::HeldTables held) {
    std::lock_guard guard(ready);
    std::uint64_t generation = held.generation;
    auto drained = [store_pointer, generation] { store_pointer->acknowledge(generation); };
    if (router) router->hold(std::move(held.tables), drained);
  };
  callbacks.fenced = [&] {
    std::lock_guard guard(ready);
    if (router) router->drop_connections();
  };
  callbacks.log = [logger](std::string_view event, std::string_view text) {
    logger.event(obs::Level::kInfo, "control.event", {{"event", event}, {"text", text}});
  };
  control::Store store(options, callbacks);
  store_pointer = &store;
  Result<catalog::SnapshotPtr> snapshot = store.start();
  if (!snapshot) {
    fmt::print(stderr, "shoal serve: {}{}{}\n", snapshot.error().message,
               snapshot.error().detail.empty() ? "" : ": ", snapshot.error().detail);
    return 1;
  }
  Result<control::Dsn> dsn = control::parse_dsn(settings.catalog);
  if (!dsn) {
    fmt::print(stderr, "shoal serve: {}\n", dsn.error().message);
    return 1;
  }
  backend::Login service{dsn->user, dsn->password, {}};
  router = std::make_unique<Router>(
      settings, std::to_string(store.router_id()), *snapshot, service,
      [&store] { return make_bridge(store); }, logger);
  std::string secret = store.secret();
  router->set_decision_sql(
      {[secret](std::string_view key) { return control::decide_sql(secret, key); },
       [secret](std::string_view key) { return control::settle_sql(secret, key); }});
  Result<> started = router->start();
  if (!started) {
    fmt::print(stderr, "shoal serve: {}{}{}\n", started.error().message,
               started.error().hint.empty() ? "" : "\nHINT: ", started.error().hint);
    return 1;
  }
  starting.unlock();
  store.wake();
  for (;;) {
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    if (signal_number != SIGHUP) break;
    reload(*router, settings, logger);
  }
  router->stop();
  store.stop();
  std::fflush(nullptr);
  _exit(0);  // client coroutines that the time-out left behind are not unwound
}

}  // namespace shoal::app
