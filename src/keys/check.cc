// Every record is translated (check_translate.h) into a key function of this room and a key of its
// types; answers are compared as text.
#include "keys/check.h"

#include <boost/json.hpp>
#include <istream>
#include <map>

#include "keys/check_translate.h"
#include "keys/digest.h"
#include "keys/function.h"
#include "keys/params.h"
#include "keys/pg_hash.h"
#include "keys/ring.h"

namespace shoal::keys {
namespace {

namespace json = boost::json;

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

Result<std::vector<KeyValue>> read_key(const json::value& key, const Question& question) {
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
    if (question.typmods[i] >= 0) value = apply_typmod(std::move(*value), question.typmods[i]);
    if (!value) return value.error();
    out.push_back(std::move(*value));
  }
  return out;
}

// Expected and computed values as text, by the name of the record's field.
struct Comparison {
  std::vector<std::pair<std::string, std::string>> computed;
  std::string bucket;  // by number, for records that expect a number where places have names
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
  Result<Comparison> compute(const json::object& record) {
    const json::value* function = member(record, "function");
    const json::value* params = member(record, "params");
    const json::value* type = member(record, "key_type");
    auto key = record.find("key");
    if (function == nullptr || !function->is_string() || params == nullptr ||
        !params->is_object() || type == nullptr || key == record.end()) {
      return cannot("the record lacks function, params, key_type or key");
    }
    Result<Translation> t = translate(view(function->get_string()), params->get_object(), *type);
    if (!t) return t.error();
    SHOAL_TRY(read_types(view(function->get_string()), *type, t->question));
    Result<std::vector<KeyValue>> values = read_key(key->value(), t->question);
    if (!values) return values.error();
    if (member(record, "expected") == nullptr) return cannot("the record expects nothing");
    Comparison out;
    if (member(record, "canonical") != nullptr && values->size() == 1) {
      if ((*values)[0].is_null()) return cannot("NULL has no canonical text");
      out.add("canonical", to_text((*values)[0]));
    }
    if (t->answer == Answer::kHash32) return hash32(t->question, *values, std::move(out));
    if (t->key_is_url) {
      std::string id = base64(sha256((*values)[0].bytes())).substr(0, 5);
      out.add("url_id", id);
      (*values)[0] = KeyValue::of_bytes((*values)[0].type(), std::move(id));
    }
    Result<const KeyFunction*> f = function_of(t->question);
    if (!f) return f.error();
    return ask(**f, t->answer, *values, std::move(out));
  }

 private:
  Result<Comparison> hash32(const Question& question, const std::vector<KeyValue>& key,
                            Comparison out) {
    const json::value* name = member(question.params, "function");
    if (name == nullptr || !name->is_string() || key.size() != 1 || key[0].is_null() ||
        !hashes_type(view(name->get_string()), key[0].type())) {
      return cannot("no hash function of that name for that type");
    }
    out.add("expected", std::to_string(pg_hash32(key[0])));
    return out;
  }

  Result<Comparison> ask(const KeyFunction& f, Answer answer, const std::vector<KeyValue>& key,
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
      const std::optional<std::uint32_t> bucket = f.bucket_of(*slot);
      if (f.bucket_count() == 0) {
        out.add("expected", std::to_string(slot->value));
        return out;
      }
      if (!bucket) return cannot("the scheme has no place for this key");
      out.add("expected", f.bucket_name(*bucket));
      out.bucket = std::to_string(*bucket);
    }
    return out;
  }

  // Rings are costly to build, and files hold thousands of records of each.
  Result<const KeyFunction*> function_of(const Question& q) {
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

bool is_number(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What differs between a record and the computed values; empty when nothing does.
std::string difference(const json::object& record, const Comparison& computed) {
  for (const auto& [field, value] : computed.computed) {
    const json::value* expected = member(record, field);
    const bool by_number = field == "expected" && expected != nullptr && expected->is_number() &&
                           !computed.bucket.empty() && !is_number(value);
    const std::string& right = by_number ? computed.bucket : value;
    if (expected != nullptr && json_text(*expected) != right) {
      return fmt::format("{}: expected {}, computed {}", field, json_text(*expected), right);
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
    Result<Comparison> computed = checker.compute(record);
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
