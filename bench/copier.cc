// The floor of what a proxy can cost: copies bytes between clients and one server in a bare epoll
// loop. One thread, no protocol. Usage: copier LISTEN_PORT SERVER_PORT, both on 127.0.0.1. A
// direction stops reading while its unsent bytes wait (back-pressure), so memory is bounded.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

constexpr int kBufferBytes = 64 * 1024;

struct Link;

// One end of a connection pair. `unsent` was read from the peer and waits to be written here.
struct End {
  int fd = -1;
  End* peer = nullptr;
  Link* link = nullptr;
  std::vector<char> unsent;
};

struct Link {
  End client, server;
  bool closed = false;
};

int epoll_fd = -1;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

void watch(const End& end, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = const_cast<End*>(&end);
  epoll_ctl(epoll_fd, operation, end.fd, &event);
}

// Both ends read while nothing waits to be written to their peer; an end with unsent bytes writes.
void update(const End& end) {
  std::uint32_t events = 0;
  if (end.peer->unsent.empty()) events |= EPOLLIN;
  if (!end.unsent.empty()) events |= EPOLLOUT;
  watch(end, events, EPOLL_CTL_MOD);
}

// Returns false when the connection is over.
bool flush(End& to) {
  while (!to.unsent.empty()) {
    const ssize_t n = ::send(to.fd, to.unsent.data(), to.unsent.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    to.unsent.erase(to.unsent.begin(), to.unsent.begin() + n);
  }
  update(to);
  update(*to.peer);
  return true;
}

bool copy(End& from) {
  static std::array<char, kBufferBytes> buffer;
  const ssize_t n = ::recv(from.fd, buffer.data(), buffer.size(), 0);
  if (n == 0) return false;
  if (n < 0) return errno == EAGAIN;
  End& to = *from.peer;
  const ssize_t sent = ::send(to.fd, buffer.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent == n) return true;
  to.unsent.assign(buffer.begin() + (sent < 0 ? 0 : sent), buffer.begin() + n);
  update(to);
  update(from);
  return true;
}

int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) ||
      ::listen(fd, 512)) {
    std::perror("copier: listen");
    std::exit(1);
  }
  return fd;
}

std::unique_ptr<Link> accept_one(int listener, int server_port) {
  const int client = ::accept(listener, nullptr, nullptr);
  if (client < 0) return nullptr;
  const int server = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(server_port);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address)) {
    ::close(client);
    ::close(server);
    return nullptr;
  }
  auto link = std::make_unique<Link>();
  link->client = {client, &link->server, link.get(), {}};
  link->server = {server, &link->client, link.get(), {}};
  const int on = 1;
  for (End* end : {&link->client, &link->server}) {
    ::fcntl(end->fd, F_SETFL, O_NONBLOCK);
    ::setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(*end, EPOLLIN, EPOLL_CTL_ADD);
  }
  return link;
}

void close_link(Link& link) {
  if (link.closed) return;
  link.closed = true;
  ::close(link.client.fd);
  ::close(link.server.fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: copier LISTEN_PORT SERVER_PORT\n");
    return 2;
  }
  const int listener = listen_on(std::atoi(argv[1]));
  epoll_fd = ::epoll_create1(0);
  End accepting{listener, nullptr, nullptr, {}};
  watch(accepting, EPOLLIN, EPOLL_CTL_ADD);
  std::vector<std::unique_ptr<Link>> links;
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_fd, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      End& end = *static_cast<End*>(events[i].data.ptr);
      if (end.fd == listener) {
        if (auto link = accept_one(listener, std::atoi(argv[2]))) links.push_back(std::move(link));
        continue;
      }
      Link& link = *end.link;
      if (link.closed) continue;  // an earlier event of this round closed it
      const bool written = !(events[i].events & EPOLLOUT) || flush(end);
      const bool failed = events[i].events & (EPOLLERR | EPOLLHUP);
      const bool read = !(events[i].events & EPOLLIN) || copy(end);
      if (!written || !read || (failed && !(events[i].events & EPOLLIN))) close_link(link);
    }
    std::erase_if(links, [](const auto& link) { return link->closed; });
  }
}
