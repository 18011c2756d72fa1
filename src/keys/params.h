// Reads a key function's parameters: a JSON object whose keys must all be known. The first problem
// is kept and returned by finish(); until then readers return defaults. Internal to this room.
// Thread rule: used by one thread while a function is made.
#pragma once
#include <boost/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shoal::keys {

class Params {
 public:
  Params(std::string_view function, std::string_view json);

  bool has(std::string_view key) const;
  bool is_array(std::string_view key) const;
  const boost::json::value* take(std::string_view key);  // nullptr when absent or null

  std::optional<std::uint64_t> number(std::string_view key, std::uint64_t min, std::uint64_t max);
  std::uint64_t number(std::string_view key, std::uint64_t min, std::uint64_t max,
                       std::uint64_t otherwise);
  std::string text(std::string_view key, std::string_view otherwise);
  bool flag(std::string_view key, bool otherwise);
  std::vector<std::string> texts(std::string_view key);  // array of strings or numbers, as text
  // `key` as text, or `key`_hex as bytes in hexadecimal.
  std::string bytes(std::string_view key, std::string_view otherwise);

  void fail(std::string why);
  bool failed() const { return error_.has_value(); }
  Result<void> finish();  // also complains about keys that nobody took

 private:
  std::string function_;
  boost::json::object object_;
  std::set<std::string, std::less<>> taken_;
  std::optional<Error> error_;
};

// Strings and numbers as text; nullopt for anything else.
std::optional<std::string> scalar_text(const boost::json::value& value);
std::optional<std::string> bytes_of_hex(std::string_view hex);

}  // namespace shoal::keys
