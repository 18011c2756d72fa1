// Big-endian reading and writing of protocol bytes. Cursor never reads past its end and never
// allocates: after the first failure every read gives zero or an empty view and ok() is false.
// Pure values; a Cursor and the views it hands out live as long as the caller's buffer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace shoal::wire {

// Reads one message body from front to back.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  // True when everything was read and nothing failed: a well-formed message ends so.
  bool done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  std::int16_t i16() { return static_cast<std::int16_t>(u16()); }
  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
  // The bytes up to the next NUL, which is consumed and not part of the view.
  std::string_view cstring() {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) return fail();
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) return fail();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  // All that is left.
  std::string_view take_rest() { return bytes(rest_.size()); }

 private:
  std::string_view fail() {
    ok_ = false;
    rest_ = {};
    return {};
  }
  std::uint64_t number(std::size_t width) {
    const std::string_view raw = bytes(width);
    std::uint64_t value = 0;
    for (const char c : raw) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

inline void append_u8(std::string& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}
inline void append_u16(std::string& out, std::uint16_t value) {
  const char raw[] = {static_cast<char>(value >> 8), static_cast<char>(value)};
  out.append(raw, sizeof raw);
}
inline void append_u32(std::string& out, std::uint32_t value) {
  const char raw[] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                      static_cast<char>(value >> 8), static_cast<char>(value)};
  out.append(raw, sizeof raw);
}
inline void append_u64(std::string& out, std::uint64_t value) {
  append_u32(out, static_cast<std::uint32_t>(value >> 32));
  append_u32(out, static_cast<std::uint32_t>(value));
}
// Appends the text and a NUL. A NUL inside the text would end it early on the other side, so the
// text is cut there.
inline void append_cstring(std::string& out, std::string_view text) {
  out.append(text.substr(0, text.find('\0')));
  out.push_back('\0');
}

// Writes the header of one message now and its length when it goes out of scope.
// Type 0 means a start-up packet, which has no type byte.
class MessageWriter {
 public:
  MessageWriter(std::string& out, char type) : out_(out) {
    if (type != '\0') out_.push_back(type);
    start_ = out_.size();
    append_u32(out_, 0);
  }
  ~MessageWriter() {
    const std::size_t length = out_.size() - start_;
    for (int i = 0; i < 4; ++i) out_[start_ + i] = static_cast<char>(length >> (24 - 8 * i));
  }
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

 private:
  std::string& out_;
  std::size_t start_ = 0;
};

}  // namespace shoal::wire
