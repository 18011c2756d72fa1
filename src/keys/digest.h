// The hash functions that sharding schemes outside PostgreSQL use. MD5 and SHA come from OpenSSL,
// the rest is written here after its specification.
// Thread rule: pure functions (OpenSSL contexts are kept per thread).
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace shoal::keys {

std::string md5(std::string_view bytes);     // 16 bytes
std::string sha1(std::string_view bytes);    // 20
std::string sha224(std::string_view bytes);  // 28
std::string sha256(std::string_view bytes);  // 32
std::string sha384(std::string_view bytes);  // 48
std::string sha512(std::string_view bytes);  // 64

// RFC 7693. key: 0 to 64 bytes; size: 1 to 64 bytes of digest (part of the hash's parameters: a
// shorter digest is not a prefix of a longer one).
std::string blake2b(std::string_view bytes, std::string_view key, std::size_t size);

// The same with key and size chosen once: the key's own block is hashed in advance.
class Blake2b {
 public:
  Blake2b(std::string_view key, std::size_t size);
  std::string operator()(std::string_view bytes) const;
  // The first eight bytes of the digest as a big-endian number (size must be at least 8).
  std::uint64_t first64(std::string_view bytes) const;

 private:
  using State = std::array<std::uint64_t, 8>;
  State run(std::string_view bytes) const;
  State initial_, after_key_;
  std::string key_;
  std::size_t size_;
};

std::uint32_t crc32(std::string_view bytes);                               // zlib's
std::uint16_t crc16_xmodem(std::string_view bytes);                        // Redis Cluster's
std::uint32_t murmur3_32(std::string_view bytes, std::uint32_t seed = 0);  // x86_32 variant
std::uint32_t city32(std::string_view bytes);  // CityHash32, version 1.1
std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed = 0);

// DES in ECB mode with a key of zero bytes over one block (Vitess's "hash" vindex).
std::uint64_t des_null_key(std::uint64_t block);

// Lamping and Veach's jump consistent hash; buckets must be positive.
std::uint32_t jump(std::uint64_t key, std::uint32_t buckets);

std::string base64(std::string_view bytes);  // RFC 4648 section 4, with padding

}  // namespace shoal::keys
