// CityHash32 of version 1.1: four cases by length.
#include <bit>

#include "keys/digest.h"

namespace shoal::keys {
namespace {

constexpr std::uint32_t kC1 = 0xCC9E2D51u, kC2 = 0x1B873593u, kAdd = 0xE6546B64u;

std::uint32_t word(std::string_view s, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 4; i-- > 0;) v = v << 8 | static_cast<unsigned char>(s[at + i]);
  return v;
}

std::uint32_t final_mix(std::uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

std::uint32_t scramble(std::uint32_t a) {
  return std::rotr(a * kC1, 17) * kC2;
}

std::uint32_t mur(std::uint32_t a, std::uint32_t h) {
  return std::rotr(h ^ scramble(a), 19) * 5 + kAdd;
}

std::uint32_t swap_bytes(std::uint32_t v) {
  return v >> 24 | (v >> 8 & 0xFF00) | (v << 8 & 0xFF0000) | v << 24;
}

std::uint32_t up_to_4(std::string_view s) {
  std::uint32_t b = 0, c = 9;
  for (char ch : s) {  // bytes count as signed
    b = b * kC1 +
        static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<signed char>(ch)));
    c ^= b;
  }
  return final_mix(mur(b, mur(static_cast<std::uint32_t>(s.size()), c)));
}

std::uint32_t up_to_12(std::string_view s) {
  std::uint32_t n = static_cast<std::uint32_t>(s.size());
  std::uint32_t a = n + word(s, 0);
  std::uint32_t b = n * 5 + word(s, s.size() - 4);
  std::uint32_t c = 9 + word(s, (s.size() >> 1) & 4);
  return final_mix(mur(c, mur(b, mur(a, n * 5))));
}

std::uint32_t up_to_24(std::string_view s) {
  std::size_t n = s.size();
  std::uint32_t h = static_cast<std::uint32_t>(n);
  for (std::size_t at : {(n >> 1) - 4, std::size_t{4}, n - 8, n >> 1, std::size_t{0}, n - 4}) {
    h = mur(word(s, at), h);
  }
  return final_mix(h);
}

}  // namespace

std::uint32_t city32(std::string_view s) {
  if (s.size() <= 4) return up_to_4(s);
  if (s.size() <= 12) return up_to_12(s);
  if (s.size() <= 24) return up_to_24(s);
  std::size_t n = s.size();
  std::uint32_t h = static_cast<std::uint32_t>(n), g = kC1 * h, f = g;
  auto step = [](std::uint32_t x, int r) { return std::rotr(x, r) * 5 + kAdd; };
  h = step(h ^ scramble(word(s, n - 4)), 19);
  h = step(h ^ scramble(word(s, n - 16)), 19);
  g = step(g ^ scramble(word(s, n - 8)), 19);
  g = step(g ^ scramble(word(s, n - 12)), 19);
  f = step(f + scramble(word(s, n - 20)), 19);
  for (std::size_t left = (n - 1) / 20; left > 0; --left) {
    std::uint32_t a0 = scramble(word(s, 0)), a1 = word(s, 4), a2 = scramble(word(s, 8)),
                  a3 = scramble(word(s, 12)), a4 = word(s, 16);
    h = step(h ^ a0, 18);
    f = std::rotr(f + a1, 19) * kC1;
    g = step(g + a2, 18);
    h = step(h ^ (a3 + a1), 19);
    g = swap_bytes(g ^ a4) * 5;
    h = swap_bytes(h + a4 * 5);
    f += a0;
    std::swap(f, h);
    std::swap(f, g);
    s.remove_prefix(20);
  }
  g = std::rotr(std::rotr(g, 11) * kC1, 17) * kC1;
  f = std::rotr(std::rotr(f, 11) * kC1, 17) * kC1;
  h = std::rotr(step(h + g, 19), 17) * kC1;
  h = std::rotr(step(h + f, 19), 17) * kC1;
  return h;
}

}  // namespace shoal::keys
