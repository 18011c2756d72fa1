// TLS over a plain stream, by Asio's OpenSSL engine.
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/ssl.hpp>

#include "io/socket.h"
#include "io/stream.h"

namespace shoal::io {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

class TlsContext {
 public:
  explicit TlsContext(ssl::context::method method) : context(method) {}
  ssl::context context;
  bool verify_host = false;
};

namespace {

Result<std::shared_ptr<TlsContext>> make_context(ssl::context::method method,
                                                 const TlsFiles& files) {
  try {
    auto tls = std::make_shared<TlsContext>(method);
    tls->verify_host = files.verify_host;
    tls->context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                             ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                             ssl::context::no_tlsv1_1);
    if (!files.certificate.empty()) {
      tls->context.use_certificate_chain_file(files.certificate);
      tls->context.use_private_key_file(files.key, ssl::context::pem);
    }
    if (!files.ca.empty()) {
      tls->context.load_verify_file(files.ca);
      tls->context.set_verify_mode(ssl::verify_peer);
    }
    return tls;
  } catch (const boost::system::system_error& e) {
    return make_error("F0000", std::string("TLS files cannot be used: ") + e.what());
  }
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

class TlsStream final : public Stream {
 public:
  TlsStream(Socket socket, std::shared_ptr<TlsContext> tls, bool server)
      : tls_(std::move(tls)), stream_(std::move(socket), tls_->context), server_(server) {}

  Task<Result<>> handshake(const std::string& host, Deadline deadline) {
    if (!server_ && !host.empty() && host[0] != '/') {
      SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
      if (tls_->verify_host) stream_.set_verify_callback(ssl::host_name_verification(host));
    }
    auto start = [&](auto handler) {
      stream_.async_handshake(server_ ? ssl::stream_base::server : ssl::stream_base::client,
                              std::move(handler));
    };
    Watchdog watchdog(stream_.next_layer(), deadline);
    WaitFor<decltype(start)> wait{start};
    co_await wait;
    if (wait.error) co_return watchdog.error(wait.error);
    co_return Result<>();
  }

  Task<Result<std::size_t>> read_some(char* buffer, std::size_t size, Deadline deadline) override {
    if (peeked_) co_return try_read(buffer, size);
    auto start = [&](auto handler) {
      stream_.async_read_some(asio::buffer(buffer, size), std::move(handler));
    };
    Watchdog watchdog(stream_.next_layer(), deadline);
    WaitFor<decltype(start)> wait{start};
    co_await wait;
    if (wait.error == asio::error::eof || wait.error == ssl::error::stream_truncated)
      co_return std::size_t{0};
    if (wait.error) co_return watchdog.error(wait.error);
    co_return wait.bytes;
  }

  // Decrypted bytes that are there already; never touches the socket.
  Result<std::size_t> try_read(char* buffer, std::size_t size) override {
    if (peeked_) {
      buffer[0] = *peeked_;
      peeked_.reset();
      return std::size_t{1};
    }
    int pending = SSL_pending(stream_.native_handle());
    if (pending <= 0) return std::size_t{0};
    int n =
        SSL_read(stream_.native_handle(), buffer,
                 static_cast<int>(std::min<std::size_t>(size, static_cast<std::size_t>(pending))));
    return n > 0 ? static_cast<std::size_t>(n) : std::size_t{0};
  }

  // TLS can't tell without reading, so one byte is read and kept for try_read.
  Task<Result<>> wait_readable(Deadline deadline) override {
    if (peeked_) co_return Result<>();
    char c;
    Result<std::size_t> n = co_await read_some(&c, 1, deadline);
    if (!n) co_return n.error();
    if (*n == 0) co_return make_error("08006", "connection closed");
    peeked_ = c;
    co_return Result<>();
  }

  Task<Result<>> write(std::string_view data, Deadline deadline) override {
    while (!data.empty()) {
      auto start = [&](auto handler) {
        stream_.async_write_some(asio::buffer(data.data(), data.size()), std::move(handler));
      };
      Watchdog watchdog(stream_.next_layer(), deadline);
      WaitFor<decltype(start)> wait{start};
      co_await wait;
      if (wait.error) co_return watchdog.error(wait.error);
      data.remove_prefix(wait.bytes);
    }
    co_return Result<>();
  }

  Result<std::size_t> try_write(std::string_view) override { return std::size_t{0}; }
  void close() override {
    boost::system::error_code ignored;
    stream_.next_layer().close(ignored);
  }
  bool encrypted() const override { return true; }
  std::string tls_server_end_point() const override {
    return end_point_hash(const_cast<TlsStream*>(this)->stream_.native_handle(), server_);
  }
  std::string peer() const override { return peer_name(stream_.next_layer()); }
  int release_socket() override { return -1; }

 private:
  std::shared_ptr<TlsContext> tls_;
  ssl::stream<Socket> stream_;
  bool server_;
  std::optional<char> peeked_;
};

Task<Result<StreamPtr>> start_tls(StreamPtr plain, std::shared_ptr<TlsContext> tls, bool server,
                                  std::string host, Deadline deadline) {
  auto stream = std::make_unique<TlsStream>(take_socket(*plain), std::move(tls), server);
  Result<> done = co_await stream->handshake(host, deadline);
  if (!done) co_return done.error();
  co_return StreamPtr(std::move(stream));
}

}  // namespace

Result<std::shared_ptr<TlsContext>> make_tls_server(const TlsFiles& files) {
  return make_context(ssl::context::tls_server, files);
}
Result<std::shared_ptr<TlsContext>> make_tls_client(const TlsFiles& files) {
  return make_context(ssl::context::tls_client, files);
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
