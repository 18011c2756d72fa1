// For tests: PostgreSQL servers of their own, on free ports under a temporary directory, stopped
// and removed at the end. When the tests run as root the servers run as user postgres. Thread rule:
// one thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "control/pq.h"

namespace shoal::control {

class PgServers {
 public:
  // Starts `count` servers once per process; null when PostgreSQL is not installed.
  static PgServers* get(int count);
  ~PgServers();

  // A new database owned by role app on server `i`; returns its DSN as user postgres.
  std::string create_database(int server, const std::string& name);
  static std::string as_user(const std::string& dsn, const std::string& user);

 private:
  struct Server {
    std::string directory;
    int port = 0;
  };
  std::string root_;
  std::vector<Server> servers_;
  bool start(int count);
};

}  // namespace shoal::control
