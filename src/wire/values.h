// Counted lists inside messages, seen in place: object ids, format codes, values.
// They were checked when their message was decoded, so reading them can't fail; they live as long
// as the frame's buffer. Pure values.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/bytes.h"

namespace shoal::wire {

enum class Format : std::int16_t { kText = 0, kBinary = 1 };

// A value as it travels: nullopt is NULL.
using Value = std::optional<std::string_view>;

// 32-bit object ids: the parameter types of Parse or ParameterDescription.
class OidList {
 public:
  OidList() = default;
  explicit OidList(std::string_view raw) : raw_(raw) {}  // 4 bytes each
  std::size_t size() const { return raw_.size() / 4; }
  bool empty() const { return raw_.empty(); }
  std::uint32_t operator[](std::size_t i) const { return Cursor(raw_.substr(i * 4, 4)).u32(); }
  std::vector<std::uint32_t> to_vector() const {
    std::vector<std::uint32_t> all(size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = (*this)[i];
    return all;
  }

 private:
  std::string_view raw_;
};

// 16-bit format codes. None: all text. One: it holds for all. Otherwise one for each.
class FormatList {
 public:
  FormatList() = default;
  explicit FormatList(std::string_view raw) : raw_(raw) {}  // 2 bytes each
  std::size_t size() const { return raw_.size() / 2; }
  std::int16_t operator[](std::size_t i) const { return Cursor(raw_.substr(i * 2, 2)).i16(); }
  // The format that holds for value number i; unknown codes come back as they are.
  Format of(std::size_t i) const {
    if (size() == 0) return Format::kText;
    return static_cast<Format>((*this)[size() == 1 ? 0 : i < size() ? i : size() - 1]);
  }
  std::vector<Format> to_vector() const {
    std::vector<Format> all(size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Format>((*this)[i]);
    return all;
  }
  std::string_view raw() const { return raw_; }

 private:
  std::string_view raw_;
};

// Length-prefixed values: the parameters of Bind, the columns of DataRow.
class ValueList {
 public:
  ValueList() = default;
  ValueList(std::string_view raw, std::size_t count) : raw_(raw), count_(count) {}

  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using pointer = const Value*;
    using reference = Value;

    Iterator() = default;
    Iterator(std::string_view rest, std::size_t left) : rest_(rest), left_(left) {}
    Value operator*() const {
      Cursor in(rest_);
      const std::int32_t length = in.i32();
      if (length < 0) return std::nullopt;
      return in.bytes(static_cast<std::size_t>(length));
    }
    Iterator& operator++() {
      Cursor in(rest_);
      const std::int32_t length = in.i32();
      if (length > 0) in.bytes(static_cast<std::size_t>(length));
      rest_ = in.rest();
      --left_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    std::string_view rest_;
    std::size_t left_ = 0;
  };

  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const { return Iterator(raw_, count_); }
  Iterator end() const { return Iterator({}, 0); }
  // Walks to value number i (< size()); NULL and out of range both give nullopt.
  Value at(std::size_t i) const;
  std::vector<Value> to_vector() const { return std::vector<Value>(begin(), end()); }
  // Overwrites `out`, so that a merge can re-use one vector for every row.
  void copy_to(std::vector<Value>& out) const { out.assign(begin(), end()); }
  // The values as they travel, lengths included, count not: exactly a binary COPY tuple's fields.
  std::string_view raw() const { return raw_; }

  // Takes `count` values from the cursor, or fails the cursor.
  static ValueList take(Cursor& in, std::size_t count);

 private:
  std::string_view raw_;
  std::size_t count_ = 0;
};

// Appends each value with its length, without a count.
void append_values(std::string& out, std::span<const Value> values);

}  // namespace shoal::wire
