// The names and spellings of vector files, which are known here only.
#include "keys/check_translate.h"

#include <map>

#include "keys/function.h"

namespace shoal::keys {
namespace {

namespace json = boost::json;

// ---- key types --------------------------------------------------------------------------------

struct TypeOfColumn {
  KeyType type;
  std::int32_t typmod = -1;
};

std::string lower(std::string_view text) {
  std::string out;
  for (char c : text) out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  const std::size_t first = out.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

// varchar(5), character varying(5), char(3), numeric(10,2): the typmod as PostgreSQL packs it.
Result<TypeOfColumn> with_typmod(const std::string& name) {
  const std::size_t open = name.find('('), close = name.find(')');
  std::string words = name.substr(0, open) + name.substr(std::min(close + 1, name.size()));
  std::int32_t numbers[2] = {0, 0};
  std::size_t count = 1;
  for (char c : name.substr(open + 1, close - open - 1)) {
    if (c == ',' && ++count <= 2) continue;
    if (c == ' ') continue;
    if (c < '0' || c > '9' || count > 2 || numbers[count - 1] > 100'000'000) {
      return cannot(fmt::format("unknown key type \"{}\"", name));
    }
    numbers[count - 1] = numbers[count - 1] * 10 + (c - '0');
  }
  const std::optional<KeyType> type = key_type_of_name(lower(words));
  if (type == KeyType::kVarchar || type == KeyType::kBpchar) {
    if (count == 1 && numbers[0] > 0) return TypeOfColumn{*type, numbers[0] + 4};
  } else if (type == KeyType::kNumeric && numbers[0] > 0 && numbers[0] <= 1000) {
    return TypeOfColumn{*type, (numbers[0] << 16 | numbers[1]) + 4};
  }
  return cannot(fmt::format("unknown key type \"{}\"", name));
}

// Types that vector files name in other words than SQL's.
Result<TypeOfColumn> key_type(std::string_view given) {
  const std::string name = lower(given);
  if (name.rfind("python", 0) == 0) return TypeOfColumn{KeyType::kText};  // in the form of str()
  if (name == "char" || name == "\"char\"") {
    return cannot("char may be char(n) or the internal one-byte type");
  }
  if (name == "text(utf8)" || name == "varchar hashed" || name.rfind("text bytes", 0) == 0 ||
      name == "str" || name == "string" || name == "utf8") {
    return TypeOfColumn{KeyType::kText};
  }
  if (name == "uuid hashed") return TypeOfColumn{KeyType::kUuid};
  if (name == "uint64" || name == "uinteger" || name == "int8/uint8") {
    return TypeOfColumn{KeyType::kNumeric};
  }
  if (name == "integer_old" || name == "int64") return TypeOfColumn{KeyType::kInt8};
  if (name == "int32") return TypeOfColumn{KeyType::kInt4};
  if (name == "char(n)") return TypeOfColumn{KeyType::kBpchar};
  if (name == "varchar(n)") return TypeOfColumn{KeyType::kVarchar};
  if (std::optional<KeyType> type = key_type_of_name(name)) return TypeOfColumn{*type};
  if (name.find('(') != std::string::npos && name.find(')') != std::string::npos) {
    return with_typmod(name);
  }
  return cannot(fmt::format("unknown key type \"{}\"", given));
}

bool takes_any_integer(std::string_view function) {
  return function.rfind("mod_", 0) == 0 || function == "digest_mod" || function == "jump" ||
         function == "ring_alternatives";
}

// SPQR's "integer" has 64 bits, Python's "int" any number.
Result<TypeOfColumn> key_type_for(std::string_view function, std::string_view name) {
  if (function == "spqr" && name == "integer") return TypeOfColumn{KeyType::kInt8};
  const bool integer = name == "int" || name == "python:int";
  if (takes_any_integer(function) && integer) return TypeOfColumn{KeyType::kNumeric};
  return key_type(name);
}

}  // namespace

Result<void> read_types(std::string_view function, const json::value& value, Question& out) {
  auto add = [&](const json::value& v) -> Result<void> {
    if (!v.is_string()) return cannot("key_type is not a name");
    Result<TypeOfColumn> type = key_type_for(function, view(v.get_string()));
    if (!type) return type.error();
    out.types.push_back(type->type);
    out.typmods.push_back(type->typmod);
    return {};
  };
  if (!value.is_array()) return add(value);
  for (const json::value& v : value.get_array()) SHOAL_TRY(add(v));
  return {};
}

namespace {

// ---- functions --------------------------------------------------------------------------------

// Parameters that tell where a record comes from and change nothing.
void drop_remarks(json::object& params) {
  for (const char* key : {"group", "history", "conf_says_weight", "ring_behaves_as_weight"}) {
    params.erase(key);
  }
}

// A family name such as "md5_first4_be (hexdigest[:8])": the words before the remark.
Result<void> translate_digest_words(std::string_view family, json::object& out) {
  std::string_view words = family.substr(0, family.find(" ("));
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= words.size();) {
    std::size_t end = std::min(words.find('_', at), words.size());
    parts.emplace_back(words.substr(at, end - at));
    at = end + 1;
  }
  std::string digest = parts[0];
  std::size_t i = 1;
  auto number = [&](std::size_t at) {
    return at < parts.size() && !parts[at].empty() && parts[at].size() <= 3 &&
           parts[at].find_first_not_of("0123456789") == std::string::npos;
  };
  if (digest == "murmur3" && i < parts.size() && parts[i] == "32") {
    digest = "murmur3_32";
    ++i;
  } else if (digest == "blake2b" && number(i)) {
    out["size"] = std::stoi(parts[i++]);
  }
  out["digest"] = digest;
  for (; i < parts.size(); ++i) {
    const std::string& word = parts[i];
    if (word == "be" || word == "int" || word == "unsigned" || word == "unkeyed" ||
        word == "floor") {
      continue;  // what holds anyway
    } else if (word == "le") {
      out["endian"] = "little";
    } else if (word == "signed") {
      out["signed"] = true;
    } else if (word == "trunc" || word == "abs") {
      out["reduce"] = word;
    } else if (word.rfind("first", 0) == 0 || word.rfind("last", 0) == 0) {
      out["slice"] = word;
    } else {
      return cannot(fmt::format("unknown word \"{}\" in family \"{}\"", word, family));
    }
  }
  return {};
}

Result<void> translate_then(const json::object& params, json::object& out) {
  const json::value* then = member(params, "then");
  if (then == nullptr) return {};
  if (!then->is_string()) return cannot("then is not a text");
  static const std::map<std::string_view, const char*> kReduce = {
      {"floored % N", "floor"}, {"truncated % N", "trunc"},
      {"abs(hash) % N", "abs"}, {"abs(hash % N)", "abs"},
      {"hash & (N-1)", "mask"}, {"floor", "floor"},
      {"trunc", "trunc"},       {"abs", "abs"},
      {"mask", "mask"},
  };
  auto it = kReduce.find(view(then->get_string()));
  if (it == kReduce.end()) return cannot("unknown reduction");
  out["reduce"] = it->second;
  return {};
}

Result<Translation> translate_digest(const json::object& params) {
  Translation t;
  t.question.function = "digest_mod";
  json::object& out = t.question.params;
  const json::value* n = member(params, member(params, "N") != nullptr ? "N" : "n");
  const json::value* family = member(params, "family");
  if (n == nullptr || family == nullptr || !family->is_string()) return cannot("no N or family");
  for (const auto& m : params) {
    if (m.key() != "N" && m.key() != "n" && m.key() != "family" && m.key() != "then") {
      return cannot(fmt::format("unknown parameter \"{}\"", view(m.key())));
    }
  }
  out["n"] = *n;
  std::string_view name = view(family->get_string());
  struct Fixed {
    std::string_view family, digest, slice, reduce;
    bool is_signed;
  };
  static constexpr Fixed kFixed[] = {
      {"uuid.int % N (128-bit big endian)", "uuid_int", "", "floor", false},
      {"python hash(int) % N", "python_int", "", "floor", false},
      {"SQL abs(hashtext(k)) % N", "hashtext", "", "sql_abs", false},
      {"SQL hashtext(k) % N (truncated, may be negative)", "hashtext", "", "trunc", false},
      {"PL/Proxy RUN ON hashtext(k): hash & (N-1), N power of two", "hashtext", "", "mask", false},
      {"PL/Proxy modular_mapping=1: abs(hash % N)", "hashtext", "", "abs", false},
      {"SQL ('x'||substr(md5(k),1,8))::bit(32)::int % N (signed, truncated)", "md5", "first4",
       "trunc", true},
      {"uuid.int % N", "uuid_int", "", "floor", false},
      {"hash(int) % N", "python_int", "", "floor", false},
      {"abs(hashtext(k)) % N", "hashtext", "", "sql_abs", false},
      {"hashtext(k) % N", "hashtext", "", "trunc", false},
      {"('x'||substr(md5(k),1,8))::bit(32)::int % N", "md5", "first4", "trunc", true},
      {"zlib.crc32(b) % N", "crc32", "", "floor", false},
      {"mmh3.hash(k) % N", "murmur3_32", "", "floor", true},
      {"int(md5(b).hexdigest(),16) % N", "md5", "", "floor", false},
      {"int(sha1(b).hexdigest(),16) % N", "sha1", "", "floor", false},
      {"int(sha256(b).hexdigest(),16) % N", "sha256", "", "floor", false},
      {"int(md5(b).hexdigest()[:8],16) % N", "md5", "first4", "floor", false},
      {"int(sha1(b).hexdigest()[:8],16) % N", "sha1", "first4", "floor", false},
      {"int(sha256(b).hexdigest()[:8],16) % N", "sha256", "first4", "floor", false},
  };
  for (const Fixed& f : kFixed) {
    if (f.family != name) continue;
    out["digest"] = json::string_view(f.digest.data(), f.digest.size());
    out["reduce"] = json::string_view(f.reduce.data(), f.reduce.size());
    if (!f.slice.empty()) out["slice"] = json::string_view(f.slice.data(), f.slice.size());
    if (f.is_signed) out["signed"] = true;
    SHOAL_TRY(translate_then(params, out));
    return t;
  }
  SHOAL_TRY(translate_digest_words(name, out));
  SHOAL_TRY(translate_then(params, out));
  return t;
}

Result<Translation> translate_spqr(const json::object& params, const json::value& key_type) {
  Translation t;
  t.answer = Answer::kHash;
  t.question.function = "spqr";
  json::object& out = t.question.params;
  for (const auto& m : params) {
    if (m.key() == "hash_function") {
      out["hash"] = m.value();
    } else if (m.key() != "column_type") {
      return cannot(fmt::format("unknown parameter \"{}\"", view(m.key())));
    }
  }
  out["types"] = key_type.is_array() ? key_type.get_array() : json::array{key_type};
  out["bounds"] = json::array{0};
  return t;
}

Result<Translation> translate_alternative(const json::object& params) {
  Translation t;
  t.question.params = params;
  const json::value* which = member(params, "function");
  if (which == nullptr || !which->is_string()) return cannot("no function in params");
  std::string_view name = view(which->get_string());
  t.question.params.erase("function");
  if (name == "jump") {
    t.question.function = "jump";
  } else if (name == "redis_cluster_slot") {
    t.question.function = "redis";
    t.answer = Answer::kHash;
  } else if (name.rfind("rendezvous_md5", 0) == 0 &&
             name.find("BE64(md5(node+\"-\"+key))") != std::string_view::npos) {
    t.question.function = "rendezvous";
  } else {
    return cannot(fmt::format("unknown function \"{}\"", name));
  }
  return t;
}

// Functions whose parameters this room reads as they are: name there, name here, what is asked.
struct Plain {
  std::string_view theirs, ours;
  Answer answer;
};
constexpr Plain kPlain[] = {
    {"uhashring", "ring", Answer::kBucket},
    {"uhashring.range", "ring", Answer::kPreference},
    {"uhashring.get_node", "ring", Answer::kBucket},
    {"hashring", "ring", Answer::kBucket},
    {"link_shortener", "ring", Answer::kBucket},
    {"dorm.shard_for", "dorm", Answer::kBucket},
    {"shard_for", "dorm", Answer::kBucket},
    {"mod_floor", "mod_floor", Answer::kBucket},
    {"mod_trunc", "mod_trunc", Answer::kBucket},
    {"mod_abs", "mod_abs", Answer::kBucket},
    {"pg_hash_partition", "postgres", Answer::kBucket},
    {"pg_partition_layout", "postgres", Answer::kBucket},
    {"citus", "citus", Answer::kBucket},
    {"pgdog", "pgdog", Answer::kBucket},
    {"vitess", "vitess", Answer::kHash},
};

// What is asked may depend on the parameters.
Result<Translation> finish(Translation t) {
  json::object& params = t.question.params;
  if (t.answer == Answer::kPreference) {
    const json::value* method = member(params, "method");
    if (method != nullptr &&
        (!method->is_string() || (method->get_string() != "range(key, unique=True)" &&
                                  method->get_string() != "range(key)"))) {
      return cannot(fmt::format("unknown method {}", json::serialize(*method)));
    }
    params.erase("method");
  }
  // With shards the answer is one of them, without them the keyspace id.
  if (t.question.function == "vitess" && member(params, "shards") != nullptr) {
    t.answer = Answer::kBucket;
  }
  return t;
}

}  // namespace

Result<Translation> translate(std::string_view function, const json::object& params,
                              const json::value& key_type) {
  const bool by_family = member(params, "family") != nullptr;
  if (function == "digest_mod" && by_family) return translate_digest(params);
  if (function == "spqr" && member(params, "bounds") == nullptr) {
    return translate_spqr(params, key_type);
  }
  if (function == "ring_alternatives") return translate_alternative(params);
  Translation t;
  t.question.params = params;
  drop_remarks(t.question.params);
  for (const Plain& plain : kPlain) {
    if (plain.theirs != function) continue;
    t.question.function = plain.ours;
    t.answer = plain.answer;
    t.key_is_url = function == "link_shortener";
    return finish(std::move(t));
  }
  if (function == "pg_hash32") {
    t.answer = Answer::kHash32;
    return t;
  }
  // This room's own names, with its own parameters.
  for (const FunctionName& ours : key_function_names()) {
    if (ours.name != function) continue;
    t.question.function = std::string(function);
    if (function == "redis" || function == "spqr" || function == "vitess") t.answer = Answer::kHash;
    return finish(std::move(t));
  }
  return cannot(fmt::format("unknown function \"{}\"", function));
}

}  // namespace shoal::keys
