// The pool of one core.
#include "backend/pool.h"

namespace shoal::backend {
namespace {

constexpr io::Milliseconds kBelieved{50};
// One more connection for each so many.
constexpr std::size_t kBesideShare = 8;

}  // namespace

Pool::~Pool() = default;

Pool::Bucket* Pool::bucket(const Endpoint& endpoint, const Login& login) {
  std::unique_ptr<Bucket>& b = buckets_[PoolKey{endpoint.shard, login.user, endpoint.dbname}];
  if (!b) b = std::make_unique<Bucket>();
  b->shard_name = endpoint.name;
  return b.get();
}

std::size_t Pool::most(Use use) const {
  if (use == Use::kStatement) return share_;
  return share_ + std::max<std::size_t>(1, share_ / kBesideShare);
}

std::unique_ptr<Connection> Pool::try_take(Bucket* b) {
  if (b->taken() >= share_) return nullptr;
  return take_idle(*b);
}

std::unique_ptr<Connection> Pool::take_idle(Bucket& b) {
  while (!b.idle.empty()) {
    std::unique_ptr<Connection> c = std::move(b.idle.back());
    b.idle.pop_back();
    // A server that ended the connection meanwhile has said so. Asking costs a system call, so a
    // connection that was busy a moment ago is believed.
    bool rested = io::Clock::now() - c->idle_since > kBelieved;
    if (c->broken() || (rested && c->poll())) {
      c->close();
      --b.total;
      continue;
    }
    b.busy.push_back(c.get());
    c->bucket = &b;
    ++c->served;
    return c;
  }
  return nullptr;
}

io::Task<Result<std::unique_ptr<Connection>>> Pool::acquire(Endpoint endpoint, Login login,
                                                            Use use) {
  Bucket& b = *bucket(endpoint, login);
  io::Deadline deadline = io::Deadline::in(limits_.pool_wait);
  for (;;) {
    if (b.taken() < most(use)) {
      if (std::unique_ptr<Connection> c = take_idle(b)) co_return std::move(c);
      break;
    }
    Bucket::Waiter waiter;
    waiter.use = use;
    waiter.since = io::Clock::now();
    b.waiters.push_back(&waiter);
    bool woken = co_await waiter.event.wait(deadline);
    b.waiters.remove(&waiter);
    if (!woken && !waiter.granted)
      co_return refuse(Refusal::kPoolWait, fmt::format("all {} connections to shard {} are in use",
                                                       most(use), endpoint.name));
  }
  ++b.total;
  ++b.opening;
  Result<std::unique_ptr<Connection>> opened = co_await Connection::open(
      endpoint, login, setup_sql_, io::Deadline::in(limits_.connect_timeout));
  --b.opening;
  if (!opened) {
    --b.total;
    wake(b);
    co_return opened.error();
  }
  b.busy.push_back(opened->get());
  (*opened)->bucket = &b;
  ++(*opened)->served;
  co_return std::move(*opened);
}

void Pool::wake(Bucket& b) {
  for (Bucket::Waiter* w : b.waiters) {
    if (w->granted || b.taken() >= most(w->use)) continue;
    w->granted = true;
    w->event.set();
    return;
  }
}

void Pool::release(std::unique_ptr<Connection> c) {
  Bucket& b = *static_cast<Bucket*>(c->bucket);
  auto at = std::find(b.busy.begin(), b.busy.end(), c.get());
  *at = b.busy.back();
  b.busy.pop_back();
  c->client.clear();
  if (c->reusable()) {
    c->idle_since = io::Clock::now();
    c->rest();
    b.idle.push_back(std::move(c));
  } else {
    c->close();
    --b.total;
  }
  wake(b);
}

void Pool::drop_idle(ShardId shard) {
  for (auto& [key, b] : buckets_) {
    if (shard.value != 0 && key.shard != shard) continue;
    b->total -= b->idle.size();
    b->idle.clear();
    wake(*b);
  }
}

void Pool::expire_idle(io::Milliseconds age) {
  io::Clock::time_point before = io::Clock::now() - age;
  for (auto& [key, b] : buckets_)
    b->total -= std::erase_if(b->idle, [&](const auto& c) { return c->idle_since < before; });
}

std::vector<PoolCounts> Pool::counts() const {
  std::vector<PoolCounts> all;
  for (const auto& [key, b] : buckets_) {
    PoolCounts n{key, b->shard_name, b->busy.size(), b->idle.size(), b->opening, b->waiters.size()};
    for (const Bucket::Waiter* w : b->waiters)
      n.longest_wait =
          std::max(n.longest_wait,
                   std::chrono::duration_cast<io::Milliseconds>(io::Clock::now() - w->since));
    all.push_back(std::move(n));
  }
  return all;
}

std::vector<const Connection*> Pool::connections() const {
  std::vector<const Connection*> all;
  for (const auto& [key, b] : buckets_) {
    all.insert(all.end(), b->busy.begin(), b->busy.end());
    for (const auto& c : b->idle) all.push_back(c.get());
  }
  return all;
}

}  // namespace shoal::backend
