// The first part of a conversation: TLS, the start-up packet, who the client is.
// Thread rule: one core; hooks are called there.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "session/client_channel.h"
#include "session/session.h"

namespace shoal::session {

struct LoginPolicy {
  enum class Tls { kDisable, kAllow, kRequire } tls_mode = Tls::kAllow;
  std::shared_ptr<io::TlsContext> tls;  // empty: no certificate, TLS is declined
  enum class Auth { kTrust, kScram, kPassword } auth = Auth::kScram;
  std::string database;  // the name clients connect to
};

class LoginHooks {
 public:
  virtual ~LoginHooks() = default;
  // The stored verifier of a role ("SCRAM-SHA-256$..."), nullopt if there is none.
  virtual io::Task<Result<std::optional<std::string>>> verifier(std::string user) = 0;
  virtual void cancel(std::int32_t pid, std::string secret) = 0;
  // The key by which this client may cancel.
  virtual std::pair<std::int32_t, std::string> new_cancel_key() = 0;
};

struct LoggedIn {
  ClientChannel channel;
  ClientIdentity identity;
  bool admin = false;  // the virtual database "shoal"
};

// nullopt: the connection served its purpose (a cancel request) or was closed with an error that
// the client has been told.
io::Task<std::optional<LoggedIn>> log_in(io::StreamPtr stream, const LoginPolicy& policy,
                                         const Limits& limits, LoginHooks& hooks);

}  // namespace shoal::session
