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

using State = std::array<std::uint64_t, 8>;
using Block = std::array<unsigned char, kBlock>;

inline void mix(std::uint64_t& a, std::uint64_t& b, std::uint64_t& c, std::uint64_t& d,
                std::uint64_t x, std::uint64_t y) {
  a += b + x;
  d = std::rotr(d ^ a, 32);
  c += d;
  b = std::rotr(b ^ c, 24);
  a += b + y;
  d = std::rotr(d ^ a, 16);
  c += d;
  b = std::rotr(b ^ c, 63);
}

inline void round(std::uint64_t* v, const std::uint64_t* m, const std::uint8_t* s) {
  mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
  mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
  mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
  mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
  mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
  mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
  mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
  mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
}

// `counted`: bytes hashed up to and including this block, which is zero padded. Keys are short, so
// the upper half of RFC 7693's counter stays zero.
void compress(State& h, const Block& block, std::uint64_t counted, bool last) {
  std::uint64_t m[16], v[16];
  for (std::size_t i = 0; i < 16; ++i) {
    m[i] = 0;
    for (std::size_t j = 8; j-- > 0;) m[i] = m[i] << 8 | block[8 * i + j];
  }
  for (std::size_t i = 0; i < 8; ++i) {
    v[i] = h[i];
    v[i + 8] = kInitial[i];
  }
  v[12] ^= counted;
  if (last) v[14] = ~v[14];
  // Written out, so that the schedule becomes constants.
  round(v, m, kSchedule[0]);
  round(v, m, kSchedule[1]);
  round(v, m, kSchedule[2]);
  round(v, m, kSchedule[3]);
  round(v, m, kSchedule[4]);
  round(v, m, kSchedule[5]);
  round(v, m, kSchedule[6]);
  round(v, m, kSchedule[7]);
  round(v, m, kSchedule[8]);
  round(v, m, kSchedule[9]);
  round(v, m, kSchedule[0]);
  round(v, m, kSchedule[1]);
  for (std::size_t i = 0; i < 8; ++i) h[i] ^= v[i] ^ v[i + 8];
}

}  // namespace

Blake2b::Blake2b(std::string_view key, std::size_t size)
    : initial_(kInitial), key_(key), size_(size) {
  initial_[0] ^= 0x01010000u ^ (static_cast<std::uint64_t>(key.size()) << 8) ^ size;
  after_key_ = initial_;
  if (key.empty()) return;
  Block block{};
  std::copy(key.begin(), key.end(), block.begin());
  compress(after_key_, block, kBlock, false);
}

Blake2b::State Blake2b::run(std::string_view bytes) const {
  State h = after_key_;
  std::uint64_t counted = key_.empty() ? 0 : kBlock;
  Block block;
  if (bytes.empty() && !key_.empty()) {  // the key's block is the last one
    h = initial_;
    block.fill(0);
    std::copy(key_.begin(), key_.end(), block.begin());
    compress(h, block, kBlock, true);
    return h;
  }
  do {
    std::size_t n = std::min(bytes.size(), kBlock);
    block.fill(0);
    std::copy_n(bytes.begin(), n, block.begin());
    bytes.remove_prefix(n);
    counted += n;
    compress(h, block, counted, bytes.empty());
  } while (!bytes.empty());
  return h;
}

std::string Blake2b::operator()(std::string_view bytes) const {
  State h = run(bytes);
  std::string out(size_, '\0');
  for (std::size_t i = 0; i < size_; ++i) out[i] = static_cast<char>(h[i / 8] >> (8 * (i % 8)));
  return out;
}

std::uint64_t Blake2b::first64(std::string_view bytes) const {
  return __builtin_bswap64(run(bytes)[0]);
}

std::string blake2b(std::string_view bytes, std::string_view key, std::size_t size) {
  return Blake2b(key, size)(bytes);
}

}  // namespace shoal::keys
