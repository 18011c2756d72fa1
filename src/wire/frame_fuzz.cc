// Start-up packets from strangers: nothing is read beyond the buffer, no size is believed.
#include <cstdint>
#include <cstdlib>

#include "wire/frame.h"

using namespace shoal::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view buffer(reinterpret_cast<const char*>(data), size);
  const StartupStep step = decode_startup(buffer);
  if (const auto* more = std::get_if<NeedMore>(&step)) {
    if (more->bytes <= size || more->bytes > kMaxStartupBytes) std::abort();
  }
  if (const auto* startup = std::get_if<Startup>(&step)) {
    if (startup->size > size || startup->size < kMinStartupBytes) std::abort();
    if (const auto* message = std::get_if<StartupMessage>(&startup->packet)) {
      std::size_t total = 0;
      for (const auto& [name, value] : message->params) total += name.size() + value.size() + 2;
      if (total > startup->size) std::abort();
    }
  }
  return 0;
}
