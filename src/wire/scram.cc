// SCRAM-SHA-256 and md5, over OpenSSL's digests.
//   client-first  := gs2-header "n=" user ",r=" nonce        gs2-header := ("n"|"y"|"p=" name) ",,"
//   server-first  := "r=" nonce ",s=" salt ",i=" iterations
//   client-final  := "c=" base64(gs2-header binding) ",r=" nonce ",p=" base64(ClientProof)
//   server-final  := "v=" base64(ServerSignature) | "e=" error
#include "wire/scram.h"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>

namespace shoal::wire {
namespace {

// A verifier's count is the server's cost; a server's count is the client's: both are bounded, so
// that a hostile peer can't stall a core.
constexpr std::uint32_t kMaxIterations = 10'000'000;

std::string_view view(const ScramKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

ScramKey hmac(std::string_view key, std::string_view text) {
  ScramKey out{};
  unsigned int size = out.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(text), text.size(), out.data(),
       &size);
  return out;
}

ScramKey sha256(std::string_view text) {
  ScramKey out{};
  EVP_Digest(text.data(), text.size(), out.data(), nullptr, EVP_sha256(), nullptr);
  return out;
}

ScramKey exclusive_or(const ScramKey& a, const ScramKey& b) {
  ScramKey out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] ^ b[i];
  return out;
}

ScramKey salt_password(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  ScramKey out{};
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), raw(salt),
                    static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                    static_cast<int>(out.size()), out.data());
  return out;
}

ScramKeys derive_keys(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  const ScramKey salted = salt_password(password, salt, iterations);
  return {hmac(view(salted), "Client Key"), hmac(view(salted), "Server Key")};
}

std::string md5_hex(std::string_view text) {
  unsigned char digest[16] = {};
  EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_md5(), nullptr);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

// Takes "x=value" up to the next comma off the front; nullopt when it isn't there.
std::optional<std::string_view> take_attribute(std::string_view& text, char name) {
  if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
  const std::size_t end = text.find(',');
  const std::string_view value = text.substr(2, end == text.npos ? text.npos : end - 2);
  text = end == text.npos ? std::string_view() : text.substr(end + 1);
  return value;
}

// Printable ASCII without a comma, as the RFC wants a nonce to be.
bool is_nonce(std::string_view nonce) {
  if (nonce.empty()) return false;
  for (const char c : nonce) {
    if (c < '!' || c > '~' || c == ',') return false;
  }
  return true;
}

std::optional<std::uint32_t> parse_iterations(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value == 0 || value > kMaxIterations) return std::nullopt;
  return value;
}

std::optional<ScramKey> parse_key(std::string_view base64) {
  const std::optional<std::string> bytes = base64_decode(base64);
  ScramKey key{};
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

Error protocol_error(std::string message) {
  Error e = make_error("08P01", std::move(message));
  e.fatal = true;
  return e;
}

}  // namespace

// ---- verifiers --------------------------------------------------------------------------------

Result<ScramVerifier> parse_scram_verifier(std::string_view text) {
  const Error bad = make_error("22023", "not a SCRAM-SHA-256 verifier");
  constexpr std::string_view kPrefix = "SCRAM-SHA-256$";
  if (text.substr(0, kPrefix.size()) != kPrefix) return bad;
  text.remove_prefix(kPrefix.size());
  const std::size_t colon = text.find(':');
  const std::size_t dollar = text.find('$');
  const std::size_t last = text.rfind(':');
  if (colon == text.npos || dollar == text.npos || colon > dollar || last < dollar) return bad;
  const auto iterations = parse_iterations(text.substr(0, colon));
  const auto salt = base64_decode(text.substr(colon + 1, dollar - colon - 1));
  const auto stored = parse_key(text.substr(dollar + 1, last - dollar - 1));
  const auto server = parse_key(text.substr(last + 1));
  if (!iterations || !salt || !stored || !server) return bad;
  return ScramVerifier{*iterations, *salt, *stored, *server};
}

