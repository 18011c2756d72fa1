// Plain sockets: connect, listen, read, write.
#include "io/stream.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>

#include "io/asio.h"
#include "io/socket.h"

namespace shoal::io {
namespace {

namespace asio = boost::asio;

class PlainStream final : public Stream {
 public:
  explicit PlainStream(Socket socket) : socket_(std::move(socket)) {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
    int one = 1;
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }

  Task<Result<std::size_t>> read_some(char* buffer, std::size_t size, Deadline deadline) override {
    auto start = [&](auto handler) {
      socket_.async_read_some(asio::buffer(buffer, size), std::move(handler));
    };
    Watchdog watchdog(socket_, deadline);
    WaitFor<decltype(start)> wait{start};
    co_await wait;
    if (wait.error == asio::error::eof) co_return std::size_t{0};
    if (wait.error) co_return watchdog.error(wait.error);
    co_return wait.bytes;
  }

  Result<std::size_t> try_read(char* buffer, std::size_t size) override {
    for (;;) {
      ssize_t n = ::recv(socket_.native_handle(), buffer, size, MSG_DONTWAIT);
      if (n > 0) return static_cast<std::size_t>(n);
      if (n == 0) return make_error("08006", "connection closed");
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
      if (errno != EINTR)
        return io_error(boost::system::error_code(errno, boost::system::system_category()));
    }
  }

  Task<Result<>> wait_readable(Deadline deadline) override {
    auto start = [&](auto handler) { socket_.async_wait(Socket::wait_read, std::move(handler)); };
    Watchdog watchdog(socket_, deadline);
    WaitFor<decltype(start)> wait{start};
    co_await wait;
    if (wait.error) co_return watchdog.error(wait.error);
    co_return Result<>();
  }

  Task<Result<>> write(std::string_view data, Deadline deadline) override {
    while (!data.empty()) {
      Result<std::size_t> n = try_write(data);
      if (!n) co_return n.error();
      data.remove_prefix(*n);
      if (data.empty()) break;
      auto start = [&](auto handler) {
        socket_.async_wait(Socket::wait_write, std::move(handler));
      };
      Watchdog watchdog(socket_, deadline);
      WaitFor<decltype(start)> wait{start};
      co_await wait;
      if (wait.error) co_return watchdog.error(wait.error);
    }
    co_return Result<>();
  }

  Result<std::size_t> try_write(std::string_view data) override {
    for (;;) {
      ssize_t n =
          ::send(socket_.native_handle(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
      if (errno != EINTR)
        return io_error(boost::system::error_code(errno, boost::system::system_category()));
    }
  }

  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }
  bool encrypted() const override { return false; }
  std::string tls_server_end_point() const override { return {}; }
  std::string peer() const override { return peer_name(socket_); }
  int release_socket() override {
    boost::system::error_code ec;
    int fd = socket_.release(ec);
    return ec ? -1 : fd;
  }
  Socket take() { return std::move(socket_); }

 private:
  Socket socket_;
};

bool is_path(const std::string& host) {
  return !host.empty() && host[0] == '/';
}

template <class Protocol>
class AsioListener final : public Listener {
 public:
  AsioListener(asio::io_context& context, typename Protocol::endpoint endpoint,
               std::function<void(int)> accept)
      : acceptor_(context), accept_(std::move(accept)) {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen(1024);
    next();
  }
  void close() override {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }
  std::uint16_t port() const override {
    if constexpr (std::is_same_v<Protocol, asio::ip::tcp>)
      return acceptor_.local_endpoint().port();
    else
      return 0;
  }

 private:
  void next() {
    acceptor_.async_accept([this](boost::system::error_code ec, typename Protocol::socket socket) {
      if (ec == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (!ec) accept_(socket.release());
      next();
    });
  }
  typename Protocol::acceptor acceptor_;
  std::function<void(int)> accept_;
};

}  // namespace

Error io_error(const boost::system::error_code& ec) {
  Error e = make_error("08006", "connection failed: " + ec.message());
  e.fatal = true;
  return e;
}

std::string peer_name(const Socket& socket) {
  boost::system::error_code ec;
  auto endpoint = socket.remote_endpoint(ec);
  if (ec) return "unknown";
  if (endpoint.protocol().family() == AF_UNIX) return "unix";
  asio::ip::tcp::endpoint tcp;
  if (endpoint.size() > tcp.capacity()) return "unknown";
  tcp.resize(endpoint.size());
  std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
  return fmt::format("{}:{}", tcp.address().to_string(), tcp.port());
}

Socket take_socket(Stream& plain) {
  return static_cast<PlainStream&>(plain).take();
}

StreamPtr adopt(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  asio::generic::stream_protocol protocol(address.ss_family,
                                          address.ss_family == AF_UNIX ? 0 : IPPROTO_TCP);
  return std::make_unique<PlainStream>(Socket(this_core().impl().context, protocol, fd));
}

Task<Result<StreamPtr>> connect(std::string host, std::string port, Deadline deadline) {
  asio::io_context& context = this_core().impl().context;
  std::vector<asio::generic::stream_protocol::endpoint> endpoints;
  if (is_path(host)) {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(host + "/.s.PGSQL." + port));
  } else {
    asio::ip::tcp::resolver resolver(context);
    asio::ip::tcp::resolver::results_type results;
    boost::system::error_code error;
    auto start = [&](auto handler) {
      resolver.async_resolve(
          host, port,
          [&, handler = std::move(handler)](boost::system::error_code ec, auto found) mutable {
            results = found;
            handler(ec);
          });
    };
    WaitFor<decltype(start)> wait{start};
    co_await wait;
    if (wait.error) co_return io_error(wait.error);
    for (const auto& entry : results) endpoints.emplace_back(entry.endpoint());
  }
  Error last = make_error("08001", "no address for host " + host);
  for (const auto& endpoint : endpoints) {
    Socket socket(context);
    auto start = [&](auto handler) { socket.async_connect(endpoint, std::move(handler)); };
    Watchdog watchdog(socket, deadline);
    WaitFor<decltype(start)> wait{start};
    co_await wait;
    if (!wait.error) co_return StreamPtr(std::make_unique<PlainStream>(std::move(socket)));
    last = watchdog.error(wait.error);
    last.sqlstate = "08001";
  }
  co_return last;
}

Result<std::unique_ptr<Listener>> listen(Core& core, const std::string& host, std::uint16_t port,
                                         std::function<void(int)> accept) {
  try {
    asio::ip::tcp::endpoint endpoint(asio::ip::make_address(host == "*"           ? "0.0.0.0"
                                                            : host == "localhost" ? "127.0.0.1"
                                                                                  : host),
                                     port);
    return std::unique_ptr<Listener>(std::make_unique<AsioListener<asio::ip::tcp>>(
        core.impl().context, endpoint, std::move(accept)));
  } catch (const boost::system::system_error& e) {
    return make_error("55000",
                      fmt::format("cannot listen on {}:{}: {}", host, port, e.code().message()));
  }
}

Result<std::unique_ptr<Listener>> listen_unix(Core& core, const std::string& path,
                                              std::function<void(int)> accept) {
  try {
    ::unlink(path.c_str());
    return std::unique_ptr<Listener>(std::make_unique<AsioListener<asio::local::stream_protocol>>(
        core.impl().context, asio::local::stream_protocol::endpoint(path), std::move(accept)));
  } catch (const boost::system::system_error& e) {
    return make_error("55000", fmt::format("cannot listen on {}: {}", path, e.code().message()));
  }
}

}  // namespace shoal::io
