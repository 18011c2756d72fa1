// The store's thread: one loop over "look at the catalog, do what is asked for, wait". Requests of
// other threads are queued under the mutex and answered by their own completion function.
#include "control/store.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "control/fence.h"
#include "control/init.h"
#include "control/loader.h"
#include "control/recovery.h"
#include "control/work.h"
#include "io/core.h"

namespace shoal::control {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kConnectTimeout{3'000};
constexpr milliseconds kReleasePatience{5'000};  // then a client's COMMIT is answered all the same
constexpr milliseconds kMarkPeriod{2'000};       // how soon a change past the routers is seen
constexpr int kRouterTimeoutLeases = 3;          // after so many leases a router is given up

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

struct Store::Impl {
  struct HoldRequest {
    std::vector<Oid> tables;
    std::function<void(Result<HoldId>)> done;
    HoldId id = 0;
    Clock::time_point deadline;
  };
  struct ReleaseRequest {
    std::vector<HoldId> holds;
    bool committed = false;
    std::function<void()> done;
    Clock::time_point deadline;
  };

  Options options;
  Callbacks callbacks;
  std::string secret;
  int router = 0;
  int wake_fd = -1;

  std::mutex mutex;  // guards what follows, up to the thread's own
  catalog::SnapshotPtr snapshot;
  std::deque<HoldRequest> new_holds;
  std::deque<ReleaseRequest> new_releases;
  std::uint64_t acknowledged = 0;
  bool stopping = false;
  std::condition_variable stopped;  // wakes the recovery thread

  // The thread's own.
  Pq catalog;
  bool reported_down = false;
  std::vector<HoldRequest> holds;
  std::vector<ReleaseRequest> releases;
  std::vector<HoldId> to_delete;
  Clock::time_point lease_renewed{}, mark_read{};
  std::uint64_t generation = 0;
  std::set<Oid> held;
  std::map<HoldId, std::uint64_t> seen;      // holds that exist, with the generation that has them
  std::set<HoldId> told;                     // those acknowledged in the catalog
  std::thread thread, recovery;

  void log(std::string_view event, std::string_view text) {
    if (callbacks.log) callbacks.log(event, text);
  }
  Result<> connect();
  Result<> register_router();
  Result<> load();
  Result<> tick();
  Result<> begin_holds();
  Result<> look();
  Result<> notice_outside_changes();
  Result<> check_own_state(const std::string& state);
  Result<> renew_lease();
  void apply_holds(const TextRows& rows);
  Result<> acknowledge_holds();
  Result<> wait_for_holds();
  Result<bool> others_have_acknowledged(HoldRequest& hold);
  Result<> fence(int other);
  Result<> end_holds();
  void fail_requests(const Error& e);
  void take_requests();
  void pause();
  void run();
  void run_recovery();
  void tidy(const RecoveryReport& report);
  void wake() {
    const std::uint64_t one = 1;
    (void)!::write(wake_fd, &one, sizeof(one));
  }
};

Result<> Store::Impl::connect() {
  auto c = Pq::connect(options.catalog_dsn, kConnectTimeout, "shoal router");
  if (!c) return std::move(c).error();
  catalog = std::move(*c);
  SHOAL_TRY(catalog.query("SET statement_timeout = '30s'; SET lock_timeout = '10s';"
                          " SET default_transaction_isolation = 'read committed';"
                          " SET search_path = pg_catalog; LISTEN shoal_epoch"));
  return {};
}

Result<> Store::Impl::register_router() {
  auto rows = catalog.query(
      "INSERT INTO shoal.router (id, name, host, pid, version, epoch, lease_until)"
      " VALUES (nextval('shoal.router_id'), $1, $2, $3::int, $4, 0,"
      " clock_timestamp() + $5::interval) RETURNING id",
      {options.router_name, options.host, std::to_string(::getpid()), options.version,
       fmt::format("{} milliseconds", options.lease.count())});
  if (!rows) return std::move(rows).error();
  router = static_cast<int>(number(cell(*rows, 0, 0)));
  lease_renewed = Clock::now();
  return {};
}

Result<> Store::Impl::load() {
  auto loaded = load_snapshot(catalog, snapshot);
  if (!loaded) return std::move(loaded).error();
  {
    std::lock_guard lock(mutex);
    snapshot = *loaded;
  }
  SHOAL_TRY(catalog.query(fmt::format("UPDATE shoal.router SET epoch = {} WHERE id = {}",
                                      (*loaded)->epoch.value, router)));
  return {};
}

void Store::Impl::take_requests() {
  std::lock_guard lock(mutex);
  for (HoldRequest& r : new_holds) holds.push_back(std::move(r));
  for (ReleaseRequest& r : new_releases) releases.push_back(std::move(r));
  new_holds.clear();
  new_releases.clear();
}

Result<> Store::Impl::tick() {
  SHOAL_TRY(begin_holds());
  SHOAL_TRY(end_holds());
  SHOAL_TRY(notice_outside_changes());
  // Holds before the epoch: a hold that is gone by then ended with a commit that look() will find.
  auto rows = catalog.query("SELECT id, relations FROM shoal.hold ORDER BY id");
  if (!rows) return std::move(rows).error();
  SHOAL_TRY(look());
  SHOAL_TRY(renew_lease());
  apply_holds(*rows);
  SHOAL_TRY(acknowledge_holds());
  SHOAL_TRY(wait_for_holds());
  // Snapshot and holds are as the catalog has them: whoever waits for that may go on.
  for (ReleaseRequest& r : releases) {
    if (r.holds.empty()) r.done();
  }
  std::erase_if(releases, [](const ReleaseRequest& r) { return r.holds.empty(); });
  return {};
}

Result<> Store::Impl::begin_holds() {
  for (HoldRequest& h : holds) {
    if (h.id != 0) continue;
    std::string list;
    for (const Oid t : h.tables) list += fmt::format("{}{}", list.empty() ? "" : ",", t.value);
    auto rows = catalog.query(fmt::format(
        "INSERT INTO shoal.hold (router, relations) VALUES ({}, '{{{}}}') RETURNING id", router, list));
    if (!rows) return std::move(rows).error();
    h.id = number(cell(*rows, 0, 0));
    SHOAL_TRY(catalog.query("NOTIFY shoal_epoch"));
  }
  return {};
}

// Deletes the rows of holds that ended; look() then publishes what they were for.
Result<> Store::Impl::end_holds() {
  bool any = false;
  for (ReleaseRequest& r : releases) {
    to_delete.insert(to_delete.end(), r.holds.begin(), r.holds.end());
    r.holds.clear();
    any = true;
  }
  if (!to_delete.empty()) {
    std::string list;
    for (const HoldId h : to_delete) list += fmt::format("{}{}", list.empty() ? "" : ",", h);
    SHOAL_TRY(catalog.query(fmt::format("DELETE FROM shoal.hold WHERE id IN ({})", list)));
    to_delete.clear();
  }
  if (any) SHOAL_TRY(catalog.query("NOTIFY shoal_epoch"));
  return {};
}

// Somebody may change home's schema past the routers; their snapshots follow all the same.
Result<> Store::Impl::notice_outside_changes() {
  if (Clock::now() - mark_read < kMarkPeriod) return {};
  mark_read = Clock::now();
  SHOAL_TRY(catalog.query(
      "UPDATE shoal.cluster c SET epoch = epoch + 1, schema_mark = m.mark"
      " FROM (SELECT shoal.schema_mark() AS mark) m WHERE c.schema_mark <> m.mark"));
  return {};
}

Result<> Store::Impl::look() {
  auto rows = catalog.query(fmt::format(
      "SELECT c.epoch, (SELECT state FROM shoal.router WHERE id = {}) FROM shoal.cluster c", router));
  if (!rows) return std::move(rows).error();
  const std::int64_t epoch = number(cell(*rows, 0, 0));
  if (!snapshot || snapshot->epoch.value != epoch) {
    SHOAL_TRY(load());
    if (callbacks.publish) callbacks.publish(snapshot);
  }
  return check_own_state(cell(*rows, 0, 1));
}

// A router that finds itself fenced has the newest snapshot now and may begin anew.
Result<> Store::Impl::check_own_state(const std::string& state) {
  if (state == "live") return {};
  log("fenced", state);
  lease_renewed = {};
  SHOAL_TRY(catalog.query(
      "INSERT INTO shoal.router (id, name, host, pid, version, epoch, lease_until)"
      " VALUES ($1::int, $2, $3, $4::int, $5, $6::bigint, clock_timestamp())"
      " ON CONFLICT (id) DO UPDATE SET state = 'live', epoch = excluded.epoch",
      {std::to_string(router), options.router_name, options.host, std::to_string(::getpid()),
       options.version, std::to_string(snapshot->epoch.value)}));
  if (callbacks.fenced) callbacks.fenced();
  return {};
}

Result<> Store::Impl::renew_lease() {
  if (Clock::now() - lease_renewed < options.lease / 3) return {};
  SHOAL_TRY(catalog.query(fmt::format(
      "UPDATE shoal.router SET lease_until = clock_timestamp() + interval '{} milliseconds'"
      " WHERE id = {}",
      options.lease.count(), router)));
  lease_renewed = Clock::now();
  return {};
}

void Store::Impl::apply_holds(const TextRows& rows) {
  std::set<Oid> tables;
  std::map<HoldId, std::uint64_t> now;
  bool fresh = false;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const HoldId id = number(cell(rows, i, 0));
    for (const std::string& t : array_elements(cell(rows, i, 1))) {
      tables.insert(Oid(static_cast<std::uint32_t>(number(t))));
    }
    const auto known = seen.find(id);
    fresh = fresh || known == seen.end();
    now[id] = known == seen.end() ? generation + 1 : known->second;
  }
  if (fresh || tables != held) {
    ++generation;
    held = tables;
    if (callbacks.hold) callbacks.hold({std::move(tables), generation});
  }
  seen = std::move(now);
  std::erase_if(told, [&](HoldId id) { return !seen.contains(id); });
}

// Acknowledging a generation says that all holds known by then are kept.
Result<> Store::Impl::acknowledge_holds() {
  std::uint64_t upto = 0;
  {
    std::lock_guard lock(mutex);
    upto = acknowledged;
  }
  for (const auto& [id, since] : seen) {
    if (since > upto || told.contains(id)) continue;
    SHOAL_TRY(catalog.query(fmt::format(
        "INSERT INTO shoal.hold_acknowledged (hold, router) SELECT id, {} FROM shoal.hold"
        " WHERE id = {} ON CONFLICT DO NOTHING; NOTIFY shoal_epoch",
        router, id)));
    told.insert(id);
  }
  return {};
}

Result<bool> Store::Impl::others_have_acknowledged(HoldRequest& hold) {
  auto rows = catalog.query(fmt::format(
      "SELECT r.id, r.lease_until < clock_timestamp() FROM shoal.router r WHERE r.state = 'live'"
      " AND NOT EXISTS (SELECT FROM shoal.hold_acknowledged a WHERE a.hold = {} AND a.router = r.id)",
      hold.id));
  if (!rows) return std::move(rows).error();
  bool all = true;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    if (cell(*rows, i, 1) == "t") {
      SHOAL_TRY(fence(static_cast<int>(number(cell(*rows, i, 0)))));
    } else {
      all = false;
    }
  }
  return all;
}

Result<> Store::Impl::fence(int other) {
  log("fencing", fmt::format("router {} does not answer", other));
  auto epoch = raise_epoch_against(catalog, other);
  if (!epoch) return std::move(epoch).error();
  SHOAL_TRY(look());
  const auto until = Clock::now() + std::chrono::seconds(2);
  while (Clock::now() < until) {  // the others learn of the epoch within their poll
    auto late = catalog.query(fmt::format(
        "SELECT count(*) FROM shoal.router WHERE state = 'live' AND epoch < {}"
        " AND lease_until > clock_timestamp()",
        *epoch));
    if (!late) return std::move(late).error();
    if (cell(*late, 0, 0) == "0") break;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return fence_on_shards(catalog, other, *epoch);
}

Result<> Store::Impl::wait_for_holds() {
  for (HoldRequest& h : holds) {
    auto all = others_have_acknowledged(h);
    if (!all && !catalog.connected()) return std::move(all).error();
    if (all && !*all && Clock::now() < h.deadline) continue;
    if (all && *all) {
      h.done(h.id);
    } else {
      to_delete.push_back(h.id);
      h.done(all ? make_error("55P03", "transactions still use the tables whose placement changes",
                              "they did not end in time", "repeat the command when they have ended")
                 : std::move(all).error());
    }
    h.done = nullptr;
  }
  std::erase_if(holds, [](const HoldRequest& h) { return !h.done; });
  return {};
}

void Store::Impl::fail_requests(const Error& e) {
  for (HoldRequest& h : holds) {
    if (h.id != 0) to_delete.push_back(h.id);
    h.done(make_error("08001", "the catalog cannot be reached", e.message));
  }
  holds.clear();
  for (ReleaseRequest& r : releases) {
    to_delete.insert(to_delete.end(), r.holds.begin(), r.holds.end());
    r.holds.clear();
    if (Clock::now() > r.deadline) r.done();
  }
  std::erase_if(releases, [](const ReleaseRequest& r) { return Clock::now() > r.deadline; });
}

void Store::Impl::pause() {
  bool busy = !holds.empty() || !releases.empty();
  pollfd fds[2] = {{wake_fd, POLLIN, 0}, {catalog.socket(), POLLIN, 0}};
  const int count = catalog.connected() ? 2 : 1;
  const auto wait = busy ? std::min(options.poll, milliseconds(20)) : options.poll;
  ::poll(fds, static_cast<nfds_t>(count), static_cast<int>(wait.count()));
  std::uint64_t ignored = 0;
  if (fds[0].revents != 0) (void)!::read(wake_fd, &ignored, sizeof(ignored));
  if (count == 2 && fds[1].revents != 0) (void)catalog.notifications();
}

void Store::Impl::run() {
  for (;;) {
    take_requests();
    {
      std::lock_guard lock(mutex);
      if (stopping) break;
    }
    Result<> done = catalog.connected() ? Result<>{} : connect();
    if (done) done = tick();
    if (!done) {
      // A statement may fail without the connection (a lock timeout); a new one is always right.
      catalog.close();
      fail_requests(done.error());
      if (!std::exchange(reported_down, true)) log("catalog.lost", done.error().message);
    } else if (std::exchange(reported_down, false)) {
      log("catalog.found", "");
    }
    pause();
  }
  fail_requests(make_error("57P01", "the router shuts down"));
  for (ReleaseRequest& r : releases) r.done();
  releases.clear();
  if (catalog.connected()) {
    (void)catalog.query(fmt::format(
        "UPDATE shoal.router SET state = 'gone', lease_until = clock_timestamp() WHERE id = {};"
        "DELETE FROM shoal.hold WHERE router = {}; NOTIFY shoal_epoch",
        router, router));
  }
  catalog.close();
}

// What routers that are gone for good left in the catalog. A hold may only go when no transaction of
// its router is prepared any more: it could still commit a placement.
void Store::Impl::tidy(const RecoveryReport& report) {
  auto c = Pq::connect(options.catalog_dsn, kConnectTimeout, "shoal recovery");
  if (!c) return;
  (void)c->query(fmt::format(
      "DELETE FROM shoal.router WHERE state <> 'live' AND lease_until < now() - interval '1 day'"));
  if (report.left > 0 || !report.unreachable.empty() || !report.errors.empty()) return;
  auto lapsed = c->query(fmt::format(
      "SELECT id FROM shoal.router WHERE state = 'live' AND id <> {}"
      " AND lease_until < clock_timestamp() - interval '{} milliseconds'",
      router, options.lease.count() * kRouterTimeoutLeases));
  if (!lapsed) return;
  for (std::size_t i = 0; i < lapsed->rows.size(); ++i) {
    const int other = static_cast<int>(number(cell(*lapsed, i, 0)));
    log("router.lapsed", fmt::format("router {}", other));
    if (auto epoch = raise_epoch_against(*c, other)) (void)fence_on_shards(*c, other, *epoch);
  }
  // Only holds whose router was gone already when recovery looked.
  if (lapsed->rows.empty()) {
    (void)c->query("DELETE FROM shoal.hold h WHERE NOT EXISTS (SELECT FROM shoal.router r"
                   " WHERE r.id = h.router AND r.state = 'live')");
  }
}

void Store::Impl::run_recovery() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    stopped.wait_for(lock, options.recovery_period, [&] { return stopping; });
    if (stopping) break;
    lock.unlock();
    RecoveryOptions recovery_options;
    recovery_options.catalog_dsn = options.catalog_dsn;
    if (auto report = recover(recovery_options)) {
      if (report->committed + report->aborted > 0) {
        log("recovered", fmt::format("{} committed, {} aborted", report->committed, report->aborted));
      }
      tidy(*report);
    }
    lock.lock();
  }
}

Store::Store(Options options, Callbacks callbacks) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->callbacks = std::move(callbacks);
  impl_->wake_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

Store::~Store() {
  stop();
  ::close(impl_->wake_fd);
}

Result<catalog::SnapshotPtr> Store::start() {
  Impl& i = *impl_;
  SHOAL_TRY(i.connect());
  auto secret = read_secret(i.catalog);
  if (!secret) return std::move(secret).error();
  i.secret = std::move(*secret);
  SHOAL_TRY(i.register_router());
  SHOAL_TRY(i.notice_outside_changes());
  SHOAL_TRY(i.load());
  i.thread = std::thread([&i] { i.run(); });
  if (i.options.recovery_period.count() > 0) {
    i.recovery = std::thread([&i] { i.run_recovery(); });
  }
  return i.snapshot;
}

void Store::stop() {
  Impl& i = *impl_;
  {
    std::lock_guard lock(i.mutex);
    i.stopping = true;
  }
  i.stopped.notify_all();
  i.wake();
  if (i.thread.joinable()) i.thread.join();
  if (i.recovery.joinable()) i.recovery.join();
}

int Store::router_id() const { return impl_->router; }
const std::string& Store::secret() const { return impl_->secret; }
const std::string& Store::catalog_dsn() const { return impl_->options.catalog_dsn; }

catalog::SnapshotPtr Store::snapshot() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->snapshot;
}

