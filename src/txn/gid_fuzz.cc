// Any bytes as a gid: parsing gives nothing, or what prints as the same bytes.
#include <cstdlib>

#include "txn/gid.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto gid = shoal::txn::parse_gid(text)) {
    const auto again = shoal::txn::print_gid(*gid);
    if (!again || *again != text) std::abort();
  }
  return 0;
}