std::string print_scram_verifier(const ScramVerifier& verifier) {
  return fmt::format("SCRAM-SHA-256${}:{}${}:{}", verifier.iterations, base64_encode(verifier.salt),
                     base64_encode(view(verifier.stored_key)),
                     base64_encode(view(verifier.server_key)));
}

std::string make_scram_verifier(std::string_view password, std::string_view salt,
                                std::uint32_t iterations) {
  const ScramKeys keys = derive_keys(password, salt, iterations);
  return print_scram_verifier(
      {iterations, std::string(salt), sha256(view(keys.client_key)), keys.server_key});
}

ScramVerifier mock_scram_verifier(std::string_view user, std::string_view secret) {
  const ScramKey seed = hmac(secret, user);
  ScramVerifier verifier;
  verifier.salt = view(seed).substr(0, 16);
  // Keys that nobody derived from a password: their preimages are as unknown as the secret.
  verifier.stored_key = hmac(view(seed), "no stored key");
  verifier.server_key = hmac(view(seed), "no server key");
  return verifier;
}

// ---- the client -------------------------------------------------------------------------------

ScramClient::ScramClient(std::string password, std::string nonce)
    : password_(std::move(password)), nonce_(std::move(nonce)) {}

ScramClient::ScramClient(const ScramKeys& keys, std::string nonce)
    : keys_(keys), nonce_(std::move(nonce)) {}

Error ScramClient::fail(std::string message) {
  state_ = State::kFailed;
  return protocol_error(std::move(message));
}

std::string ScramClient::first() {
  state_ = State::kContinue;
  // PostgreSQL takes the user from the start-up packet and ignores this one.
  first_bare_ = "n=,r=" + nonce_;
  return "n,," + first_bare_;
}

Result<std::string> ScramClient::on_continue(std::string_view server_first) {
  if (state_ != State::kContinue) return fail("SCRAM message out of turn");
  std::string_view rest = server_first;
  const auto nonce = take_attribute(rest, 'r');
  const auto salt_text = take_attribute(rest, 's');
  const auto iterations_text = take_attribute(rest, 'i');
  if (!nonce || !salt_text || !iterations_text) return fail("malformed SCRAM message");
  if (!is_nonce(*nonce) || nonce->size() <= nonce_.size() || !nonce->starts_with(nonce_)) {
    return fail("SCRAM nonce mismatch");
  }
  const auto salt = base64_decode(*salt_text);
  const auto iterations = parse_iterations(*iterations_text);
  if (!salt || !iterations) return fail("malformed SCRAM message");
  const ScramKeys keys = keys_ ? *keys_ : derive_keys(password_, *salt, *iterations);
  server_key_ = keys.server_key;
  const std::string without_proof = fmt::format("c=biws,r={}", *nonce);  // biws: base64 of "n,,"
  auth_message_ = fmt::format("{},{},{}", first_bare_, server_first, without_proof);
  const ScramKey signature = hmac(view(sha256(view(keys.client_key))), auth_message_);
  state_ = State::kFinal;
  return without_proof + ",p=" + base64_encode(view(exclusive_or(keys.client_key, signature)));
}

Result<void> ScramClient::on_final(std::string_view server_final) {
  if (state_ != State::kFinal) return fail("SCRAM message out of turn");
  std::string_view rest = server_final;
  const auto signature = take_attribute(rest, 'v');
  if (!signature) return fail("server refused the SCRAM exchange");
  const auto given = base64_decode(*signature);
  if (!given || !equal_constant_time(*given, view(hmac(view(server_key_), auth_message_)))) {
    return fail("server does not know the SCRAM verifier");
  }
  state_ = State::kDone;
  return {};
}

// ---- the server -------------------------------------------------------------------------------

ScramServer::ScramServer(ScramVerifier verifier, std::string nonce, std::string channel_binding)
    : verifier_(std::move(verifier)),
      nonce_(std::move(nonce)),
      channel_binding_(std::move(channel_binding)) {}

Error ScramServer::fail(std::string message) {
  state_ = State::kFailed;
  return protocol_error(std::move(message));
}

