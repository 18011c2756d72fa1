// Comparing wire values exactly as PostgreSQL orders their type, in text and in binary format.
// A type or collation that can't be compared exactly here is not compared at all: the planner asks
// can_compare() and gathers the rows in a PostgreSQL instead.
// Text of dates, times, intervals and floats depends on session settings: it is understood in the
// ISO/postgres styles only. Prefer a hidden sort column in binary format for them
// (text_depends_on_settings).
// Thread rule: a Comparator belongs to one thread; the free functions may be called by any.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "keys/value.h"
#include "plan/plan.h"
#include "wire/values.h"

namespace shoal::merge {

__extension__ typedef __int128 Int128;  // wide enough for every integer-like key

// True when values of this type can be ordered here under this kind of collation. `locale` is read
// for kIcu and kLibc, which need it to exist on this machine. Text-like types need kBytes, kIcu or
// kLibc; kNatural orders "char", name, uuid, bytea and all types without collation.
bool can_compare(std::uint32_t type, plan::SortKey::Order order, const std::string& locale);

// True when the type's text form changes with DateStyle, IntervalStyle, TimeZone,
// extra_float_digits or bytea_output.
bool text_depends_on_settings(std::uint32_t type);

// What PostgreSQL reports as pg_collation_actual_version() for such a collation if it runs with the
// very libraries of this process. Empty when it reports none (C, POSIX, C.*) or the locale is
// unknown here: equal versions must be non-empty, or the locale one of those.
std::string icu_version(const std::string& locale);
std::string libc_version(const std::string& locale);

// One decoded value, to be compared many times. Owns its bytes; re-used from row to row.
struct Key {
  bool null = true;
  keys::KeyValue value;  // of the types that keys knows
  Int128 integer = 0;    // "char", timetz, interval
  std::string text;      // text under a collation
};

class Comparator {
 public:
  // 0A000 with a number when can_compare() is false.
  static Result<Comparator> make(const plan::SortKey& key, wire::Format format);
  ~Comparator();
  Comparator(Comparator&&) noexcept;
  Comparator& operator=(Comparator&&) noexcept;

  // Fails with 22P02/22P03 when the bytes are no value of the type. `out` owns what it needs.
  Result<void> decode(wire::Value value, Key& out) const;
  // Negative, zero or positive in the key's direction, NULLs where the key puts them.
  int compare(const Key& a, const Key& b) const;
  // Ascending order of two keys that are not NULL (min, max).
  int compare_values(const Key& a, const Key& b) const;

 private:
  struct Impl;
  explicit Comparator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::merge
