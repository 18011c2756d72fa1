// Reading a JSON object's members by type, keeping the first problem.
#include "keys/params.h"

namespace shoal::keys {

namespace json = boost::json;

std::optional<std::string> scalar_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  return std::nullopt;
}

std::optional<std::string> bytes_of_hex(std::string_view hex) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    if (digit(hex[i]) < 0 || digit(hex[i + 1]) < 0) return std::nullopt;
    out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return out;
}

Params::Params(std::string_view function, std::string_view text) : function_(function) {
  if (text.empty()) return;
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec);
  if (ec || !value.is_object()) {
    fail("the parameters are not a JSON object");
    return;
  }
  object_ = std::move(value.get_object());
}

bool Params::has(std::string_view key) const {
  auto it = object_.find(json::string_view(key.data(), key.size()));
  return it != object_.end() && !it->value().is_null();
}

bool Params::is_array(std::string_view key) const {
  auto it = object_.find(json::string_view(key.data(), key.size()));
  return it != object_.end() && it->value().is_array();
}

const json::value* Params::take(std::string_view key) {
  auto it = object_.find(json::string_view(key.data(), key.size()));
  if (it == object_.end()) return nullptr;
  taken_.insert(std::string(key));
  return it->value().is_null() ? nullptr : &it->value();
}

std::optional<std::uint64_t> Params::number(std::string_view key, std::uint64_t min,
                                            std::uint64_t max) {
  const json::value* value = take(key);
  if (value == nullptr) return std::nullopt;
  std::uint64_t n = 0;
  bool read = false;
  if (value->is_uint64()) {
    n = value->get_uint64();
    read = true;
  } else if (value->is_int64() && value->get_int64() >= 0) {
    n = static_cast<std::uint64_t>(value->get_int64());
    read = true;
  }
  if (!read || n < min || n > max) {
    fail(fmt::format("{} must be an integer from {} to {}", key, min, max));
    return std::nullopt;
  }
  return n;
}

std::uint64_t Params::number(std::string_view key, std::uint64_t min, std::uint64_t max,
                             std::uint64_t otherwise) {
  return number(key, min, max).value_or(otherwise);
}

std::string Params::text(std::string_view key, std::string_view otherwise) {
  const json::value* value = take(key);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) {
    fail(fmt::format("{} must be a string", key));
    return std::string(otherwise);
  }
  return std::string(value->get_string());
}

bool Params::flag(std::string_view key, bool otherwise) {
  const json::value* value = take(key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) {
    fail(fmt::format("{} must be true or false", key));
    return otherwise;
  }
  return value->get_bool();
}

std::vector<std::string> Params::texts(std::string_view key) {
  std::vector<std::string> out;
  const json::value* value = take(key);
  if (value == nullptr) return out;
  if (!value->is_array()) {
    fail(fmt::format("{} must be an array", key));
    return out;
  }
  for (const json::value& element : value->get_array()) {
    std::optional<std::string> text = scalar_text(element);
    if (!text) {
      fail(fmt::format("{} must hold strings or integers only", key));
      return {};
    }
    out.push_back(std::move(*text));
  }
  return out;
}

std::string Params::bytes(std::string_view key, std::string_view otherwise) {
  std::string hex_key = std::string(key) + "_hex";
  if (!has(hex_key)) return text(key, otherwise);
  if (has(key)) fail(fmt::format("{} and {} exclude each other", key, hex_key));
  std::optional<std::string> bytes = bytes_of_hex(text(hex_key, ""));
  if (!bytes) fail(fmt::format("{} must be hexadecimal", hex_key));
  return bytes.value_or("");
}

void Params::fail(std::string why) {
  if (error_) return;
  error_ = refuse(Refusal::kKeyFunction, fmt::format("{}: {}", function_, why));
}

Result<void> Params::finish() {
  for (const auto& member : object_) {
    std::string_view key(member.key().data(), member.key().size());
    if (!taken_.contains(key)) fail(fmt::format("unknown parameter \"{}\"", key));
  }
  if (error_) return *error_;
  return {};
}

}  // namespace shoal::keys
