// BLAKE2b after RFC 7693, with its key: OpenSSL has no keyed form for the empty key and none for
// short digests in its plain interface.
#include <bit>

#include "keys/digest.h"

namespace shoal::keys {
namespace {

constexpr std::size_t kBlock = 128;

constexpr std::array<std::uint64_t, 8> kInitial = {
    0x6A09E667F3BCC908u, 0xBB67AE8584CAA73Bu, 0x3C6EF372FE94F82Bu, 0xA54FF53A5F1D36F1u,
    0x510E527FADE682D1u, 0x9B05688C2B3E6C1Fu, 0x1F83D9ABFB41BD6Bu, 0x5BE0CD19137E2179u};

constexpr std::uint8_t kSchedule[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                            {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                            {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                            {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                            {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                            {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                            {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                            {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                            {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                            {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

struct Hasher {
  std::array<std::uint64_t, 8> h = kInitial;
  std::uint64_t counted = 0;  // keys are short: the upper half of the counter stays zero

  static void mix(std::uint64_t* v, int a, int b, int c, int d, std::uint64_t x, std::uint64_t y) {
    v[a] += v[b] + x;
    v[d] = std::rotr(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = std::rotr(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = std::rotr(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = std::rotr(v[b] ^ v[c], 63);
  }

  // `block` is zero padded to 128 bytes; `size` of them count.
  void compress(const std::array<unsigned char, kBlock>& block, std::size_t size, bool last) {
    counted += size;
    std::uint64_t m[16];
    for (int i = 0; i < 16; ++i) {
      m[i] = 0;
      for (int j = 7; j >= 0; --j) m[i] = m[i] << 8 | block[static_cast<std::size_t>(8 * i + j)];
    }
    std::uint64_t v[16];
    for (std::size_t i = 0; i < 8; ++i) {
      v[i] = h[i];
      v[i + 8] = kInitial[i];
    }
    v[12] ^= counted;
    if (last) v[14] = ~v[14];
    for (int round = 0; round < 12; ++round) {
      const std::uint8_t* s = kSchedule[round % 10];
      mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
      mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
      mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
      mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
      mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
      mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
      mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
      mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (std::size_t i = 0; i < 8; ++i) h[i] ^= v[i] ^ v[i + 8];
  }
};

}  // namespace

std::string blake2b(std::string_view bytes, std::string_view key, std::size_t size) {
  Hasher hasher;
  hasher.h[0] ^= 0x01010000u ^ (static_cast<std::uint64_t>(key.size()) << 8) ^ size;
  std::array<unsigned char, kBlock> block{};
  if (!key.empty()) {
    std::copy(key.begin(), key.end(), block.begin());
    hasher.compress(block, kBlock, bytes.empty());
  }
  while (!bytes.empty() || hasher.counted == 0) {
    std::size_t n = std::min(bytes.size(), kBlock);
    block.fill(0);
    std::copy_n(bytes.begin(), n, block.begin());
    bytes.remove_prefix(n);
    hasher.compress(block, n, bytes.empty());
    if (n == 0) break;  // the one block of the empty, unkeyed message
  }
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    out.push_back(static_cast<char>(hasher.h[i / 8] >> (8 * (i % 8))));
  }
  return out;
}

}  // namespace shoal::keys
