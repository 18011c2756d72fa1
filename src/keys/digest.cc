// Hash functions over OpenSSL or after their specifications; BLAKE2b and CityHash have own files.
#include "keys/digest.h"

#include <openssl/evp.h>

#include <bit>
#include <cstdlib>

namespace shoal::keys {
namespace {

std::uint32_t load32(const char* p) {
  std::uint32_t v = 0;
  for (int i = 3; i >= 0; --i) v = v << 8 | static_cast<unsigned char>(p[i]);
  return v;
}

std::uint64_t load64(const char* p) {
  return static_cast<std::uint64_t>(load32(p + 4)) << 32 | load32(p);
}

// Fetching an algorithm costs more than hashing a key: once per process, never freed.
EVP_MD* fetch(const char* name) {
  EVP_MD* md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) {
    fmt::print(stderr, "OpenSSL does not offer {}\n", name);
    std::abort();
  }
  return md;
}

std::string digest(const EVP_MD* md, std::string_view bytes) {
  struct Context {
    EVP_MD_CTX* value = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(value); }
  };
  thread_local Context context;
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  bool ok = EVP_DigestInit_ex(context.value, md, nullptr) == 1 &&
            EVP_DigestUpdate(context.value, bytes.data(), bytes.size()) == 1 &&
            EVP_DigestFinal_ex(context.value, out, &size) == 1;
  if (!ok) std::abort();
  return {reinterpret_cast<const char*>(out), size};
}

constexpr std::array<std::uint32_t, 256> make_crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

}  // namespace

std::string md5(std::string_view bytes) {
  static const EVP_MD* const md = fetch("MD5");
  return digest(md, bytes);
}
std::string sha1(std::string_view bytes) {
  static const EVP_MD* const md = fetch("SHA1");
  return digest(md, bytes);
}
std::string sha224(std::string_view bytes) {
  static const EVP_MD* const md = fetch("SHA224");
  return digest(md, bytes);
}
std::string sha256(std::string_view bytes) {
  static const EVP_MD* const md = fetch("SHA256");
  return digest(md, bytes);
}
std::string sha384(std::string_view bytes) {
  static const EVP_MD* const md = fetch("SHA384");
  return digest(md, bytes);
}
std::string sha512(std::string_view bytes) {
  static const EVP_MD* const md = fetch("SHA512");
  return digest(md, bytes);
}

std::uint32_t crc32(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc32_table();
  std::uint32_t crc = ~0u;
  for (char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::uint16_t crc16_xmodem(std::string_view bytes) {
  std::uint32_t crc = 0;
  for (char c : bytes) {
    crc ^= static_cast<std::uint32_t>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return static_cast<std::uint16_t>(crc);
}

std::uint32_t murmur3_32(std::string_view bytes, std::uint32_t seed) {
  auto scramble = [](std::uint32_t k) { return std::rotl(k * 0xCC9E2D51u, 15) * 0x1B873593u; };
  std::uint32_t h = seed;
  std::uint32_t length = static_cast<std::uint32_t>(bytes.size());
  while (bytes.size() >= 4) {
    h = std::rotl(h ^ scramble(load32(bytes.data())), 13) * 5 + 0xE6546B64u;
    bytes.remove_prefix(4);
  }
  std::uint32_t tail = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    tail = tail << 8 | static_cast<unsigned char>(bytes[i]);
  h ^= scramble(tail);
  h ^= length;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed) {
  constexpr std::uint64_t p1 = 0x9E3779B185EBCA87u, p2 = 0xC2B2AE3D27D4EB4Fu,
                          p3 = 0x165667B19E3779F9u, p4 = 0x85EBCA77C2B2AE63u,
                          p5 = 0x27D4EB2F165667C5u;
  auto round = [](std::uint64_t acc, std::uint64_t word) {
    return std::rotl(acc + word * p2, 31) * p1;
  };
  std::uint64_t length = bytes.size();
  std::uint64_t h = seed + p5;
  if (bytes.size() >= 32) {
    std::uint64_t lane[4] = {seed + p1 + p2, seed + p2, seed, seed - p1};
    for (; bytes.size() >= 32; bytes.remove_prefix(32)) {
      for (int i = 0; i < 4; ++i) lane[i] = round(lane[i], load64(bytes.data() + 8 * i));
    }
    h = std::rotl(lane[0], 1) + std::rotl(lane[1], 7) + std::rotl(lane[2], 12) +
        std::rotl(lane[3], 18);
    for (std::uint64_t l : lane) h = (h ^ round(0, l)) * p1 + p4;
  }
  h += length;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    h = std::rotl(h ^ round(0, load64(bytes.data())), 27) * p1 + p4;
  }
  if (bytes.size() >= 4) {
    h = std::rotl(h ^ load32(bytes.data()) * p1, 23) * p2 + p3;
    bytes.remove_prefix(4);
  }
  for (char c : bytes) h = std::rotl(h ^ static_cast<unsigned char>(c) * p5, 11) * p1;
  h = (h ^ (h >> 33)) * p2;
  h = (h ^ (h >> 29)) * p3;
  return h ^ (h >> 32);
}

std::uint64_t des_null_key(std::uint64_t block) {
  // Triple DES with three equal keys is single DES, and unlike that is in the default provider.
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "DES-EDE3-ECB", nullptr);
  if (cipher == nullptr) std::abort();
  struct Context {
    EVP_CIPHER_CTX* value = EVP_CIPHER_CTX_new();
    Context() {
      static constexpr unsigned char kKey[24] = {};
      if (EVP_EncryptInit_ex(value, cipher, nullptr, kKey, nullptr) != 1) std::abort();
      EVP_CIPHER_CTX_set_padding(value, 0);
    }
    ~Context() { EVP_CIPHER_CTX_free(value); }
  };
  thread_local Context context;
  unsigned char in[8], out[16];
  for (int i = 0; i < 8; ++i) in[i] = static_cast<unsigned char>(block >> (56 - 8 * i));
  int size = 0;
  if (EVP_EncryptUpdate(context.value, out, &size, in, 8) != 1 || size != 8) std::abort();
  std::uint64_t result = 0;
  for (int i = 0; i < 8; ++i) result = result << 8 | out[i];
  return result;
}

std::uint32_t jump(std::uint64_t key, std::uint32_t buckets) {
  std::int64_t bucket = -1, next = 0;
  while (next < static_cast<std::int64_t>(buckets)) {
    bucket = next;
    key = key * 2862933555777941757u + 1;
    next = static_cast<std::int64_t>(
        static_cast<double>(bucket + 1) *
        (static_cast<double>(std::int64_t{1} << 31) / static_cast<double>((key >> 33) + 1)));
  }
  return static_cast<std::uint32_t>(bucket);
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= n ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

}  // namespace shoal::keys
