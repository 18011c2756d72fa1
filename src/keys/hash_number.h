// An integer of up to 512 bits with a sign: what a digest is before it is reduced to a bucket.
// Thread rule: plain value.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace shoal::keys {

class HashNumber {
 public:
  HashNumber() = default;
  static HashNumber of_unsigned(std::uint64_t value);
  static HashNumber of_signed(std::int64_t value);
  static HashNumber of_big_endian(std::string_view bytes);               // up to 64 bytes, unsigned
  static HashNumber of_decimal(std::string_view digits, bool negative);  // must fit 512 bits

  bool negative() const { return negative_; }
  bool is_zero() const { return size_ == 1 && limbs_[0] == 0; }
  std::uint64_t magnitude_mod(std::uint64_t n) const;  // |this| mod n
  std::uint64_t floor_mod(std::uint64_t n) const;      // 0 .. n-1
  std::uint64_t low64() const;                         // two's complement
  std::string to_decimal() const;

 private:
  void drop_leading_zeros();

  bool negative_ = false;
  std::uint8_t size_ = 1;                 // limbs in use, at least one
  std::array<std::uint64_t, 8> limbs_{};  // most significant first
};

}  // namespace shoal::keys
