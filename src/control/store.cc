// The store's thread: one loop over "look at the catalog, do what is asked for, wait". Requests of
// other threads are queued under the mutex and answered by their own completion function.

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>

#include "control/fence.h"
#include "control/init.h"
#include "control/loader.h"
#include "control/recovery.h"
#include "control/store_impl.h"
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

}  // namespace

std::int64_t read_number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<> Store::Impl::connect() {
  auto c = Pq::connect(options.catalog_dsn, kConnectTimeout, "shoal router");
  if (!c) return std::move(c).error();
  catalog = std::move(*c);
  connected_at = Clock::now();
  SHOAL_TRY(
      catalog.query("SET statement_timeout = '30s'; SET lock_timeout = '10s';"
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
  router = static_cast<int>(read_number(cell(*rows, 0, 0)));
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

// Somebody may change home's schema past the routers; their snapshots follow all the same.
Result<> Store::Impl::notice_outside_changes() {
  if (Clock::now() - mark_read < kMarkPeriod) return {};
  mark_read = Clock::now();
  SHOAL_TRY(
      catalog.query("UPDATE shoal.cluster c SET epoch = epoch + 1, schema_mark = m.mark"
                    " FROM (SELECT shoal.schema_mark() AS mark) m WHERE c.schema_mark <> m.mark"));
  return {};
}

Result<> Store::Impl::look() {
  auto rows = catalog.query(fmt::format(
      "SELECT c.epoch, (SELECT state FROM shoal.router WHERE id = {}) FROM shoal.cluster c",
      router));
  if (!rows) return std::move(rows).error();
  const std::int64_t epoch = read_number(cell(*rows, 0, 0));
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

// What routers that are gone for good left in the catalog. A hold may only go when no transaction
// of its router is prepared any more: it could still commit a placement.
void Store::Impl::tidy(const RecoveryReport& report, std::set<int>& suspects) {
  auto c = Pq::connect(options.catalog_dsn, kConnectTimeout, "shoal recovery");
  if (!c) return;
  (void)c->query(fmt::format(
      "DELETE FROM shoal.router WHERE state <> 'live' AND lease_until < now() - interval '1 day'"));
  if (report.left > 0 || !report.unreachable.empty() || !report.errors.empty()) return;
  auto lapsed =
      c->query(fmt::format("SELECT id FROM shoal.router WHERE state = 'live' AND id <> {}"
                           " AND lease_until < clock_timestamp() - interval '{} milliseconds'",
                           router, options.lease.count() * kRouterTimeoutLeases));
  if (!lapsed) return;
  std::set<int> lapsed_now;
  for (std::size_t i = 0; i < lapsed->rows.size(); ++i) {
    const int other = static_cast<int>(read_number(cell(*lapsed, i, 0)));
    lapsed_now.insert(other);
    // After an outage of the catalog every lease has lapsed: a router gets one period to renew it.
    if (!suspects.contains(other)) continue;
    log("router.lapsed", fmt::format("router {}", other));
    if (auto epoch = raise_epoch_against(*c, other)) (void)fence_on_shards(*c, other, *epoch);
  }
  suspects = std::move(lapsed_now);
  // Only holds whose router was gone already when recovery looked.
  if (lapsed->rows.empty()) {
    (void)c->query(
        "DELETE FROM shoal.hold h WHERE NOT EXISTS (SELECT FROM shoal.router r"
        " WHERE r.id = h.router AND r.state = 'live')");
  }
}

void Store::Impl::run_recovery() {
  std::set<int> suspects;
  std::unique_lock lock(mutex);
  while (!stopping) {
    stopped.wait_for(lock, options.recovery_period, [&] { return stopping; });
    if (stopping) break;
    lock.unlock();
    RecoveryOptions recovery_options;
    recovery_options.catalog_dsn = options.catalog_dsn;
    if (auto report = recover(recovery_options)) {
      if (report->committed + report->aborted > 0) {
        log("recovered",
            fmt::format("{} committed, {} aborted", report->committed, report->aborted));
      }
      tidy(*report, suspects);
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

int Store::router_id() const {
  return impl_->router;
}
const std::string& Store::secret() const {
  return impl_->secret;
}
const std::string& Store::catalog_dsn() const {
  return impl_->options.catalog_dsn;
}

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

void Store::wake() {
  impl_->wake();
}

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
      i->new_releases.push_back(
          {std::move(holds), committed, [done] { done(true); }, Clock::now() + kReleasePatience});
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
