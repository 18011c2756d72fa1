// lookup3 and PostgreSQL's per-type hash functions above it.
#include "keys/pg_hash.h"

#include <bit>
#include <cmath>

namespace shoal::keys {
namespace {

std::uint32_t little_endian32(const char* p) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(p[0])) |
         static_cast<std::uint32_t>(static_cast<unsigned char>(p[1])) << 8 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(p[2])) << 16 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(p[3])) << 24;
}

// lookup3's state of three words.
struct State {
  std::uint32_t a, b, c;

  State(std::uint32_t length, std::uint64_t seed) {
    a = b = c = 0x9E735650u + length;
    if (seed != 0) {
      a += static_cast<std::uint32_t>(seed >> 32);
      b += static_cast<std::uint32_t>(seed);
      mix();
    }
  }

  static void turn(std::uint32_t& x, std::uint32_t& y, std::uint32_t& z, int r) {
    x -= z;
    x ^= std::rotl(z, r);
    z += y;
  }

  void mix() {
    turn(a, b, c, 4);
    turn(b, c, a, 6);
    turn(c, a, b, 8);
    turn(a, b, c, 16);
    turn(b, c, a, 19);
    turn(c, a, b, 4);
  }

  static void settle(std::uint32_t& target, std::uint32_t source, int r) {
    target ^= source;
    target -= std::rotl(source, r);
  }

  void finish() {
    settle(c, b, 14);
    settle(a, c, 11);
    settle(b, a, 25);
    settle(c, b, 16);
    settle(a, c, 4);
    settle(b, a, 14);
    settle(c, b, 24);
  }

  std::uint64_t both() const { return static_cast<std::uint64_t>(b) << 32 | c; }
};

State hash_bytes(std::string_view bytes, std::uint64_t seed) {
  State s(static_cast<std::uint32_t>(bytes.size()), seed);
  while (bytes.size() >= 12) {
    s.a += little_endian32(bytes.data());
    s.b += little_endian32(bytes.data() + 4);
    s.c += little_endian32(bytes.data() + 8);
    s.mix();
    bytes.remove_prefix(12);
  }
  // The lowest byte of c is the length's.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::uint32_t byte = static_cast<unsigned char>(bytes[i]);
    if (i < 4) {
      s.a += byte << (8 * i);
    } else if (i < 8) {
      s.b += byte << (8 * (i - 4));
    } else {
      s.c += byte << (8 * (i - 7));
    }
  }
  s.finish();
  return s;
}

State hash_word(std::uint32_t k, std::uint64_t seed) {
  State s(4, seed);
  s.a += k;
  s.finish();
  return s;
}

// int8 folds so that a value which fits int4 hashes like that int4.
std::uint32_t fold(std::int64_t value) {
  std::uint64_t bits = static_cast<std::uint64_t>(value);
  std::uint32_t high = static_cast<std::uint32_t>(bits >> 32);
  return static_cast<std::uint32_t>(bits) ^ (value >= 0 ? high : ~high);
}

struct FloatBytes {
  char bytes[8];
  bool zero;
};

FloatBytes float_bytes(double value) {
  FloatBytes out{};
  out.zero = value == 0;
  std::uint64_t bits =
      std::isnan(value) ? 0x7FF8000000000000u : std::bit_cast<std::uint64_t>(value);
  for (int i = 0; i < 8; ++i) out.bytes[i] = static_cast<char>(bits >> (8 * i));
  return out;
}

}  // namespace

std::uint32_t pg_hash_bytes(std::string_view bytes) {
  return hash_bytes(bytes, 0).c;
}

std::uint64_t pg_hash_bytes_seeded(std::string_view bytes, std::uint64_t seed) {
  return hash_bytes(bytes, seed).both();
}

std::uint32_t pg_hash_uint32(std::uint32_t k) {
  return hash_word(k, 0).c;
}

std::uint64_t pg_hash_uint32_seeded(std::uint32_t k, std::uint64_t seed) {
  return hash_word(k, seed).both();
}

std::int32_t pg_hash32(const KeyValue& value) {
  switch (value.type()) {
    case KeyType::kNumeric: {
      NumericParts n = value.numeric();
      if (!n.finite()) return 0;
      if (n.digits.empty()) return -1;
      std::uint32_t weight = static_cast<std::uint32_t>(n.weight);
      return static_cast<std::int32_t>(pg_hash_bytes(n.digits) ^ weight);
    }
    case KeyType::kFloat4:
    case KeyType::kFloat8: {
      FloatBytes f = float_bytes(value.floating());
      return f.zero ? 0 : static_cast<std::int32_t>(pg_hash_bytes({f.bytes, 8}));
    }
    default:
      break;
  }
  if (value.is_integer()) return static_cast<std::int32_t>(pg_hash_uint32(fold(value.integer())));
  return static_cast<std::int32_t>(pg_hash_bytes(value.bytes()));
}

std::uint64_t pg_hash64(const KeyValue& value, std::uint64_t seed) {
  switch (value.type()) {
    case KeyType::kNumeric: {
      NumericParts n = value.numeric();
      if (!n.finite()) return seed;
      if (n.digits.empty()) return seed - 1;
      return pg_hash_bytes_seeded(n.digits, seed) ^
             static_cast<std::uint64_t>(static_cast<std::int64_t>(n.weight));
    }
    case KeyType::kFloat4:
    case KeyType::kFloat8: {
      FloatBytes f = float_bytes(value.floating());
      return f.zero ? seed : pg_hash_bytes_seeded({f.bytes, 8}, seed);
    }
    default:
      break;
  }
  if (value.is_integer()) return pg_hash_uint32_seeded(fold(value.integer()), seed);
  return pg_hash_bytes_seeded(value.bytes(), seed);
}

std::uint64_t pg_row_hash(std::span<const KeyValue> key) {
  std::uint64_t row = 0;
  for (const KeyValue& value : key) {
    if (value.is_null()) continue;
    std::uint64_t hash = pg_hash64(value);
    row ^= hash + 0x49A0F4DD15E5A8E3u + (row << 54) + (row >> 7);
  }
  return row;
}

}  // namespace shoal::keys
