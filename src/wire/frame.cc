// Cuts a byte stream into frames and reads start-up packets; see frame.h for the grammar.
#include "wire/frame.h"

#include "wire/bytes.h"

namespace shoal::wire {
namespace {

constexpr std::uint16_t kSpecialMajor = 1234;  // start-up codes that are no protocol version
constexpr std::uint16_t kCancelMinor = 5678;
constexpr std::uint16_t kSslMinor = 5679;
constexpr std::uint16_t kGssMinor = 5680;
constexpr std::size_t kMaxSecretBytes = 256;

constexpr std::string_view kInvalidLength = "invalid message length";
constexpr std::string_view kInvalidStartupLength = "invalid length of startup packet";
constexpr std::string_view kInvalidStartupLayout =
    "invalid startup packet layout: expected terminator as last byte";

// What the header says about the whole message, or why it says nothing.
struct Header {
  std::size_t size = 0;  // 0: the header is not complete, or bad
  bool bad = false;
};

Header read_header(std::string_view buffer, std::size_t max_bytes) {
  if (buffer.size() < kHeaderBytes) return {};
  const std::uint32_t length = Cursor(buffer.substr(1, 4)).u32();
  // Compared before the type byte is added, so that 2^32-1 can't wrap around.
  if (length < 4 || length >= max_bytes) return {.bad = true};
  return {.size = std::size_t{length} + 1};
}

StartupStep decode_params(std::string_view body, std::size_t size, StartupMessage message) {
  if (message.major != 3) return Startup{std::move(message), size};
  Cursor in(body);
  while (true) {
    const std::string_view name = in.cstring();
    if (!in.ok()) return BadFrame{kInvalidStartupLayout};
    if (name.empty()) break;
    const std::string_view value = in.cstring();
    if (!in.ok()) return BadFrame{kInvalidStartupLayout};
    message.params.emplace_back(name, value);
  }
  if (!in.done()) return BadFrame{kInvalidStartupLayout};
  return Startup{std::move(message), size};
}

}  // namespace

Error BadFrame::error() const {
  Error e = make_error("08P01", std::string(reason));
  e.fatal = true;
  return e;
}

FrameStep decode_frame(std::string_view buffer, std::size_t max_bytes) {
  std::size_t size = 0;
  FrameStep step = decode_partial_frame(buffer, max_bytes, &size);
  if (size > buffer.size()) return NeedMore{size};
  return step;
}

FrameStep decode_partial_frame(std::string_view buffer, std::size_t max_bytes, std::size_t* size) {
  const Header header = read_header(buffer, max_bytes);
  *size = header.size;
  if (header.bad) return BadFrame{kInvalidLength};
  if (header.size == 0) return NeedMore{kHeaderBytes};
  const std::string_view there = buffer.substr(0, header.size);
  return Frame{there[0], there.substr(kHeaderBytes), there};
}

std::string_view StartupMessage::get(std::string_view name, std::string_view fallback) const {
  for (auto it = params.rbegin(); it != params.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return fallback;
}

StartupStep decode_startup(std::string_view buffer) {
  if (buffer.size() < 4) return NeedMore{4};
  const std::size_t size = Cursor(buffer).u32();
  if (size < kMinStartupBytes || size > kMaxStartupBytes) return BadFrame{kInvalidStartupLength};
  if (buffer.size() < size) return NeedMore{size};
  Cursor in(buffer.substr(4, size - 4));
  const std::uint16_t major = in.u16();
  const std::uint16_t minor = in.u16();
  const std::string_view body = in.rest();
  if (major != kSpecialMajor) {
    return decode_params(body, size, StartupMessage{.major = major, .minor = minor, .params = {}});
  }
  if (minor == kCancelMinor) {
    CancelRequest cancel{.pid = in.i32(), .secret = in.take_rest()};
    if (!in.ok() || cancel.secret.size() < 4 || cancel.secret.size() > kMaxSecretBytes) {
      return BadFrame{kInvalidStartupLength};
    }
    return Startup{cancel, size};
  }
  if (minor == kSslMinor || minor == kGssMinor) {
    if (!body.empty()) return BadFrame{kInvalidStartupLength};
    if (minor == kSslMinor) return Startup{SslRequest{}, size};
    return Startup{GssEncRequest{}, size};
  }
  return Startup{StartupMessage{.major = major, .minor = minor, .params = {}}, size};
}

}  // namespace shoal::wire