void Store::acknowledge(std::uint64_t generation) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->acknowledged = std::max(impl_->acknowledged, generation);
  }
  impl_->wake();
}

void Store::wake() { impl_->wake(); }

namespace {

// Suspends until a function called on any thread resumes the coroutine on its own core.
template <class T>
struct Posted {
  std::function<void(std::function<void(T)>)> begin;
  std::optional<T> value{};

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    io::Core* core = &io::this_core();
    begin([this, core, h](T result) {
      core->post([this, h, result = std::make_shared<T>(std::move(result))] {
        value = std::move(*result);
        h.resume();
      });
    });
  }
  T await_resume() { return std::move(*value); }
};

}  // namespace

io::Task<Result<Store::HoldId>> Store::hold(std::vector<Oid> tables) {
  Impl* i = impl_.get();
  Posted<Result<HoldId>> posted;
  posted.begin = [i, &tables](std::function<void(Result<HoldId>)> done) {
    {
      std::lock_guard lock(i->mutex);
      if (i->stopping) return done(make_error("57P01", "the router shuts down"));
      i->new_holds.push_back(
          {std::move(tables), std::move(done), 0, Clock::now() + i->options.hold_timeout});
    }
    i->wake();
  };
  co_return co_await posted;
}

io::Task<> Store::release(std::vector<HoldId> holds, bool committed) {
  Impl* i = impl_.get();
  Posted<bool> posted;
  posted.begin = [i, &holds, committed](std::function<void(bool)> done) {
    {
      std::lock_guard lock(i->mutex);
      if (i->stopping) return done(true);
      i->new_releases.push_back({std::move(holds), committed, [done] { done(true); },
                                 Clock::now() + kReleasePatience});
    }
    i->wake();
  };
  co_await posted;
}

io::Task<Result<>> Store::run_blocking(std::function<Result<>()> work) {
  std::thread thread;
  Posted<Result<>> posted;
  posted.begin = [&thread, &work](std::function<void(Result<>)> done) {
    thread = std::thread([&work, done] { done(work()); });
  };
  Result<> result = co_await posted;
  thread.join();
  co_return result;
}

}  // namespace shoal::control