Result<std::string> ScramServer::on_first(std::string_view client_first, bool plus) {
  if (state_ != State::kFirst) return fail("SCRAM message out of turn");
  const std::size_t flag_end = client_first.find(',');
  if (flag_end == client_first.npos) return fail("malformed SCRAM message");
  const std::string_view flag = client_first.substr(0, flag_end);
  if (plus) {
    if (channel_binding_.empty() || flag != "p=tls-server-end-point") {
      return fail("unsupported SCRAM channel-binding type");
    }
  } else if (flag == "y" && !channel_binding_.empty()) {
    // The client could bind and believes that we could not: somebody took PLUS off our offer.
    return fail("SCRAM channel binding negotiation error");
  } else if (flag != "n" && flag != "y") {
    return fail("malformed SCRAM message");
  }
  // An authorization identity ("a=...") is not supported, so the header ends in ",,".
  if (client_first.substr(flag_end, 2) != ",,") return fail("malformed SCRAM message");
  gs2_header_ = client_first.substr(0, flag_end + 2);
  plus_ = plus;
  first_bare_ = client_first.substr(flag_end + 2);
  std::string_view rest = first_bare_;
  const auto user = take_attribute(rest, 'n');
  const auto nonce = take_attribute(rest, 'r');
  if (!user || !nonce || !is_nonce(*nonce)) return fail("malformed SCRAM message");
  nonce_ = std::string(*nonce) + nonce_;
  server_first_ =
      fmt::format("r={},s={},i={}", nonce_, base64_encode(verifier_.salt), verifier_.iterations);
  state_ = State::kFinal;
  return server_first_;
}

Result<std::string> ScramServer::on_final(std::string_view client_final) {
  if (state_ != State::kFinal) return fail("SCRAM message out of turn");
  const std::size_t proof_at = client_final.rfind(",p=");
  if (proof_at == client_final.npos) return fail("malformed SCRAM message");
  const std::string_view without_proof = client_final.substr(0, proof_at);
  std::string_view rest = without_proof;
  const auto binding = take_attribute(rest, 'c');
  const auto nonce = take_attribute(rest, 'r');
  const auto proof = parse_key(client_final.substr(proof_at + 3));
  if (!binding || !nonce || !proof) return fail("malformed SCRAM message");
  if (*binding != base64_encode(gs2_header_ + (plus_ ? channel_binding_ : std::string()))) {
    return fail("SCRAM channel binding check failed");
  }
  if (*nonce != nonce_) return fail("invalid SCRAM response: nonce does not match");
  const std::string auth_message =
      fmt::format("{},{},{}", first_bare_, server_first_, without_proof);
  const ScramKey signature = hmac(view(verifier_.stored_key), auth_message);
  const ScramKey client_key = exclusive_or(*proof, signature);
  if (!equal_constant_time(view(sha256(view(client_key))), view(verifier_.stored_key))) {
    Error e = fail("password authentication failed");
    e.sqlstate = "28P01";
    return e;
  }
  keys_ = {client_key, verifier_.server_key};
  state_ = State::kDone;
  return "v=" + base64_encode(view(hmac(view(verifier_.server_key), auth_message)));
}

// ---- md5 and small pieces ---------------------------------------------------------------------

std::string make_md5_verifier(std::string_view user, std::string_view password) {
  return "md5" + md5_hex(std::string(password) + std::string(user));
}

std::string md5_response_from_verifier(std::string_view verifier, std::string_view salt) {
  if (verifier.starts_with("md5")) verifier.remove_prefix(3);
  return "md5" + md5_hex(std::string(verifier) + std::string(salt));
}

std::string md5_response(std::string_view user, std::string_view password, std::string_view salt) {
  return md5_response_from_verifier(make_md5_verifier(user, password), salt);
}

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(bytes),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  // OpenSSL skips blanks and accepts '=' anywhere; a verifier or proof has neither.
  const std::size_t last = text.find_last_not_of('=');
  const std::size_t padding = text.size() - (last == text.npos ? 0 : last + 1);
  if (text.size() % 4 != 0 || padding > 2) return std::nullopt;
  for (const char c : text.substr(0, text.size() - padding)) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!letter && !(c >= '0' && c <= '9') && c != '+' && c != '/') return std::nullopt;
  }
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(text),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace shoal::wire
