// Frames: cutting a byte stream into messages without looking inside them.
//   message        := type:u8 length:u32 body          (length counts itself and the body)
//   startup packet := length:u32 code:u32 body         (before authentication, client side only)
// Nothing is allocated from a declared length. Frames are views into the caller's buffer and die
// with it. Pure functions, any thread.
#pragma once
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace shoal::wire {

// One whole message. `bytes` is header and body, ready to be forwarded as it came.
struct Frame {
  char type = 0;
  std::string_view body;
  std::string_view bytes;
};

// The buffer does not hold a whole message yet; it will when it holds `bytes` in all.
// (5, the size of a header, when not even the length is known.)
struct NeedMore {
  std::size_t bytes = 0;
};

// The stream can't be followed any further; the connection must be closed after error().
struct BadFrame {
  std::string_view reason;  // static storage
  Error error() const;      // FATAL 08P01
};

using FrameStep = std::variant<Frame, NeedMore, BadFrame>;

constexpr std::size_t kHeaderBytes = 5;

// Looks at the front of `buffer`. A declared length under 4, or a message longer than `max_bytes`
// (header included), is a BadFrame as soon as the header is there.
FrameStep decode_frame(std::string_view buffer, std::size_t max_bytes);

// Type and full size (header included) of the message at the front, for those who forward a large
// message piece by piece instead of collecting it. The Frame's body and bytes hold what is there.
FrameStep decode_partial_frame(std::string_view buffer, std::size_t max_bytes, std::size_t* size);

// Walks over the frames of one buffer.
class FrameReader {
 public:
  FrameReader(std::string_view buffer, std::size_t max_bytes)
      : rest_(buffer), max_bytes_(max_bytes) {}

  // The next frame; NeedMore and BadFrame leave the position where it is.
  FrameStep next() {
    FrameStep step = decode_frame(rest_, max_bytes_);
    if (const Frame* frame = std::get_if<Frame>(&step)) {
      rest_.remove_prefix(frame->bytes.size());
      consumed_ += frame->bytes.size();
    }
    return step;
  }
  std::size_t consumed() const { return consumed_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  std::size_t max_bytes_;
  std::size_t consumed_ = 0;
};

// ---- start-up packets -------------------------------------------------------------------------

struct SslRequest {};
struct GssEncRequest {};
struct CancelRequest {
  std::int32_t pid = 0;
  std::string_view secret;  // 4 bytes in protocol 3.0, up to 256 in 3.2
};
struct StartupMessage {
  std::uint16_t major = 3;
  std::uint16_t minor = 0;
  // In the order of the packet, duplicates kept. Empty for a protocol whose major is not 3.
  std::vector<std::pair<std::string_view, std::string_view>> params;
  // The last value given for `name`, or `fallback`.
  std::string_view get(std::string_view name, std::string_view fallback = {}) const;
};

using StartupPacket = std::variant<StartupMessage, SslRequest, GssEncRequest, CancelRequest>;

struct Startup {
  StartupPacket packet;
  std::size_t size = 0;  // bytes of the buffer that it took
};
using StartupStep = std::variant<Startup, NeedMore, BadFrame>;

// PostgreSQL's own limits (MAX_STARTUP_PACKET_LENGTH counts without the length word).
constexpr std::size_t kMinStartupBytes = 8;
constexpr std::size_t kMaxStartupBytes = 10'004;

StartupStep decode_startup(std::string_view buffer);

}  // namespace shoal::wire
