// A connected byte stream: TCP, Unix socket, TLS over either. The one type that knows sockets, so
// that the event library below can be replaced.
// Thread rule: a stream lives on one core; it may be moved to another core only while idle
// (release_socket / adopt).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "io/core.h"

namespace shoal::io {

// TLS configuration of one side, loaded once at start-up. Owns the OpenSSL context.
class TlsContext;
struct TlsFiles {
  std::string certificate, key, ca;  // PEM files; ca empty: peer is not verified
  bool verify_host = false;
};
Result<std::shared_ptr<TlsContext>> make_tls_server(const TlsFiles& files);
Result<std::shared_ptr<TlsContext>> make_tls_client(const TlsFiles& files);

// Errors of all operations: 08006 with the system's text; 08000 "closed" at end of stream (read
// gives 0 instead); 57014 at the deadline.
class Stream {
 public:
  virtual ~Stream() = default;
  // Reads 1..size bytes into `buffer`, which must live until the task ends. 0 = end of stream.
  virtual Task<Result<std::size_t>> read_some(char* buffer, std::size_t size, Deadline) = 0;
  // Reads what is there without waiting; 0 = nothing there now; an Error at end of stream.
  virtual Result<std::size_t> try_read(char* buffer, std::size_t size) = 0;
  // Waits until there is something to read (or the end) without holding a buffer.
  virtual Task<Result<>> wait_readable(Deadline) = 0;
  // Writes all bytes. `data` must live until the task ends.
  virtual Task<Result<>> write(std::string_view data, Deadline) = 0;
  // Writes what fits without waiting; returns how much.
  virtual Result<std::size_t> try_write(std::string_view data) = 0;
  virtual void close() = 0;  // wakes waiting operations with an error; idempotent
  virtual bool encrypted() const = 0;
  virtual std::string tls_server_end_point() const = 0;  // channel binding hash, empty without TLS
  virtual std::string peer() const = 0;                  // "127.0.0.1:54321" or "unix:..."
  // Gives up the socket to carry it to another core; only for plain idle streams, -1 otherwise.
  virtual int release_socket() = 0;
};
using StreamPtr = std::unique_ptr<Stream>;

// host starting with '/' is a Unix socket directory, as in libpq. Resolves names off the core.
Task<Result<StreamPtr>> connect(std::string host, std::string port, Deadline deadline);
StreamPtr adopt(int connected_socket);  // takes ownership of a connected non-blocking socket
// TLS handshakes; the plain stream is consumed. `host` for verification.
Task<Result<StreamPtr>> start_tls_client(StreamPtr plain, std::shared_ptr<TlsContext> tls,
                                         std::string host, Deadline deadline);
Task<Result<StreamPtr>> start_tls_server(StreamPtr plain, std::shared_ptr<TlsContext> tls,
                                         Deadline deadline);

// Listens on host:port and hands each accepted socket (owned, non-blocking, TCP_NODELAY) to
// `accept` on this core, until close().
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void close() = 0;
  virtual std::uint16_t port() const = 0;
};
Result<std::unique_ptr<Listener>> listen(Core& core, const std::string& host, std::uint16_t port,
                                         std::function<void(int socket)> accept);
Result<std::unique_ptr<Listener>> listen_unix(Core& core, const std::string& path,
                                              std::function<void(int socket)> accept);

}  // namespace shoal::io
