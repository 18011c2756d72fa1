// The list of key functions, and the parameters that several of them share.
#include "keys/function.h"

#include "keys/function_base.h"

namespace shoal::keys {
namespace {

using Maker = FunctionPtr (*)(std::string_view, Params&, Types);

struct Row {
  FunctionName doc;
  Maker make;
};

constexpr Row kFunctions[] = {
    {{"postgres", "slots | modulus, slots | partitions",
      "row hash of PARTITION BY HASH; the default for new keyspaces"},
     make_postgres},
    {{"mod_floor", "n, slots, names", "integer modulo n, 0 to n-1 (Python, mathematics)"},
     make_modulo},
    {{"mod_trunc", "n, slots, names", "integer remainder with the key's sign (SQL %, C, Java, JS)"},
     make_modulo},
    {{"mod_abs", "n, slots, names", "absolute value modulo n"}, make_modulo},
    {{"ring", "nodes, weights, vnodes, hash, replicas",
      "consistent hash ring as uhashring builds it"},
     make_ring},
    {{"dorm", "n, slots, salt, names", "BLAKE2b keyed with a salt, modulo n"}, make_modulo},
    {{"digest_mod", "digest, slice, endian, signed, reduce, n, slots, names",
      "a digest of the key's text, reduced modulo n"},
     make_modulo},
    {{"plproxy", "n, slots, modular_mapping, names", "PL/Proxy over PostgreSQL's 32-bit hash"},
     make_modulo},
    {{"pgdog", "n, slots, hasher", "PgDog: hasher postgres or sha1"}, make_pgdog},
    {{"citus", "n | intervals, names", "32-bit hash in ranges"}, make_citus},
    {{"spqr", "hash, types, bounds, names", "murmur or city hash in key ranges"}, make_spqr},
    {{"vitess", "vindex, shards", "keyspace ids of the hash and xxhash vindexes"}, make_vitess},
    {{"jump", "n, slots, digest", "jump consistent hash"}, make_jump},
    {{"redis", "", "Redis Cluster's 16384 slots"}, make_redis},
    {{"rendezvous", "nodes", "highest random weight by MD5"}, make_rendezvous},
    {{"range", "bounds | ranges | start, every, count; names, default, collation",
      "intervals of an ordered key"},
     make_range},
    {{"list", "values, default, names", "listed values"}, make_list},
    {{"directory", "default", "every key has the place it is pinned to"}, make_directory},
};

}  // namespace

std::optional<SlotRange> KeyFunction::slots_between(const KeyValue*, const KeyValue*) const {
  return std::nullopt;
}

std::string KeyFunction::slot_owner_name(Slot slot) const {
  std::optional<std::uint32_t> bucket = bucket_of(slot);
  return bucket ? bucket_name(*bucket) : std::string();
}

Error FunctionBase::wrong_key(std::span<const KeyValue> key) const {
  std::string given, wanted;
  for (const KeyValue& value : key) given += fmt::format(" {}", type_name(value.type()));
  for (KeyType type : types_) wanted += fmt::format(" {}", type_name(type));
  return refuse(Refusal::kKeyValue,
                fmt::format("{} takes a key of{}, not of{}", name_, wanted, given));
}

Result<std::shared_ptr<const KeyFunction>> make_key_function(std::string_view name,
                                                             std::string_view params_json,
                                                             std::span<const KeyType> types) {
  if (types.empty()) return refuse(Refusal::kKeyType, "a key has at least one column");
  for (const Row& row : kFunctions) {
    if (row.doc.name != name) continue;
    Params params(name, params_json);
    FunctionPtr function = row.make(name, params, types);
    if (Result<void> finished = params.finish(); !finished) return finished.error();
    return function;
  }
  return refuse(Refusal::kKeyFunction, fmt::format("there is no key function \"{}\"", name));
}

std::span<const FunctionName> key_function_names() {
  static const std::vector<FunctionName> names = [] {
    std::vector<FunctionName> out;
    for (const Row& row : kFunctions) out.push_back(row.doc);
    return out;
  }();
  return names;
}

void require_one_column(Params& params, Types types) {
  if (types.size() != 1) params.fail("the key must be one column");
}

void require_types(Params& params, Types types, std::initializer_list<KeyType> allowed) {
  for (KeyType type : types) {
    if (std::find(allowed.begin(), allowed.end(), type) == allowed.end()) {
      params.fail(fmt::format("cannot hash a key of type {} exactly", type_name(type)));
    }
  }
}

std::uint32_t take_buckets(Params& params) {
  std::optional<std::uint64_t> n;
  for (std::string_view key : {"n", "N", "num_shards", "shard_count", "shards", "buckets"}) {
    if (!params.has(key) || params.is_array(key)) continue;
    if (n) params.fail("the number of buckets is given twice");
    n = params.number(key, 1, UINT32_MAX);
  }
  if (!n) params.fail("n, the number of buckets, is missing");
  return static_cast<std::uint32_t>(n.value_or(1));
}

std::uint32_t take_slots(Params& params, std::uint32_t n, std::uint64_t max) {
  std::uint64_t slots = params.number("slots", n, max, n);
  if (slots % n != 0) params.fail(fmt::format("slots must be a multiple of {}", n));
  return static_cast<std::uint32_t>(slots);
}

std::vector<std::string> take_names(Params& params, std::size_t count) {
  std::string_view key = "names";
  for (std::string_view other : {"aliases", "shards", "buckets"}) {
    if (params.is_array(other)) key = other;
  }
  params.take("aliases");  // may be null, meaning none
  std::vector<std::string> names = params.texts(key);
  if (!names.empty() && names.size() != count) {
    params.fail(fmt::format("{} must have {} elements", key, count));
    names.clear();
  }
  return names;
}

}  // namespace shoal::keys
