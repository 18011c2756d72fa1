// TLS over a plain stream, by OpenSSL on the stream's own descriptor.
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "io/reactor.h"
#include "io/stream.h"

namespace shoal::io {

class TlsContext {
 public:
  explicit TlsContext(const SSL_METHOD* method) : context(SSL_CTX_new(method), &SSL_CTX_free) {}
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context;
  bool verify_host = false;
};

namespace {

std::string openssl_error() {
  const unsigned long number = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = number ? ERR_reason_error_string(number) : nullptr;
  return reason ? reason : "unknown error";
}

Result<std::shared_ptr<TlsContext>> make_context(const SSL_METHOD* method, const TlsFiles& files) {
  auto unusable = [](const std::string& file) {
    return make_error("F0000",
                      fmt::format("TLS files cannot be used: {}: {}", file, openssl_error()));
  };
  auto tls = std::make_shared<TlsContext>(method);
  SSL_CTX* context = tls->context.get();
  tls->verify_host = files.verify_host;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  ERR_clear_error();
  if (!files.certificate.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
      return unusable(files.certificate);
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
      return unusable(files.key);
  }
  if (!files.ca.empty()) {
    if (SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1)
      return unusable(files.ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  return tls;
}

// The hash that tls-server-end-point (RFC 5929 section 4) prescribes for the server's certificate.
std::string end_point_hash(SSL* handle, bool server) {
  X509* certificate = server ? SSL_get_certificate(handle) : SSL_get1_peer_certificate(handle);
  if (!certificate) return {};
  int digest_nid = NID_undef;
  OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest_nid, nullptr);
  const EVP_MD* digest = EVP_get_digestbynid(digest_nid);
  if (!digest || digest_nid == NID_md5 || digest_nid == NID_sha1) digest = EVP_sha256();
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(certificate, digest, out, &size);
  if (!server) X509_free(certificate);
  return std::string(reinterpret_cast<char*>(out), size);
}

int clamped(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

// Waiting: OpenSSL reads and writes the descriptor itself and says what it lacks. A write never
// lacks input after the handshake, because renegotiation is off.
class TlsStream final : public Stream {
 public:
  TlsStream(std::unique_ptr<Descriptor> socket, std::shared_ptr<TlsContext> tls, bool server)
      : tls_(std::move(tls)),
        socket_(std::move(socket)),
        ssl_(SSL_new(tls_->context.get()), &SSL_free),
        server_(server) {
    SSL_set_fd(ssl_.get(), socket_->fd());
  }

  Task<Result<>> handshake(const std::string& host, Deadline deadline) {
    if (server_) {
      SSL_set_accept_state(ssl_.get());
    } else {
      SSL_set_connect_state(ssl_.get());
      expect(host);
    }
    for (;;) {
      ERR_clear_error();
      const int done = SSL_do_handshake(ssl_.get());
      if (done == 1) co_return Result<>();
      const int lacks = SSL_get_error(ssl_.get(), done);
      if (lacks == SSL_ERROR_WANT_READ) {
        socket_->drained();
        SHOAL_CO_TRY(co_await socket_->readable(deadline));
      } else if (lacks == SSL_ERROR_WANT_WRITE) {
        SHOAL_CO_TRY(co_await socket_->writable(deadline));
      } else {
        co_return failure(lacks);
      }
    }
  }

  Task<Result<std::size_t>> read_some(char* buffer, std::size_t size, Deadline deadline) override {
    for (;;) {
      Result<int> n = read(buffer, size, &SSL_read);
      if (!n) co_return n.error();
      if (*n > 0) co_return static_cast<std::size_t>(*n);
      if (ended_) co_return std::size_t{0};
      SHOAL_CO_TRY(co_await socket_->readable(deadline));
    }
  }

  Result<std::size_t> try_read(char* buffer, std::size_t size) override {
    Result<int> n = read(buffer, size, &SSL_read);
    if (!n) return n.error();
    if (*n == 0 && ended_) return make_error("08006", "connection closed");
    return static_cast<std::size_t>(*n);
  }

  // Readable is what can be read decrypted, not the bytes of a record's first half.
  Task<Result<>> wait_readable(Deadline deadline) override {
    for (;;) {
      char c;
      Result<int> n = read(&c, 1, &SSL_peek);
      if (!n) co_return n.error();
      if (*n > 0 || ended_) co_return Result<>();
      SHOAL_CO_TRY(co_await socket_->readable(deadline));
    }
  }

  Task<Result<>> write(std::string_view data, Deadline deadline) override {
    for (;;) {
      Result<std::size_t> n = try_write(data);
      if (!n) co_return n.error();
      data.remove_prefix(*n);
      if (data.empty()) co_return Result<>();
      if (*n == 0) SHOAL_CO_TRY(co_await socket_->writable(deadline));
    }
  }

  Result<std::size_t> try_write(std::string_view data) override {
    if (data.empty()) return std::size_t{0};
    if (socket_->fd() < 0) return system_error(ECANCELED);
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), data.data(), clamped(data.size()));
    if (n > 0) return static_cast<std::size_t>(n);
    const int lacks = SSL_get_error(ssl_.get(), n);
    if (lacks == SSL_ERROR_WANT_WRITE || lacks == SSL_ERROR_WANT_READ) return std::size_t{0};
    return failure(lacks);
  }

  void close() override { socket_->close(); }
  bool encrypted() const override { return true; }
  std::string tls_server_end_point() const override { return end_point_hash(ssl_.get(), server_); }
  std::string peer() const override { return peer_name(socket_->fd()); }
  int release_socket() override { return -1; }

 private:
  // The server's name goes out (SNI) and, where asked for, must be in its certificate.
  void expect(const std::string& host) {
    if (host.empty() || host[0] == '/') return;
    unsigned char numeric[16];
    const bool address = inet_pton(AF_INET, host.c_str(), numeric) == 1 ||
                         inet_pton(AF_INET6, host.c_str(), numeric) == 1;
    if (!address) SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    if (!tls_->verify_host) return;
    if (address)
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
    else
      SSL_set1_host(ssl_.get(), host.c_str());
  }

  // 0: nothing is there now, or, with ended_, nothing will come.
  Result<int> read(char* buffer, std::size_t size, int (*how)(SSL*, void*, int)) {
    if (socket_->fd() < 0) return system_error(ECANCELED);
    ERR_clear_error();
    const int n = how(ssl_.get(), buffer, clamped(size));
    if (n > 0) return n;
    const int lacks = SSL_get_error(ssl_.get(), n);
    if (lacks == SSL_ERROR_WANT_READ || lacks == SSL_ERROR_WANT_WRITE) {
      socket_->drained();
      return 0;
    }
    // A peer that closes without a close_notify is common, and the protocol has its own end.
    const bool cut = lacks == SSL_ERROR_SSL &&
                     ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    ended_ = cut || lacks == SSL_ERROR_ZERO_RETURN || (lacks == SSL_ERROR_SYSCALL && errno == 0);
    if (ended_) return 0;
    return failure(lacks);
  }

  Error failure(int lacks) const {
    if (lacks == SSL_ERROR_SYSCALL && errno != 0) return system_error(errno);
    Error e = make_error("08006", "connection failed: " + openssl_error());
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) e.detail = X509_verify_cert_error_string(verified);
    e.fatal = true;
    return e;
  }

