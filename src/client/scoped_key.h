// A connection to the router that is about one key for a while: SET shoal.key now, RESET at the
// end. Thread rule: as its connection, one thread at a time.
#pragma once
#include <string_view>

#include "base/result.h"

struct pg_conn;  // libpq's PGconn

namespace shoal::client {

class ScopedKey {
 public:
  ScopedKey(ScopedKey&& other) noexcept : connection_(other.connection_) {
    other.connection_ = nullptr;
  }
  ScopedKey& operator=(ScopedKey&&) = delete;
  // Resets the key. A connection that can't be reset is closed by the server or the router; a
  // failed transaction must be rolled back before the scope ends.
  ~ScopedKey();

  // Resets now and tells whether that worked.
  Result<> end();

 private:
  friend Result<ScopedKey> with_key(pg_conn* connection, std::string_view key);
  explicit ScopedKey(pg_conn* connection) : connection_(connection) {}
  pg_conn* connection_;  // nullptr after end()
};

// Every statement of the connection is about this key until the result goes out of scope.
Result<ScopedKey> with_key(pg_conn* connection, std::string_view key);

}  // namespace shoal::client
