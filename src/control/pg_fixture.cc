// Starts and stops PostgreSQL for tests.
#include "control/pg_fixture.h"

#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace shoal::control {
namespace {

namespace fs = std::filesystem;

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

std::string bin_directory() {
  for (int version = 18; version >= 13; --version) {
    std::string dir = fmt::format("/usr/lib/postgresql/{}/bin", version);
    if (fs::exists(dir + "/initdb")) return dir;
  }
  return {};
}

bool run(const std::string& command) {
  const std::string full =
      ::geteuid() == 0 ? fmt::format("runuser -u postgres -- {}", command) : command;
  return std::system((full + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

PgServers* PgServers::get(int count) {
  static std::unique_ptr<PgServers> servers;
  static const bool started = [&] {
    auto s = std::make_unique<PgServers>();
    if (!s->start(count)) return false;
    servers = std::move(s);
    return true;
  }();
  return started ? servers.get() : nullptr;
}

bool PgServers::start(int count) {
  const std::string bin = bin_directory();
  if (bin.empty()) return false;
  char name[] = "/tmp/shoal-control-XXXXXX";
  if (!::mkdtemp(name)) return false;
  root_ = name;
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    if (!user || ::chown(name, user->pw_uid, user->pw_gid) != 0) return false;
  }
  for (int i = 0; i < count; ++i) {
    Server s{fmt::format("{}/{}", root_, i), free_port()};
    const std::string options = fmt::format(
        "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off "
        "-c max_prepared_transactions=50 -c wal_level=logical -c shared_buffers=16MB",
        s.port);
    if (!run(fmt::format("{}/initdb -D {} -U postgres -A trust --locale=C.UTF-8 -E UTF8 -N", bin,
                         s.directory)) ||
        !run(fmt::format("{0}/pg_ctl -D {1} -l {1}.log -w -o '{2}' start", bin, s.directory,
                         options))) {
      return false;
    }
    servers_.push_back(s);
    auto c =
        Pq::connect(fmt::format("host=127.0.0.1 port={} dbname=postgres user=postgres", s.port),
                    std::chrono::seconds(5));
    if (!c || !c->query("CREATE ROLE app LOGIN; CREATE ROLE other LOGIN")) return false;
  }
  return true;
}

PgServers::~PgServers() {
  for (const Server& s : servers_) {
    run(fmt::format("{}/pg_ctl -D {} -m immediate -w stop", bin_directory(), s.directory));
  }
  std::error_code ignored;
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

std::string PgServers::create_database(int server, const std::string& name) {
  const int port = servers_.at(static_cast<std::size_t>(server)).port;
  auto c = Pq::connect(fmt::format("host=127.0.0.1 port={} dbname=postgres user=postgres", port),
                       std::chrono::seconds(5));
  if (!c || !c->query(fmt::format("CREATE DATABASE {} OWNER app", quote_ident(name)))) return {};
  return fmt::format("host=127.0.0.1 port={} dbname={} user=postgres", port, name);
}

std::string PgServers::as_user(const std::string& dsn, const std::string& user) {
  Dsn parts = *parse_dsn(dsn);
  parts.user = user;
  return parts.text({});
}

}  // namespace shoal::control
