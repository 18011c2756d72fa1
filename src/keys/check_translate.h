// Vector files name functions, parameters and types in their own words: a record's question in this
// room's words. Internal to the check.
// Thread rule: pure functions.
#pragma once
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "keys/value.h"

namespace shoal::keys {

inline std::string_view view(boost::json::string_view s) {
  return {s.data(), s.size()};
}
inline Error cannot(std::string why) {
  return refuse(Refusal::kKeyFunction, std::move(why));
}
// nullptr when absent or null.
inline const boost::json::value* member(const boost::json::object& object, std::string_view key) {
  auto it = object.find(boost::json::string_view(key.data(), key.size()));
  return it == object.end() || it->value().is_null() ? nullptr : &it->value();
}

// A record's question in this room's words.
struct Question {
  std::string function;
  boost::json::object params;
  std::vector<KeyType> types;
  std::vector<std::int32_t> typmods;  // as pg_attribute has them; -1 = none
};

// What the record wants to know about the function's answer.
enum class Answer { kBucket, kHash, kHash32, kPreference };

struct Translation {
  Question question;
  Answer answer = Answer::kBucket;
  bool key_is_url = false;  // the link shortener derives its key from a URL
};

// The function, its parameters and what is asked; the types are left to read_types.
Result<Translation> translate(std::string_view function, const boost::json::object& params,
                              const boost::json::value& key_type);
Result<void> read_types(std::string_view function, const boost::json::value& key_type,
                        Question& out);

}  // namespace shoal::keys
