// SCRAM-SHA-256 (RFC 5802, 7677) as pure state machines, for both sides, and PostgreSQL's md5.
// Nonces are handed in, so the same input gives the same output. A server learns the client's
// ClientKey in passing: with it and the verifier's ServerKey the router logs in to another server
// that has the same verifier, without knowing the password.
// Passwords that are not ASCII are used as their bytes, which is what PostgreSQL does when SASLprep
// fails; a password that SASLprep would change must be given in its prepared form.
// Pure; a machine is used by one thread.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shoal::wire {

using ScramKey = std::array<std::uint8_t, 32>;

constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
constexpr std::string_view kScramSha256Plus = "SCRAM-SHA-256-PLUS";

// What a server stores: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> (base64).
struct ScramVerifier {
  std::uint32_t iterations = 4096;
  std::string salt;  // raw bytes
  ScramKey stored_key{};
  ScramKey server_key{};
};
Result<ScramVerifier> parse_scram_verifier(std::string_view text);
std::string print_scram_verifier(const ScramVerifier& verifier);
// Hashes a password; `salt` is raw bytes (PostgreSQL takes 16).
std::string make_scram_verifier(std::string_view password, std::string_view salt,
                                std::uint32_t iterations = 4096);
// A verifier that nobody can satisfy, the same each time for one user and secret, so that a role
// that does not exist looks like one with another password.
ScramVerifier mock_scram_verifier(std::string_view user, std::string_view secret);

// Enough to log in in the client's place.
struct ScramKeys {
  ScramKey client_key{};
  ScramKey server_key{};
};

// The client's side: first() -> send; on_continue(server's) -> send; on_final(server's) -> done.
class ScramClient {
 public:
  // `nonce`: printable ASCII without a comma, from a cryptographic source, 18 bytes in base64.
  ScramClient(std::string password, std::string nonce);
  ScramClient(const ScramKeys& keys, std::string nonce);

  std::string first();
  Result<std::string> on_continue(std::string_view server_first);
  // Checks that the server knows the verifier too.
  Result<void> on_final(std::string_view server_final);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : std::uint8_t { kFirst, kContinue, kFinal, kDone, kFailed };
  Error fail(std::string message);

  State state_ = State::kFirst;
  std::string password_;
  std::optional<ScramKeys> keys_;
  std::string nonce_;
  std::string first_bare_;
  std::string auth_message_;
  ScramKey server_key_{};
};

// The server's side: on_first(client's) -> send; on_final(client's) -> send, then done.
class ScramServer {
 public:
  // `channel_binding`: hash of the server's certificate (tls-server-end-point), empty without TLS;
  // it is required when the client chose SCRAM-SHA-256-PLUS and refused otherwise.
  ScramServer(ScramVerifier verifier, std::string nonce, std::string channel_binding = {});

  // `plus`: the client chose SCRAM-SHA-256-PLUS.
  Result<std::string> on_first(std::string_view client_first, bool plus = false);
  // A wrong password is FATAL 28P01 without naming the user: the caller words the message.
  Result<std::string> on_final(std::string_view client_final);
  bool done() const { return state_ == State::kDone; }
  // After done(): what a login in the client's place needs.
  ScramKeys keys() const { return keys_; }

 private:
  enum class State : std::uint8_t { kFirst, kFinal, kDone, kFailed };
  Error fail(std::string message);

  State state_ = State::kFirst;
  ScramVerifier verifier_;
  std::string nonce_;
  std::string channel_binding_;
  std::string gs2_header_;
  bool plus_ = false;
  std::string first_bare_;
  std::string server_first_;
  ScramKeys keys_;
};

// "md5" + md5(md5(password + user) + salt): the answer to AuthenticationMD5Password.
std::string md5_response(std::string_view user, std::string_view password, std::string_view salt);
// The same from a stored "md5..." verifier.
std::string md5_response_from_verifier(std::string_view verifier, std::string_view salt);
// "md5" + md5(password + user): what PostgreSQL stores.
std::string make_md5_verifier(std::string_view user, std::string_view password);

std::string base64_encode(std::string_view raw);
std::optional<std::string> base64_decode(std::string_view text);
// Compares in a time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace shoal::wire
