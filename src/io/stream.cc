// Plain sockets: connect, listen, read, write.
#include "io/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "io/reactor.h"

namespace shoal::io {
namespace {

constexpr int kBacklog = 1024;
constexpr Milliseconds kAcceptAgain{100};  // after the process ran out of descriptors

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

bool would_block(int number) {
  return number == EAGAIN || number == EWOULDBLOCK;
}

class PlainStream final : public Stream {
 public:
  explicit PlainStream(std::unique_ptr<Descriptor> socket) : socket_(std::move(socket)) {
    const int one = 1;
    ::setsockopt(socket_->fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }

  Task<Result<std::size_t>> read_some(char* buffer, std::size_t size, Deadline deadline) override {
    for (;;) {
      SHOAL_CO_TRY(co_await socket_->readable(deadline));
      ssize_t n = receive(buffer, size);
      if (n >= 0) co_return static_cast<std::size_t>(n);
      if (!would_block(errno)) co_return system_error(errno);
    }
  }

  Result<std::size_t> try_read(char* buffer, std::size_t size) override {
    ssize_t n = receive(buffer, size);
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0) return make_error("08006", "connection closed");
    if (would_block(errno)) return std::size_t{0};
    return system_error(errno);
  }

  Task<Result<>> wait_readable(Deadline deadline) override {
    co_return co_await socket_->readable(deadline);
  }

  Task<Result<>> write(std::string_view data, Deadline deadline) override {
    for (;;) {
      Result<std::size_t> n = try_write(data);
      if (!n) co_return n.error();
      data.remove_prefix(*n);
      if (data.empty()) co_return Result<>();
      SHOAL_CO_TRY(co_await socket_->writable(deadline));
    }
  }

  Result<std::size_t> try_write(std::string_view data) override {
    for (;;) {
      ssize_t n = ::send(socket_->fd(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (would_block(errno)) return std::size_t{0};
      if (errno != EINTR) return system_error(errno);
    }
  }

  void close() override { socket_->close(); }
  bool encrypted() const override { return false; }
  std::string tls_server_end_point() const override { return {}; }
  std::string peer() const override { return peer_name(socket_->fd()); }
  int release_socket() override { return socket_->release(); }
  std::unique_ptr<Descriptor> take() { return std::move(socket_); }

 private:
  ssize_t receive(char* buffer, std::size_t size) {
    ssize_t n;
    do {
      n = ::recv(socket_->fd(), buffer, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < static_cast<ssize_t>(size)) {
      const int number = errno;
      socket_->drained();
      errno = number;
    }
    return n;
  }

  std::unique_ptr<Descriptor> socket_;
};

class SocketListener final : public Listener, Watched {
 public:
  SocketListener(Core& core, int fd, std::function<void(int)> accept)
      : loop_(core.impl()), fd_(fd), accept_(std::move(accept)) {
    loop_.watch(fd_, EPOLLIN, this);
  }
  ~SocketListener() override { close(); }

  void close() override {
    if (fd_ < 0) return;
    loop_.forget(this);
    ::close(std::exchange(fd_, -1));
    if (std::exchange(resting_, false)) loop_.timers.erase(rest_);
  }
  std::uint16_t port() const override {
    Address a;
    a.size = sizeof a.storage;
    if (::getsockname(fd_, a.get(), &a.size) != 0) return 0;
    if (a.storage.ss_family == AF_INET)
      return ntohs(reinterpret_cast<const sockaddr_in*>(&a.storage)->sin_port);
    if (a.storage.ss_family == AF_INET6)
      return ntohs(reinterpret_cast<const sockaddr_in6*>(&a.storage)->sin6_port);
    return 0;
  }

  void on_events(std::uint32_t) override {
    while (fd_ >= 0) {
      int client = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client >= 0) {
        accept_(client);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) rest();
      if (errno != EINTR && errno != ECONNABORTED) return;
    }
  }

 private:
  // Whoever waits in the backlog is looked at again when descriptors may be free.
  void rest() {
    const int number = errno;
    loop_.change(fd_, 0, this);
    resting_ = true;
    rest_ = loop_.at(Clock::now() + kAcceptAgain, [this] {
      resting_ = false;
      loop_.change(fd_, EPOLLIN, this);
    });
    errno = number;
  }

  Core::Impl& loop_;
  int fd_;
  std::function<void(int)> accept_;
  bool resting_ = false;
  Core::Impl::Timers::iterator rest_;
};

bool is_path(const std::string& host) {
  return !host.empty() && host[0] == '/';
}

Result<Address> unix_address(const std::string& path) {
  Address a;
  auto* un = reinterpret_cast<sockaddr_un*>(&a.storage);
  if (path.size() >= sizeof un->sun_path)
    return make_error("08001", "the path of a Unix socket is too long: " + path);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.c_str(), path.size() + 1);
  a.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return a;
}

// Blocks unless `flags` has AI_NUMERICHOST.
Result<std::vector<Address>> look_up(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  if (int bad = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found))
    return make_error("08001", fmt::format("host {}: {}", host, ::gai_strerror(bad)));
  std::vector<Address> all;
  for (addrinfo* a = found; a; a = a->ai_next) {
    Address& address = all.emplace_back();
    std::memcpy(&address.storage, a->ai_addr, a->ai_addrlen);
    address.size = a->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return all;
}

// Names are looked up on a thread of their own: a resolver may wait for seconds.
struct LookUp {
  std::string host, port;
  Result<std::vector<Address>> found = std::vector<Address>();
  std::coroutine_handle<> waiting;

