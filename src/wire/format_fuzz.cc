// Values in either form: what is accepted converts back to itself. The first byte chooses the type
// and the direction.
#include <cstdint>
#include <cstdlib>

#include "wire/format.h"

using namespace shoal::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint32_t kTypes[] = {oid::kBool, oid::kInt2,    oid::kInt4,
                                      oid::kInt8, oid::kFloat4,  oid::kFloat8,
                                      oid::kText, oid::kNumeric, oid::kOid};
  if (size == 0 || size > 5000) return 0;
  const std::uint32_t type = kTypes[data[0] / 2 % std::size(kTypes)];
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto raw = data[0] % 2 == 0 ? shoal::Result<std::string>(boost::system::in_place_value, value)
                              : binary_from_text(type, value);
  if (!raw) return 0;
  const auto text = text_from_binary(type, *raw);
  if (!text) {
    if (data[0] % 2 == 1) std::abort();  // our own bytes must be readable
    return 0;
  }
  // A numeric from outside may carry a weight that no text can express.
  const auto again = binary_from_text(type, *text);
  if (!again && type == oid::kNumeric) return 0;
  if (!again || *text_from_binary(type, *again) != *text) std::abort();
  return 0;
}