  std::shared_ptr<TlsContext> tls_;
  std::unique_ptr<Descriptor> socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool server_;
  bool ended_ = false;
};

Task<Result<StreamPtr>> start_tls(StreamPtr plain, std::shared_ptr<TlsContext> tls, bool server,
                                  std::string host, Deadline deadline) {
  auto stream = std::make_unique<TlsStream>(take_descriptor(*plain), std::move(tls), server);
  SHOAL_CO_TRY(co_await stream->handshake(host, deadline));
  co_return StreamPtr(std::move(stream));
}

}  // namespace

Result<std::shared_ptr<TlsContext>> make_tls_server(const TlsFiles& files) {
  return make_context(TLS_server_method(), files);
}
Result<std::shared_ptr<TlsContext>> make_tls_client(const TlsFiles& files) {
  return make_context(TLS_client_method(), files);
}

Task<Result<StreamPtr>> start_tls_client(StreamPtr plain, std::shared_ptr<TlsContext> tls,
                                         std::string host, Deadline deadline) {
  return start_tls(std::move(plain), std::move(tls), false, std::move(host), deadline);
}
Task<Result<StreamPtr>> start_tls_server(StreamPtr plain, std::shared_ptr<TlsContext> tls,
                                         Deadline deadline) {
  return start_tls(std::move(plain), std::move(tls), true, {}, deadline);
}

}  // namespace shoal::io
