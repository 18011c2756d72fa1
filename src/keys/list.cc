// list: a slot for each group of values. directory: no value has a place until it is pinned.
#include <boost/json.hpp>

#include "keys/function_base.h"

namespace shoal::keys {
namespace {

namespace json = boost::json;

class List final : public FunctionBase {
 public:
  struct Groups {
    std::map<std::string, std::uint32_t> slots;  // by canonical text
    std::vector<std::string> names;              // one for each group; empty: its number
    std::optional<std::string> otherwise;        // values that are not listed have a slot, the last
  };
  List(Types types, Groups groups) : FunctionBase("list", types), g_(std::move(groups)) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    auto it = g_.slots.find(canonical_text(key));
    if (it != g_.slots.end()) return Slot(it->second);
    if (g_.otherwise) return Slot(bucket_count() - 1);
    return refuse(Refusal::kKeyFunction, "the value is not listed and the list has no default");
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return canonical_text(key);
  }
  std::uint32_t bucket_count() const override {
    return static_cast<std::uint32_t>(g_.names.size() + (g_.otherwise ? 1 : 0));
  }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override {
    const std::string& name = bucket < g_.names.size() ? g_.names[bucket] : *g_.otherwise;
    return name.empty() ? std::to_string(bucket) : name;
  }

 private:
  Groups g_;
};

// One slot, which has an owner only when a default is named.
class Directory final : public FunctionBase {
 public:
  Directory(Types types, std::optional<std::string> otherwise)
      : FunctionBase("directory", types), otherwise_(std::move(otherwise)) {}

  std::uint32_t slot_count() const override { return 1; }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return Slot(0);
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return canonical_text(key);
  }
  std::uint32_t bucket_count() const override { return 1; }
  std::optional<std::uint32_t> bucket_of(Slot) const override { return 0; }
  std::string bucket_name(std::uint32_t) const override { return otherwise_.value_or(""); }
  bool bucket_is_residual(std::uint32_t) const override { return !otherwise_; }

 private:
  std::optional<std::string> otherwise_;
};

// A value: a scalar, or an array of one for each key column. False after a complaint.
bool add_value(Params& params, Types types, const json::value& value, std::uint32_t group,
               List::Groups& out) {
  std::vector<json::value> parts{value};
  if (value.is_array()) parts.assign(value.get_array().begin(), value.get_array().end());
  std::vector<KeyValue> key;
  for (std::size_t i = 0; i < parts.size() && parts.size() == types.size(); ++i) {
    std::optional<std::string> text = scalar_text(parts[i]);
    if (!text && parts[i].is_bool()) text = parts[i].get_bool() ? "true" : "false";
    Result<KeyValue> one =
        text ? parse_text(types[i], *text) : Result<KeyValue>(refuse(Refusal::kKeyValue));
    if (one) key.push_back(std::move(*one));
  }
  if (key.size() != types.size()) {
    params.fail(fmt::format("values must hold valid values of the key's type, not {}",
                            json::serialize(value)));
    return false;
  }
  if (!out.slots.emplace(canonical_text(key), group).second) {
    params.fail(fmt::format("the value {} is listed twice", json::serialize(value)));
    return false;
  }
  return true;
}

void add_group(Params& params, Types types, const json::value& group, std::string name,
               List::Groups& out) {
  if (!group.is_array()) {
    params.fail("values must be an array of arrays, or an object of shard: array");
    return;
  }
  const auto number = static_cast<std::uint32_t>(out.names.size());
  out.names.push_back(std::move(name));
  for (const json::value& element : group.get_array()) {
    if (!add_value(params, types, element, number, out)) return;
  }
}

}  // namespace

std::optional<std::string> take_default(Params& params) {
  const json::value* value = params.take("default");
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::string(value->get_string());
  if (!value->is_bool()) params.fail("default must be true, false or the name of a shard");
  if (value->is_bool() && value->get_bool()) return std::string();
  return std::nullopt;
}

FunctionPtr make_list(std::string_view, Params& params, Types types) {
  List::Groups groups;
  const json::value* value = params.take("values");
  const bool named = value != nullptr && value->is_object();
  if (named) {
    for (const auto& member : value->get_object()) {
      add_group(params, types, member.value(), std::string(member.key()), groups);
    }
  } else if (value != nullptr && value->is_array()) {
    for (const json::value& group : value->get_array()) {
      add_group(params, types, group, "", groups);
    }
  } else {
    params.fail("values must be an array of arrays, or an object of shard: array");
  }
  groups.otherwise = take_default(params);
  if (groups.names.empty() && !groups.otherwise) params.fail("values is empty");
  if (!named && !params.failed()) {
    const bool last = groups.otherwise && groups.otherwise->empty();
    std::vector<std::string> names = take_names(params, groups.names.size() + (last ? 1 : 0));
    for (std::size_t i = 0; i < names.size(); ++i) {
      (i < groups.names.size() ? groups.names[i] : *groups.otherwise) = names[i];
    }
  }
  if (params.failed()) return nullptr;
  return std::make_shared<List>(types, std::move(groups));
}

FunctionPtr make_directory(std::string_view, Params& params, Types types) {
  std::optional<std::string> otherwise = take_default(params);
  if (otherwise && otherwise->empty()) params.fail("default must be the name of a shard");
  return std::make_shared<Directory>(types, std::move(otherwise));
}

}  // namespace shoal::keys
