// Keyed hashes that shoal.ticket_of computes, too.
#include "control/ticket.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "control/pq.h"

namespace shoal::control {
namespace {

std::string sha256(std::string_view data) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(),
         reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string call(std::string_view secret, std::string_view verb, std::string_view key) {
  return fmt::format("SELECT shoal.{}({}, '{}')", verb, quote_literal(key),
                     make_ticket(secret, fmt::format("{}:{}", verb, key)));
}

}  // namespace

std::string make_secret() {
  std::string secret(32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), 32) != 1) std::abort();
  return secret;
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string from_hex(std::string_view hex) {
  if (hex.starts_with("\\x")) hex.remove_prefix(2);
  std::string out;
  if (hex.size() % 2 != 0) return out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return {};
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

std::string make_ticket(std::string_view secret, std::string_view message) {
  std::string inner(secret);
  inner += message;
  std::string outer(secret);
  outer += sha256(inner);
  return to_hex(sha256(outer));
}

std::string decide_sql(std::string_view secret, std::string_view key) {
  return call(secret, "decide", key);
}
std::string settle_sql(std::string_view secret, std::string_view key) {
  return call(secret, "settle", key);
}
std::string forget_sql(std::string_view secret, std::string_view key) {
  return call(secret, "forget", key);
}

}  // namespace shoal::control
