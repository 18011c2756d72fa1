// The extension module shoal._core: key functions and placements over texts and integers. The
// Python side (shoal/keys.py) turns Python objects into texts; nothing here knows them.
// Thread rule: all objects are immutable; the array functions release the GIL.
#include <client/shard_for.h>
#include <keys/function.h>
#include <keys/ring.h>
#include <keys/slot_map.h>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;
using namespace shoal;
using namespace shoal::keys;

namespace {

using Texts = std::vector<std::optional<std::string>>;
using Integers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<nb::numpy, std::uint32_t, nb::ndim<1>>;

// What a failed Result becomes: the Python exception KeyFunctionError with its parts.
struct Failure {
  Error error;
};

template <class T>
T must(Result<T> result) {
  if (!result) throw Failure{std::move(result).error()};
  return std::move(*result);
}

KeyType type_of(const std::string& name) {
  std::optional<KeyType> type = key_type_of_name(name);
  if (!type) throw Failure{refuse(Refusal::kKeyType, "there is no key type \"" + name + "\"")};
  return *type;
}

std::vector<KeyValue> key_of(const std::vector<KeyType>& types, const Texts& texts) {
  if (texts.size() != types.size()) {
    throw Failure{refuse(Refusal::kKeyValue, "the key has " + std::to_string(types.size()) +
                                                 " columns, not " + std::to_string(texts.size()))};
  }
  std::vector<KeyValue> out;
  for (std::size_t i = 0; i < types.size(); ++i) {
    out.push_back(texts[i] ? must(parse_text(types[i], *texts[i])) : KeyValue::null(types[i]));
  }
  return out;
}

// Calls `compute(key)` for each integer of the array without the GIL.
template <class Compute>
Numbers for_each_integer(const std::vector<KeyType>& types, const Integers& in, Compute compute) {
  if (types.size() != 1 || family_of(types[0]) != KeyType::kInt8) {
    throw Failure{refuse(Refusal::kKeyType, "arrays of integers need a key of one integer column")};
  }
  std::size_t count = in.shape(0);
  auto out = std::make_unique<std::uint32_t[]>(count);
  std::optional<Error> error;
  {
    nb::gil_scoped_release released;
    const std::int64_t* data = in.data();
    for (std::size_t i = 0; i < count && !error; ++i) {
      Result<std::uint32_t> number = compute(KeyValue::of_integer(types[0], data[i]));
      if (number) {
        out[i] = *number;
      } else {
        error = number.error();
      }
    }
  }
  if (error) throw Failure{*error};
  std::uint32_t* raw = out.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<std::uint32_t*>(p); });
  return Numbers(raw, {count}, owner);
}

struct Function {
  std::shared_ptr<const KeyFunction> function;
  std::vector<KeyType> types;

  Function(const std::string& name, const std::string& params,
           const std::vector<std::string>& type_names) {
    for (const std::string& type : type_names) types.push_back(type_of(type));
    function = must(make_key_function(name, params, types));
  }
  std::uint32_t slot(const Texts& key) const {
    return must(function->slot(key_of(types, key))).value;
  }
  std::string owner(const Texts& key) const { return function->slot_owner_name(Slot(slot(key))); }
  std::string hash(const Texts& key) const { return must(function->describe(key_of(types, key))); }
  std::vector<std::string> preference(const Texts& key) const {
    return must(ring_preference(*function, key_of(types, key)));
  }
  std::vector<std::string> buckets() const {
    std::vector<std::string> out;
    for (std::uint32_t i = 0; i < function->bucket_count(); ++i) {
      out.push_back(function->bucket_name(i));
    }
    return out;
  }
  std::optional<std::uint32_t> bucket_of(std::uint32_t slot) const {
    if (slot >= function->slot_count()) throw nb::index_error("no such slot");
    return function->bucket_of(Slot(slot));
  }
  Numbers slots(const Integers& keys) const {
    return for_each_integer(types, keys, [this](const KeyValue& key) -> Result<std::uint32_t> {
      Result<Slot> slot = function->slot(key);
      if (!slot) return slot.error();
      return slot->value;
    });
  }
};

using Pin = std::pair<std::string, std::uint32_t>;  // canonical text, index of the shard

// Shards are their indexes here; names are Python's.
struct PlacementOf {
  Function function;
  Placement placement;

