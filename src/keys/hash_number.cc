// Long division and multiplication over 64-bit limbs.
#include "keys/hash_number.h"

namespace shoal::keys {
namespace {
__extension__ using Wide = unsigned __int128;
}  // namespace

HashNumber HashNumber::of_unsigned(std::uint64_t value) {
  HashNumber n;
  n.limbs_[0] = value;
  return n;
}

HashNumber HashNumber::of_signed(std::int64_t value) {
  HashNumber n;
  n.negative_ = value < 0;
  n.limbs_[0] =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  return n;
}

HashNumber HashNumber::of_big_endian(std::string_view bytes) {
  HashNumber n;
  n.size_ = static_cast<std::uint8_t>(std::max<std::size_t>(1, (bytes.size() + 7) / 8));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::size_t from_end = bytes.size() - 1 - i;
    n.limbs_[n.size_ - 1 - from_end / 8] |=
        static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * (from_end % 8));
  }
  n.drop_leading_zeros();
  return n;
}

HashNumber HashNumber::of_decimal(std::string_view digits, bool negative) {
  HashNumber n;
  n.size_ = 8;
  for (char c : digits) {
    Wide carry = static_cast<unsigned>(c - '0');
    for (std::size_t i = 8; i-- > 0;) {
      carry += static_cast<Wide>(n.limbs_[i]) * 10;
      n.limbs_[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
  n.drop_leading_zeros();
  n.negative_ = negative && !n.is_zero();
  return n;
}

void HashNumber::drop_leading_zeros() {
  std::size_t zeros = 0;
  while (zeros + 1 < size_ && limbs_[zeros] == 0) ++zeros;
  for (std::size_t i = 0; i + zeros < size_; ++i) limbs_[i] = limbs_[i + zeros];
  size_ = static_cast<std::uint8_t>(size_ - zeros);
}

std::uint64_t HashNumber::magnitude_mod(std::uint64_t n) const {
  if (size_ == 1) return limbs_[0] % n;
  Wide rest = 0;
  for (std::size_t i = 0; i < size_; ++i) rest = (rest << 64 | limbs_[i]) % n;
  return static_cast<std::uint64_t>(rest);
}

std::uint64_t HashNumber::floor_mod(std::uint64_t n) const {
  std::uint64_t rest = magnitude_mod(n);
  return negative_ && rest != 0 ? n - rest : rest;
}

std::uint64_t HashNumber::low64() const {
  std::uint64_t low = limbs_[size_ - 1];
  return negative_ ? 0 - low : low;
}

std::string HashNumber::to_decimal() const {
  std::array<std::uint64_t, 8> limbs = limbs_;
  std::string reversed;
  bool more = true;
  while (more) {
    Wide rest = 0;
    more = false;
    for (std::size_t i = 0; i < size_; ++i) {
      rest = rest << 64 | limbs[i];
      limbs[i] = static_cast<std::uint64_t>(rest / 10);
      rest %= 10;
      more = more || limbs[i] != 0;
    }
    reversed.push_back(static_cast<char>('0' + static_cast<int>(rest)));
  }
  if (negative_) reversed.push_back('-');
  return {reversed.rbegin(), reversed.rend()};
}

}  // namespace shoal::keys
