// range and list: a slot for each interval between bounds, a slot for each group of values.
#include <boost/json.hpp>

#include "keys/function_base.h"

namespace shoal::keys {
namespace {

class Range final : public FunctionBase {
 public:
  Range(Types types, std::vector<KeyValue> bounds, std::vector<std::string> names, bool sql_order)
      : FunctionBase("range", types),
        bounds_(std::move(bounds)),
        names_(std::move(names)),
        sql_order_(sql_order) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return slot_of(key[0]);
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return canonical_text(key);
  }
  std::uint32_t bucket_count() const override {
    return static_cast<std::uint32_t>(bounds_.size() + 1);
  }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override {
    return names_.empty() ? std::to_string(bucket) : names_[bucket];
  }
  std::optional<SlotRange> slots_between(const KeyValue* low, const KeyValue* high) const override {
    if (!sql_order_) return std::nullopt;
    for (const KeyValue* end : {low, high}) {
      if (end != nullptr && !check(std::span(end, 1))) return std::nullopt;
    }
    Slot first = low == nullptr ? Slot(0) : slot_of(*low);
    Slot last = high == nullptr ? Slot(slot_count() - 1) : slot_of(*high);
    return SlotRange{first, std::max(first, last)};
  }

 private:
  Slot slot_of(const KeyValue& value) const {
    auto it = std::upper_bound(bounds_.begin(), bounds_.end(), value);
    return Slot(static_cast<std::uint32_t>(it - bounds_.begin()));
  }
  std::vector<KeyValue> bounds_;  // ascending; slot i holds bounds[i-1] <= key < bounds[i]
  std::vector<std::string> names_;
  bool sql_order_;  // SQL's operators order the column as this function does
};

class List final : public FunctionBase {
 public:
  List(Types types, std::map<std::string, std::uint32_t> slots, std::uint32_t groups,
       bool otherwise, std::vector<std::string> names)
      : FunctionBase("list", types),
        slots_(std::move(slots)),
        groups_(groups),
        otherwise_(otherwise),
        names_(std::move(names)) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    auto it = slots_.find(canonical_text(key));
    if (it != slots_.end()) return Slot(it->second);
    if (otherwise_) return Slot(groups_);
    return refuse(Refusal::kKeyFunction, "the value is not listed and the list has no default");
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return canonical_text(key);
  }
  std::uint32_t bucket_count() const override { return groups_ + (otherwise_ ? 1 : 0); }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override {
    return names_.empty() ? std::to_string(bucket) : names_[bucket];
  }

 private:
  std::map<std::string, std::uint32_t> slots_;  // by canonical text
  std::uint32_t groups_;
  bool otherwise_;  // values that are not listed have a slot, the last
  std::vector<std::string> names_;
};

bool is_text(KeyType type) {
  return family_of(type) == KeyType::kText || type == KeyType::kBpchar;
}

}  // namespace

FunctionPtr make_range(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  std::vector<KeyValue> bounds;
  for (const std::string& text : params.texts("bounds")) {
    Result<KeyValue> bound = parse_text(types[0], text);
    if (!bound) {
      params.fail(fmt::format("bound \"{}\": {}", text, bound.error().message));
      break;
    }
    if (!bounds.empty() && *bound <= bounds.back()) params.fail("bounds must ascend");
    bounds.push_back(std::move(*bound));
  }
  // Text is ordered by bytes. SQL does the same only under COLLATE "C"; then BETWEEN can be pruned.
  std::string collation = params.text("collation", "");
  if (!collation.empty() && (collation != "C" || !is_text(types[0]))) {
    params.fail("collation may only be C, for text");
  }
  bool sql_order = !is_text(types[0]) || collation == "C";
  std::vector<std::string> names = take_names(params, bounds.size() + 1);
  return std::make_shared<Range>(types, std::move(bounds), std::move(names), sql_order);
}

FunctionPtr make_list(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  std::map<std::string, std::uint32_t> slots;
  std::uint32_t groups = 0;
  const boost::json::value* value = params.take("values");
  if (value == nullptr || !value->is_array()) {
    params.fail("values must be an array of arrays");
  } else {
    for (const boost::json::value& group : value->get_array()) {
      if (!group.is_array()) {
        params.fail("values must be an array of arrays");
        break;
      }
      for (const boost::json::value& element : group.get_array()) {
        std::optional<std::string> text = scalar_text(element);
        Result<KeyValue> key =
            text ? parse_text(types[0], *text) : Result<KeyValue>(refuse(Refusal::kKeyValue));
        if (!key) {
          params.fail("values must hold valid values of the key's type");
          break;
        }
        if (!slots.emplace(canonical_text(*key), groups).second) {
          params.fail(fmt::format("the value \"{}\" is listed twice", *text));
        }
      }
      ++groups;
    }
  }
  bool otherwise = params.flag("default", false);
  if (groups == 0 && !otherwise) params.fail("values is empty");
  std::vector<std::string> names = take_names(params, groups + (otherwise ? 1 : 0));
  return std::make_shared<List>(types, std::move(slots), groups, otherwise, std::move(names));
}

}  // namespace shoal::keys
