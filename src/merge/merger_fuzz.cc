// Rows of hostile servers: any bytes as DataRow bodies under every kind of recipe. The first bytes
// choose recipe, formats and types; the rest is cut into rows.
#include "merge/merger.h"
#include "wire/bytes.h"

namespace shoal::merge {
namespace {

constexpr std::uint32_t kTypes[] = {16,   17,   18,   19,   20,   21,   23,   25,   26,   700, 701,
                                    1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950};

void run(std::string_view input) {
  wire::Cursor in(input);
  const std::uint8_t mode = in.u8();
  const std::size_t columns = 1 + in.u8() % 3;
  plan::Merge recipe;
  RowShape shape;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::uint8_t choice = in.u8();
    plan::SortKey key;
    key.column = static_cast<int>(i);
    key.type = kTypes[choice % std::size(kTypes)];
    key.descending = choice & 0x80;
    if (key.type == 25 || key.type == 1042 || key.type == 1043) {
      key.order = mode & 0x40 ? plan::SortKey::Order::kIcu : plan::SortKey::Order::kBytes;
      key.locale = "en";
    }
    shape.shard.push_back(in.u8() % 2 == 0 ? wire::Format::kText : wire::Format::kBinary);
    shape.types.push_back(key.type);
    if (mode & 1) recipe.order.push_back(key);
    if (mode & 2) {
      plan::Combine combine;
      combine.kind = static_cast<plan::Combine::Kind>(in.u8() % 7);
      combine.type = key.type;
      combine.order = key;
      recipe.combine.push_back(combine);
    }
  }
  shape.client = mode & 4 ? shape.shard : std::vector<wire::Format>{};
  recipe.distinct = mode & 8;
  recipe.ungrouped = mode & 16;
  recipe.hidden_columns = mode & 32 ? 1 : 0;
  auto merger = Merger::make(recipe, 2, shape, 1 << 20);
  if (!merger) return;
  while (!in.at_end()) {
    const std::size_t length = in.u8();
    const std::string_view body = in.bytes(std::min(length, in.rest().size()));
    if (!merger->push(length % 2, body)) return;
  }
  merger->finish(0);
  merger->finish(1);
  while (true) {
    const auto step = merger->next();
    if (!step || !std::holds_alternative<Merger::Row>(*step)) return;
  }
}

}  // namespace
}  // namespace shoal::merge

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  shoal::merge::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
