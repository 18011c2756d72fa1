// Every record is translated into a key function of this room and a key of its types; the names and
// spellings of vector files are known here only.
#include "keys/check.h"

#include <boost/json.hpp>
#include <istream>
#include <map>

#include "keys/digest.h"
#include "keys/function.h"
#include "keys/params.h"
#include "keys/pg_hash.h"
#include "keys/ring.h"

namespace shoal::keys {
namespace {

namespace json = boost::json;

std::string_view view(json::string_view s) {
  return {s.data(), s.size()};
}

// A record's question in this room's words.
struct Question {
  std::string function;
  json::object params;
  std::vector<KeyType> types;
};

// What the record wants to know about the function's answer.
enum class Answer { kBucket, kHash, kHash32, kPreference };

struct Translation {
  Question question;
  Answer answer = Answer::kBucket;
  bool key_is_url = false;  // the link shortener derives its key from a URL
};

template <class T>
using Read = Result<T>;

Error cannot(std::string why) {
  return refuse(Refusal::kKeyFunction, std::move(why));
}

const json::value* member(const json::object& object, std::string_view key) {
  auto it = object.find(json::string_view(key.data(), key.size()));
  return it == object.end() || it->value().is_null() ? nullptr : &it->value();
}

// ---- key types --------------------------------------------------------------------------------

// Types that vector files name in other words than SQL's.
Read<KeyType> key_type(std::string_view name) {
  if (name.rfind("python", 0) == 0) return KeyType::kText;  // already in the form of str()
  if (name == "char") return cannot("char may be char(n) or the internal one-byte type");
  if (std::optional<KeyType> type = key_type_of_name(name)) return *type;
  if (name == "text(utf8)" || name == "varchar hashed" || name.rfind("text bytes", 0) == 0) {
    return KeyType::kText;
  }
  if (name == "uuid hashed") return KeyType::kUuid;
  if (name == "uint64" || name == "uinteger" || name == "int8/uint8") return KeyType::kNumeric;
  if (name == "integer_old") return KeyType::kInt8;
  return cannot(fmt::format("unknown key type \"{}\"", name));
}

// SPQR's "integer" has 64 bits, Python's "int" any number.
Read<KeyType> key_type_for(std::string_view function, std::string_view name) {
  if (function == "spqr" && name == "integer") return KeyType::kInt8;
  if (function == "digest_mod" && name == "int") return KeyType::kNumeric;
  return key_type(name);
}

Read<std::vector<KeyType>> key_types(std::string_view function, const json::value& value) {
  std::vector<KeyType> out;
  auto add = [&](const json::value& v) -> Result<void> {
    if (!v.is_string()) return cannot("key_type is not a name");
    Read<KeyType> type = key_type_for(function, view(v.get_string()));
    if (!type) return type.error();
    out.push_back(*type);
    return {};
  };
  if (value.is_array()) {
    for (const json::value& v : value.get_array()) SHOAL_TRY(add(v));
  } else {
    SHOAL_TRY(add(value));
  }
  return out;
}

// ---- functions --------------------------------------------------------------------------------

// Parameters that tell where a record comes from and change nothing.
void drop_remarks(json::object& params) {
  for (const char* key :
       {"group", "history", "conf_says_weight", "ring_behaves_as_weight", "method"}) {
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
      {"floored % N", "floor"}, {"truncated % N", "trunc"}, {"abs(hash) % N", "abs"},
      {"abs(hash % N)", "abs"}, {"hash & (N-1)", "mask"},
  };
  auto it = kReduce.find(view(then->get_string()));
  if (it == kReduce.end()) return cannot("unknown reduction");
  out["reduce"] = it->second;
  return {};
}

Read<Translation> translate_digest(const json::object& params) {
  Translation t;
  t.question.function = "digest_mod";
  json::object& out = t.question.params;
  const json::value* n = member(params, "N");
  const json::value* family = member(params, "family");
  if (n == nullptr || family == nullptr || !family->is_string()) return cannot("no N or family");
  for (const auto& m : params) {
    if (m.key() != "N" && m.key() != "family" && m.key() != "then") {
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

Read<Translation> translate_spqr(const json::object& params, const json::value& key_type) {
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

Read<Translation> translate_alternative(const json::object& params) {
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
    {"link_shortener", "ring", Answer::kBucket},
    {"dorm.shard_for", "dorm", Answer::kBucket},
    {"mod_floor", "mod_floor", Answer::kBucket},
    {"mod_trunc", "mod_trunc", Answer::kBucket},
    {"mod_abs", "mod_abs", Answer::kBucket},
    {"pg_hash_partition", "postgres", Answer::kBucket},
    {"pg_partition_layout", "postgres", Answer::kBucket},
    {"citus", "citus", Answer::kBucket},
    {"pgdog", "pgdog", Answer::kBucket},
    {"vitess", "vitess", Answer::kHash},
};

Read<Translation> translate(std::string_view function, const json::object& params,
                            const json::value& key_type) {
  if (function == "digest_mod") return translate_digest(params);
  if (function == "spqr") return translate_spqr(params, key_type);
  if (function == "ring_alternatives") return translate_alternative(params);
  Translation t;
  t.question.params = params;
  drop_remarks(t.question.params);
  for (const Plain& plain : kPlain) {
    if (plain.theirs != function) continue;
    t.question.function = plain.ours;
    t.answer = plain.answer;
    t.key_is_url = function == "link_shortener";
    return t;
  }
  if (function == "pg_hash32") {
    t.answer = Answer::kHash32;
    return t;
  }
  return cannot(fmt::format("unknown function \"{}\"", function));
}

// ---- one record -------------------------------------------------------------------------------

// PostgreSQL's 32-bit hash function of each type.
bool hashes_type(std::string_view function, KeyType type) {
  static const std::multimap<std::string_view, KeyType> kOf = {
      {"hashint2", KeyType::kInt2},
      {"hashint4", KeyType::kInt4},
      {"hashint4", KeyType::kDate},
      {"hashint8", KeyType::kInt8},
      {"hashtext", KeyType::kText},
      {"hashtext", KeyType::kVarchar},
      {"hashbpchar", KeyType::kBpchar},
      {"hashname", KeyType::kName},
      {"uuid_hash", KeyType::kUuid},
      {"timestamp_hash", KeyType::kTimestamp},
      {"timestamp_hash", KeyType::kTimestamptz},
      {"time_hash", KeyType::kTime},
      {"hash_numeric", KeyType::kNumeric},
      {"hashchar", KeyType::kBool},
      {"hashvarlena", KeyType::kBytea},
      {"hashoid", KeyType::kOid},
      {"hashfloat4", KeyType::kFloat4},
      {"hashfloat8", KeyType::kFloat8},
  };
  auto [first, last] = kOf.equal_range(function);
  return std::any_of(first, last, [&](const auto& row) { return row.second == type; });
}

Read<std::vector<KeyValue>> read_key(const json::value& key, const Question& question) {
  std::vector<json::value> parts;
  if (key.is_array()) {
    parts.assign(key.get_array().begin(), key.get_array().end());
  } else {
    parts.push_back(key);
  }
  if (parts.size() != question.types.size()) return cannot("key and key_type differ in length");
  std::vector<KeyValue> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].is_null()) {
      out.push_back(KeyValue::null(question.types[i]));
      continue;
    }
    std::optional<std::string> text = scalar_text(parts[i]);
    if (!text) return cannot("the key is neither text nor integer");
    Result<KeyValue> value = parse_text(question.types[i], *text);
    if (!value) return value.error();
    out.push_back(std::move(*value));
  }
  return out;
}

// Expected and computed values as text, by the name of the record's field.
struct Comparison {
  std::vector<std::pair<std::string, std::string>> computed;
  void add(std::string field, std::string value) {
    computed.emplace_back(std::move(field), std::move(value));
  }
};

std::string json_text(const json::value& value) {
  if (std::optional<std::string> text = scalar_text(value)) return *text;
  return json::serialize(value);
}

class Checker {
 public:
  Read<Comparison> compute(const json::object& record) {
    const json::value* function = member(record, "function");
    const json::value* params = member(record, "params");
    const json::value* type = member(record, "key_type");
    auto key = record.find("key");
    if (function == nullptr || !function->is_string() || params == nullptr ||
        !params->is_object() || type == nullptr || key == record.end()) {
      return cannot("the record lacks function, params, key_type or key");
    }
    Read<Translation> t = translate(view(function->get_string()), params->get_object(), *type);
    if (!t) return t.error();
    Read<std::vector<KeyType>> types = key_types(view(function->get_string()), *type);
    if (!types) return types.error();
    t->question.types = std::move(*types);
    Read<std::vector<KeyValue>> values = read_key(key->value(), t->question);
    if (!values) return values.error();
    if (member(record, "expected") == nullptr) return cannot("the record expects nothing");
    Comparison out;
    if (member(record, "canonical") != nullptr && values->size() == 1) {
      out.add("canonical", to_text((*values)[0]));
    }
    if (t->answer == Answer::kHash32) return hash32(t->question, *values, std::move(out));
    if (t->key_is_url) {
      std::string id = base64(sha256((*values)[0].bytes())).substr(0, 5);
      out.add("url_id", id);
      (*values)[0] = KeyValue::of_bytes((*values)[0].type(), std::move(id));
    }
    Read<const KeyFunction*> f = function_of(t->question);
    if (!f) return f.error();
    return ask(**f, t->answer, *values, std::move(out));
  }

 private:
  Read<Comparison> hash32(const Question& question, const std::vector<KeyValue>& key,
                          Comparison out) {
    const json::value* name = member(question.params, "function");
    if (name == nullptr || !name->is_string() || key.size() != 1 || key[0].is_null() ||
        !hashes_type(view(name->get_string()), key[0].type())) {
      return cannot("no hash function of that name for that type");
    }
    out.add("expected", std::to_string(pg_hash32(key[0])));
    return out;
  }

  Read<Comparison> ask(const KeyFunction& f, Answer answer, const std::vector<KeyValue>& key,
                       Comparison out) {
    Result<std::string> hash = f.describe(key);
    if (!hash) return hash.error();
    out.add("hash", *hash);
    out.add("row_hash", *hash);
    if (answer == Answer::kHash) {
      out.add("expected", *hash);
    } else if (answer == Answer::kPreference) {
      Result<std::vector<std::string>> names = ring_preference(f, key);
      if (!names) return names.error();
      json::array array(names->begin(), names->end());
      out.add("expected", json::serialize(array));
    } else {
      Result<Slot> slot = f.slot(key);
      if (!slot) return slot.error();
      if (!f.bucket_of(*slot)) return cannot("the scheme has no place for this key");
      out.add("expected", f.slot_owner_name(*slot));
    }
    return out;
  }

  // Rings are costly to build, and files hold thousands of records of each.
  Read<const KeyFunction*> function_of(const Question& q) {
    std::string id = q.function + json::serialize(q.params);
    for (KeyType type : q.types) id += type_name(type);
    auto it = functions_.find(id);
    if (it == functions_.end()) {
      if (functions_.size() >= kMaxKept) functions_.clear();
      it = functions_.emplace(id, make_key_function(q.function, json::serialize(q.params), q.types))
               .first;
    }
    if (!it->second) return it->second.error();
    return it->second->get();
  }

  static constexpr std::size_t kMaxKept = 1000;
  std::map<std::string, Result<std::shared_ptr<const KeyFunction>>> functions_;
};

// What differs between a record and the computed values; empty when nothing does.
std::string difference(const json::object& record, const Comparison& computed) {
  for (const auto& [field, value] : computed.computed) {
    const json::value* expected = member(record, field);
    if (expected != nullptr && json_text(*expected) != value) {
      return fmt::format("{}: expected {}, computed {}", field, json_text(*expected), value);
    }
  }
  return {};
}

std::string record_name(const json::object& record) {
  std::string out;
  for (const char* field : {"function", "params", "key_type", "key"}) {
    if (const json::value* value = member(record, field)) out += json_text(*value) + " ";
  }
  return out;
}

}  // namespace

std::string CheckReport::summary() const {
  return fmt::format("{} passed, {} failed, {} refused", passed, failed, refused);
}

CheckReport check_vectors(std::istream& lines) {
  CheckReport report;
  Checker checker;
  std::string line;
  auto refuse_line = [&](std::size_t number, std::string why) {
    ++report.refused;
    if (report.refusals.size() < CheckReport::kMaxRefusals) {
      report.refusals.push_back({number, std::move(why)});
    }
  };
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    boost::system::error_code ec;
    json::value value = json::parse(line, ec);
    if (ec || !value.is_object()) {
      refuse_line(number, "not a JSON object");
      continue;
    }
    const json::object& record = value.get_object();
    Read<Comparison> computed = checker.compute(record);
    if (!computed) {
      const Error& e = computed.error();
      refuse_line(number,
                  record_name(record) + e.message + (e.detail.empty() ? "" : ": ") + e.detail);
      continue;
    }
    std::string what = difference(record, *computed);
    if (what.empty()) {
      ++report.passed;
    } else {
      ++report.failed;
      report.failures.push_back({number, record_name(record) + what});
    }
  }
  return report;
}

}  // namespace shoal::keys
