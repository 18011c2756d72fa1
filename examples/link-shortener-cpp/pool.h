// The connections to one node: at most `limit`, made when needed, borrowed and given back.
// Thread rule: everything here may be called from several threads; a Lease belongs to one.
#pragma once
#include <libpq-fe.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct Close {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Close>;

// What the server answered: rows of text.
using Rows = std::vector<std::vector<std::string>>;

struct DatabaseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Pool {
 public:
  explicit Pool(std::string address, std::size_t limit = 8)
      : address_(std::move(address)), limit_(limit) {}

  // Runs one statement on a free connection, waiting for one if all are in use. A connection that
  // is found dead before anything was sent on it is replaced.
  Rows query(const char* sql, const std::vector<std::string>& parameters = {});
  const std::string& address() const { return address_; }

 private:
  class Lease;
  Connection borrow();
  void give_back(Connection connection);

  const std::string address_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Connection> idle_;
  std::size_t lent_ = 0;
};
