// Folding and printing of combined columns.
#include "merge/combine.h"

#include "merge/numeric_sum.h"
#include "merge/row.h"
#include "wire/bytes.h"
#include "wire/format.h"

namespace shoal::merge {
namespace {

using Kind = plan::Combine::Kind;
using wire::Format;
namespace oid = wire::oid;

// A rough but honest price of one group beside its bytes: map node, keys and cells.
constexpr std::size_t kGroupBytes = 128;

Error overflow() {
  return make_error("22003", "bigint out of range");
}

bool has_comparator(Kind kind) {
  return kind == Kind::kGroup || kind == Kind::kMin || kind == Kind::kMax;
}

Result<std::int64_t> decode_number(std::string_view value, Format format) {
  Result<keys::KeyValue> parsed = make_error("22P03", "a shard sent bytes that are no bigint");
  if (format == Format::kText)
    parsed = keys::parse_text(keys::KeyType::kInt8, value);
  else if (value.size() == 8)
    parsed = keys::parse_binary(keys::KeyType::kInt8, value);
  else if (value.size() == 4)
    parsed = keys::parse_binary(keys::KeyType::kInt4, value);
  if (!parsed) return std::move(parsed).error();
  return parsed->integer();
}

Result<keys::KeyValue> decode_value(keys::KeyType type, std::string_view value, Format format) {
  return format == Format::kText ? keys::parse_text(type, value) : keys::parse_binary(type, value);
}

Result<void> check(const plan::Combine& column) {
  const auto is = [&column](std::uint32_t type) { return column.type == type; };
  const bool good =
      has_comparator(column.kind) || (column.kind == Kind::kCount && is(oid::kInt8)) ||
      (column.kind == Kind::kSum && (is(oid::kInt8) || is(oid::kNumeric))) ||
      ((column.kind == Kind::kBoolAnd || column.kind == Kind::kBoolOr) && is(oid::kBool));
  if (good) return {};
  return refuse(
      Refusal::kNotProvable,
      fmt::format("partial aggregates of type {} cannot be combined in the router", column.type));
}

}  // namespace

bool Groups::Less::operator()(const std::vector<Key>& a, const std::vector<Key>& b) const {
  std::size_t key = 0;
  for (const Column& column : *columns) {
    if (column.kind != Kind::kGroup) continue;
    const int order = column.comparator[0].compare(a[key], b[key]);
    if (order != 0) return order < 0;
    ++key;
  }
  return false;
}

Result<Groups> Groups::make(const plan::Merge& recipe, const std::vector<Format>& formats,
                            std::size_t max_bytes) {
  if (recipe.combine.size() != formats.size()) {
    return make_error("08P01", "a shard answered with another number of columns than planned");
  }
  Groups groups;
  groups.columns_ = std::make_unique<std::vector<Column>>();
  groups.ungrouped_ = recipe.ungrouped;
  groups.max_bytes_ = max_bytes;
  for (std::size_t i = 0; i < formats.size(); ++i) {
    const plan::Combine& combine = recipe.combine[i];
    SHOAL_TRY(check(combine));
    Column column{combine.kind, combine.type, formats[i], {}};
    if (has_comparator(combine.kind)) {
      auto comparator = Comparator::make(combine.order, formats[i]);
      if (!comparator) return std::move(comparator).error();
      column.comparator.push_back(*std::move(comparator));
    }
    groups.columns_->push_back(std::move(column));
    if (combine.kind == Kind::kGroup) groups.probe_.emplace_back();
  }
  groups.groups_ = decltype(groups.groups_)(Less{groups.columns_.get()});
  return groups;
}

Groups::Row Groups::new_row() const {
  Row row(columns_->size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    if ((*columns_)[i].kind == Kind::kCount) row[i].null = false;  // count of nothing is 0
  }
  return row;
}

Result<void> Groups::add(const std::vector<wire::Value>& row) {
  if (row.size() != columns_->size()) {
    return make_error("08P01", "a shard sent a row with another number of columns than planned");
  }
  std::size_t key = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Column& column = (*columns_)[i];
    if (column.kind != Kind::kGroup) continue;
    SHOAL_TRY(column.comparator[0].decode(row[i], probe_[key++]));
  }
  auto group = groups_.find(probe_);
  if (group == groups_.end()) {
    group = groups_.emplace(probe_, new_row()).first;
    bytes_ += kGroupBytes + probe_.size() * sizeof(Key) + row.size() * sizeof(Cell);
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t before = group->second[i].bytes.size();
    SHOAL_TRY(fold((*columns_)[i], group->second[i], row[i]));
    bytes_ += group->second[i].bytes.size() - before;
  }
  if (bytes_ > max_bytes_) {
    return refuse(Refusal::kGroups,
                  fmt::format("{} groups hold more than {} bytes", groups_.size(), max_bytes_));
  }
  return {};
}