  bool await_ready() {
    found = look_up(host, port, AI_NUMERICHOST | AI_NUMERICSERV);
    return found.has_value();
  }
  void await_suspend(std::coroutine_handle<> h) {
    waiting = h;
    std::thread([this, host = host, port = port, mailbox = this_core().impl().mailbox] {
      auto result = std::make_shared<Result<std::vector<Address>>>(look_up(host, port, 0));
      mailbox->put([this, result] {
        found = std::move(*result);
        waiting.resume();
      });
    }).detach();
  }
  void await_resume() const noexcept {}
};

Task<Result<StreamPtr>> connect_to(Address address, Deadline deadline) {
  int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return system_error(errno);
  // Connecting comes first: an unconnected socket reports a hang-up.
  const bool connected = ::connect(fd, address.get(), address.size) == 0;
  const int number = errno;
  auto socket = std::make_unique<Descriptor>(fd);
  if (!connected) {
    if (number != EINPROGRESS) co_return system_error(number);
    SHOAL_CO_TRY(co_await socket->writable(deadline));
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) co_return system_error(error);
  }
  co_return StreamPtr(std::make_unique<PlainStream>(std::move(socket)));
}

Result<std::unique_ptr<Listener>> listen_on(Core& core, const Address& address,
                                            const std::string& where,
                                            std::function<void(int)> accept) {
  int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (fd < 0 || ::bind(fd, address.get(), address.size) != 0 || ::listen(fd, kBacklog) != 0) {
    const int number = errno;
    if (fd >= 0) ::close(fd);
    return make_error("55000",
                      fmt::format("cannot listen on {}: {}", where, std::strerror(number)));
  }
  return std::unique_ptr<Listener>(std::make_unique<SocketListener>(core, fd, std::move(accept)));
}

}  // namespace

Error system_error(int number) {
  Error e = make_error("08006", fmt::format("connection failed: {}", std::strerror(number)));
  e.fatal = true;
  return e;
}

std::string peer_name(int fd) {
  Address a;
  a.size = sizeof a.storage;
  if (::getpeername(fd, a.get(), &a.size) != 0) return "unknown";
  if (a.storage.ss_family == AF_UNIX) return "unix";
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getnameinfo(a.get(), a.size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown";
  if (a.storage.ss_family == AF_INET6) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

std::unique_ptr<Descriptor> take_descriptor(Stream& plain) {
  return static_cast<PlainStream&>(plain).take();
}

StreamPtr adopt(int fd) {
  return std::make_unique<PlainStream>(std::make_unique<Descriptor>(fd));
}

Task<Result<StreamPtr>> connect(std::string host, std::string port, Deadline deadline) {
  if (is_path(host)) {
    Result<Address> address = unix_address(host + "/.s.PGSQL." + port);
    if (!address) co_return address.error();
    co_return co_await connect_to(*address, deadline);
  }
  LookUp look{.host = host, .port = port};
  co_await look;
  if (!look.found) co_return look.found.error();
  Error last = make_error("08001", "no address for host " + host);
  for (const Address& address : *look.found) {
    Result<StreamPtr> stream = co_await connect_to(address, deadline);
    if (stream) co_return std::move(*stream);
    last = stream.error();
    last.sqlstate = "08001";
  }
  co_return last;
}

Result<std::unique_ptr<Listener>> listen(Core& core, const std::string& host, std::uint16_t port,
                                         std::function<void(int)> accept) {
  const std::string where = fmt::format("{}:{}", host, port);
  std::string numeric = host;
  if (host == "*") numeric = "0.0.0.0";
  if (host == "localhost") numeric = "127.0.0.1";
  Result<std::vector<Address>> found =
      look_up(numeric, std::to_string(port), AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE);
  if (!found)
    return make_error("55000",
                      fmt::format("cannot listen on {}: {}", where, found.error().message));
  return listen_on(core, found->front(), where, std::move(accept));
}

Result<std::unique_ptr<Listener>> listen_unix(Core& core, const std::string& path,
                                              std::function<void(int)> accept) {
  Result<Address> address = unix_address(path);
  if (!address) return make_error("55000", address.error().message);
  ::unlink(path.c_str());
  return listen_on(core, *address, path, std::move(accept));
}

}  // namespace shoal::io
