// Server connections of one core, by shard, role and database. Idle ones are kept last in first
// out; when the core's share is used up, clients wait in order until one comes back or the
// deadline passes (SH0608).
// Thread rule: one core.
#pragma once
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "backend/connection.h"

namespace shoal::backend {

struct PoolKey {
  ShardId shard;
  std::string user, dbname;
  auto operator<=>(const PoolKey&) const = default;
};

struct PoolCounts {
  PoolKey key;
  std::string shard_name;
  std::size_t active = 0, idle = 0, login = 0, waiting = 0;
  io::Milliseconds longest_wait{0};
};

class Pool {
 public:
  // `share`: connections per key that this core may hold. `setup_sql`: runs on each new connection.
  Pool(std::size_t share, Limits limits) : share_(share), limits_(limits) {}
  ~Pool();

  // Where the connections of one shard, role and database are kept; valid as long as the pool.
  struct Bucket;
  Bucket* bucket(const Endpoint& endpoint, const Login& login);
  // An idle connection without waiting, or nothing.
  std::unique_ptr<Connection> try_take(Bucket* bucket);

  // What a connection is for. Whoever holds one for a statement may wait for one beside it, on the
  // same shard: so that these do not wait for each other, a few more may be open for the latter.
  enum class Use { kStatement, kBeside };
  // A connection that is ready and idle, owned by the caller until release() or destruction.
  // Errors: SH0608 at the pool_wait limit, what Connection::open reports.
  io::Task<Result<std::unique_ptr<Connection>>> acquire(Endpoint endpoint, Login login,
                                                        Use use = Use::kStatement);
  // Takes it back: kept when reusable, destroyed otherwise; wakes the next waiter.
  void release(std::unique_ptr<Connection> connection);

  // Runs on every new connection (the epoch check); may change while running.
  void set_setup_sql(std::string sql) { setup_sql_ = std::move(sql); }
  // Destroys all idle connections of a shard (its address changed) or, for 0, of all.
  void drop_idle(ShardId shard);
  // Destroys idle ones that were not used for `age`.
  void expire_idle(io::Milliseconds age);
  std::vector<PoolCounts> counts() const;
  std::vector<const Connection*> connections() const;

 private:
  void wake(Bucket& bucket);
  std::size_t most(Use use) const;
  std::unique_ptr<Connection> take_idle(Bucket& bucket);

  std::size_t share_;
  Limits limits_;
  std::string setup_sql_;
  std::map<PoolKey, std::unique_ptr<Bucket>> buckets_;
};

struct Pool::Bucket {
  std::vector<std::unique_ptr<Connection>> idle;
  std::vector<const Connection*> busy;
  std::size_t total = 0, opening = 0;
  std::size_t taken() const { return busy.size() + opening; }
  struct Waiter {
    io::Event event;
    io::Clock::time_point since;
    Use use = Use::kStatement;
    bool granted = false;
  };
  std::list<Waiter*> waiters;
  std::string shard_name;
};

}  // namespace shoal::backend