Result<void> Groups::fold(const Column& column, Cell& cell, wire::Value value) {
  if (!value) return {};
  switch (column.kind) {
    case Kind::kGroup:
      if (cell.null) cell.bytes.assign(*value);
      cell.null = false;
      return {};
    case Kind::kCount:
    case Kind::kSum:
      return fold_sum(column, cell, *value);
    case Kind::kMin:
    case Kind::kMax:
      return fold_extreme(column, cell, *value);
    case Kind::kBoolAnd:
    case Kind::kBoolOr: {
      const auto parsed = decode_value(keys::KeyType::kBool, *value, column.format);
      if (!parsed) return parsed.error();
      const std::int64_t next = parsed->integer();
      if (cell.null)
        cell.number = next;
      else if (column.kind == Kind::kBoolAnd)
        cell.number &= next;
      else
        cell.number |= next;
      cell.null = false;
      return {};
    }
  }
  std::abort();
}

Result<void> Groups::fold_sum(const Column& column, Cell& cell, std::string_view value) {
  if (column.type == oid::kNumeric) {
    auto next = decode_value(keys::KeyType::kNumeric, value, column.format);
    if (next && !cell.null) next = add_numeric(cell.numeric, *next);
    if (!next) return std::move(next).error();
    cell.numeric = *std::move(next);
  } else {
    const auto next = decode_number(value, column.format);
    if (!next) return next.error();
    if (__builtin_add_overflow(cell.number, *next, &cell.number)) return overflow();
  }
  cell.null = false;
  return {};
}

Result<void> Groups::fold_extreme(const Column& column, Cell& cell, std::string_view value) {
  const Comparator& comparator = column.comparator[0];
  Key next;
  SHOAL_TRY(comparator.decode(value, next));
  const int order = cell.null ? 0 : comparator.compare_values(next, cell.key);
  if (cell.null || (column.kind == Kind::kMin ? order < 0 : order > 0)) {
    cell.key = std::move(next);
    cell.bytes.assign(value);
    cell.null = false;
  }
  return {};
}

Result<std::optional<std::string>> Groups::print(const Column& column, const Cell& cell) const {
  if (cell.null) return std::optional<std::string>();
  if (has_comparator(column.kind)) return std::optional(cell.bytes);
  std::string text = std::to_string(cell.number);
  if (column.type == oid::kNumeric) text = keys::to_text(cell.numeric);
  if (column.type == oid::kBool) text = cell.number != 0 ? "t" : "f";
  if (column.format == Format::kText) return std::optional(std::move(text));
  auto raw = wire::binary_from_text(column.type, text);
  if (!raw) return std::move(raw).error();
  return std::optional(*std::move(raw));
}

Result<std::string> Groups::encode(const Row& row) const {
  std::string body;
  wire::append_u16(body, static_cast<std::uint16_t>(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto value = print((*columns_)[i], row[i]);
    if (!value) return value.error();
    append_value(body, value->has_value() ? wire::Value(**value) : wire::Value());
  }
  return body;
}

Result<void> Groups::take_rows(std::vector<std::string>& bodies) {
  if (ungrouped_ && groups_.empty()) groups_.emplace(probe_, new_row());
  while (!groups_.empty()) {
    auto body = encode(groups_.begin()->second);
    if (!body) return std::move(body).error();
    bodies.push_back(*std::move(body));
    groups_.erase(groups_.begin());
  }
  bytes_ = 0;
  return {};
}

}  // namespace shoal::merge
