// Borrowing, giving back, and one statement.
#include "pool.h"

#include <poll.h>

// Gives its connection back whatever happens.
class Pool::Lease {
 public:
  explicit Lease(Pool& pool) : pool_(pool), connection_(pool.borrow()) {}
  ~Lease() { pool_.give_back(std::move(connection_)); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  PGconn* get() const { return connection_.get(); }
  void open(const std::string& address) {
    connection_.reset(PQconnectdb(address.c_str()));
    if (PQstatus(get()) != CONNECTION_OK) throw DatabaseError(PQerrorMessage(get()));
  }

 private:
  Pool& pool_;
  Connection connection_;
};

namespace {

// A server that went away has something to say on an idle connection: its end.
bool is_usable(PGconn* connection) {
  if (connection == nullptr || PQstatus(connection) != CONNECTION_OK) return false;
  pollfd descriptor{PQsocket(connection), POLLIN, 0};
  return poll(&descriptor, 1, 0) == 0;
}

}  // namespace

Connection Pool::borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return lent_ < limit_; });
  ++lent_;
  if (idle_.empty()) return nullptr;
  Connection connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Pool::give_back(Connection connection) {
  const std::lock_guard lock(mutex_);
  --lent_;
  if (is_usable(connection.get())) idle_.push_back(std::move(connection));
  returned_.notify_one();
}

Rows Pool::query(const char* sql, const std::vector<std::string>& parameters) {
  Lease lease(*this);
  if (!is_usable(lease.get())) lease.open(address_);
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const std::unique_ptr<PGresult, Close> result(
      PQexecParams(lease.get(), sql, static_cast<int>(values.size()), nullptr, values.data(),
                   nullptr, nullptr, 0));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw DatabaseError(PQresultErrorMessage(result.get()));
  Rows rows;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    rows.emplace_back();
    for (int j = 0; j < PQnfields(result.get()); ++j)
      rows.back().emplace_back(PQgetvalue(result.get(), i, j));
  }
  return rows;
}