  PlacementOf(const Function& f, const std::vector<std::string>& shards,
              const std::optional<std::vector<std::int32_t>>& owners, const std::vector<Pin>& pins)
      : function(f) {
    placement.function = f.function;
    if (owners) {
      std::vector<ShardId> ids;
      for (std::int32_t owner : *owners) ids.emplace_back(owner);
      if (ids.size() != f.function->slot_count()) {
        throw Failure{refuse(Refusal::kBadPlacement, "owners must name the shard of every slot")};
      }
      placement.map = SlotMap(std::move(ids));
    } else {
      std::vector<NamedShard> named;
      for (std::size_t i = 0; i < shards.size(); ++i) {
        named.push_back({shards[i], ShardId(static_cast<std::int32_t>(i))});
      }
      placement.map = must(SlotMap::for_function(*f.function, named));
    }
    for (const auto& [key, shard] : pins) {
      placement.pins.set(key, ShardId(static_cast<std::int32_t>(shard)));
    }
  }
  std::int32_t shard(const Texts& key) const {
    return must(placement.place(key_of(function.types, key))).value;
  }
  Numbers shards(const Integers& keys) const {
    return for_each_integer(function.types, keys,
                            [this](const KeyValue& key) -> Result<std::uint32_t> {
                              Result<ShardId> shard = placement.place(key);
                              if (!shard) return shard.error();
                              return static_cast<std::uint32_t>(shard->value);
                            });
  }
  std::vector<std::int32_t> owners() const {
    std::vector<std::int32_t> out;
    for (ShardId id : placement.map.owners()) out.push_back(id.value);
    return out;
  }
};

std::uint32_t shard_for(nb::bytes key, std::uint32_t num_shards, nb::bytes salt) {
  return must(
      client::shard_for({key.c_str(), key.size()}, num_shards, {salt.c_str(), salt.size()}));
}

std::string canonical(const std::vector<std::string>& type_names, const Texts& key) {
  std::vector<KeyType> types;
  for (const std::string& name : type_names) types.push_back(type_of(name));
  return canonical_text(key_of(types, key));
}

// The exception class, made once when the module is loaded and alive as long as the process.
PyObject* failure_class = nullptr;

void raise_failure(const std::exception_ptr& caught, void*) {
  try {
    std::rethrow_exception(caught);
  } catch (const Failure& failure) {
    const Error& e = failure.error;
    std::string text = e.message;
    if (!e.detail.empty()) text += " (" + e.detail + ")";
    nb::object raised = nb::borrow(failure_class)(nb::cast(text));
    raised.attr("sqlstate") = e.sqlstate;
    raised.attr("detail") = e.detail;
    raised.attr("hint") = e.hint;
    PyErr_SetObject(failure_class, raised.ptr());
  }
}

}  // namespace

NB_MODULE(_core, m) {
  failure_class = PyErr_NewExceptionWithDoc(
      "shoal.KeyFunctionError",
      "A key, key function or placement that cannot be computed; see sqlstate, detail and hint.",
      PyExc_ValueError, nullptr);
  m.attr("KeyFunctionError") = nb::borrow(failure_class);
  nb::register_exception_translator(raise_failure, nullptr);

  nb::class_<Function>(m, "Function")
      .def(nb::init<const std::string&, const std::string&, const std::vector<std::string>&>(),
           "name"_a, "params"_a, "types"_a)
      .def_prop_ro("name", [](const Function& f) { return std::string(f.function->name()); })
      .def_prop_ro("slot_count", [](const Function& f) { return f.function->slot_count(); })
      .def_prop_ro("match_by_equality",
                   [](const Function& f) { return f.function->match_by_equality(); })
      .def_prop_ro("buckets", &Function::buckets)
      .def("slot", &Function::slot, "key"_a)
      .def("owner", &Function::owner, "key"_a)
      .def("hash", &Function::hash, "key"_a)
      .def("preference", &Function::preference, "key"_a)
      .def("bucket_of", &Function::bucket_of, "slot"_a)
      .def("slots", &Function::slots, "keys"_a);

  nb::class_<PlacementOf>(m, "Placement")
      .def(nb::init<const Function&, const std::vector<std::string>&,
                    const std::optional<std::vector<std::int32_t>>&, const std::vector<Pin>&>(),
           "function"_a, "shards"_a, "owners"_a.none(), "pins"_a)
      .def_prop_ro("owners", &PlacementOf::owners)
      .def("shard", &PlacementOf::shard, "key"_a)
      .def("shards", &PlacementOf::shards, "keys"_a);

  m.def("shard_for", &shard_for, "key"_a, "num_shards"_a, "salt"_a);
  m.def("canonical", &canonical, "types"_a, "key"_a);
  m.def("function_names", [] {
    std::vector<std::string> out;
    for (const FunctionName& f : key_function_names()) out.emplace_back(f.name);
    return out;
  });
}
