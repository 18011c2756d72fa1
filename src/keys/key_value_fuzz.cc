// Text and binary input never crash; what is read survives its own text, and equal values have one
// canonical text. The first byte chooses the type, the second the way in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "keys/function.h"
#include "keys/value.h"

namespace {

void expect(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace shoal::keys;
  if (size < 2 || size > 4096) return 0;
  auto type = static_cast<KeyType>(data[0] % 18);
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto value = data[1] % 2 == 0 ? parse_text(type, text) : parse_binary(type, text);
  if (data[1] % 16 == 2) {
    (void)make_key_function(key_function_names()[data[0] % key_function_names().size()].name, text,
                            std::span(&type, 1));
  }
  if (!value) return 0;
  if (data[1] % 4 == 0) (void)apply_typmod(*value, data[1]);
  auto again = parse_text(type, to_text(*value));
  expect(again && *again == *value);
  auto canonical = parse_text(type, canonical_text(*value));
  expect(canonical && *canonical == *value);
  expect(canonical_text(*canonical) == canonical_text(*value));
  return 0;
}
