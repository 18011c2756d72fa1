// What the key functions of this room share: the check of a key against the declared types, and the
// maker of each function. Internal to this room.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "keys/function.h"
#include "keys/hash_number.h"
#include "keys/params.h"

namespace shoal::keys {

using FunctionPtr = std::shared_ptr<const KeyFunction>;
using Types = std::span<const KeyType>;
inline constexpr std::uint64_t kMaxSlots = UINT32_MAX;

class FunctionBase : public KeyFunction {
 public:
  FunctionBase(std::string_view name, Types types)
      : name_(name), types_(types.begin(), types.end()) {}
  std::string_view name() const final { return name_; }

 protected:
  const std::vector<KeyType>& types() const { return types_; }

  // A key of another shape or family would be hashed as something else: refused.
  Result<void> check(std::span<const KeyValue> key, bool nulls = false) const {
    if (key.size() == types_.size()) {
      bool right = true, null = false;
      for (std::size_t i = 0; i < key.size(); ++i) {
        right = right && family_of(key[i].type()) == family_of(types_[i]);
        null = null || key[i].is_null();
      }
      if (right && (nulls || !null)) return {};
      if (right) return refuse(Refusal::kNullKey);
    }
    return wrong_key(key);
  }

 private:
  Error wrong_key(std::span<const KeyValue> key) const;

  std::string name_;
  std::vector<KeyType> types_;
};

// ---- what is hashed ---------------------------------------------------------------------------

// The text an application hashed. python: str() of the object that the driver gives for the type.
// postgres: the type's cast to text.
enum class TextForm { kPython, kPostgres };
Result<std::string> hashed_text(const KeyValue& value, TextForm form);
// Reads "text_form" and refuses key types whose text is not exactly known.
TextForm take_text_form(Params& params, Types types);
// False for types of which equal values have several texts.
bool text_follows_equality(Types types);

// One column's value to the number that is reduced afterwards.
using Hash = std::function<Result<HashNumber>(const KeyValue&)>;

// An integer or an integral numeric as it is; refuses fractions and more than 152 digits.
Result<HashNumber> integer_hash(const KeyValue& value);

// A numeric key of an unsigned 64-bit column of another system.
Result<std::uint64_t> unsigned64(const KeyValue& value);

// The parameters "digest", "slice", "endian", "signed", "size", "salt", "seed", "text_form".
Hash take_digest(Params& params, Types types, std::string_view default_digest);

// ---- makers: one per family, each reads its parameters ---------------------------------------
FunctionPtr make_postgres(std::string_view name, Params& params, Types types);
FunctionPtr make_modulo(std::string_view name, Params& params, Types types);
FunctionPtr make_pgdog(std::string_view name, Params& params, Types types);
FunctionPtr make_ring(std::string_view name, Params& params, Types types);
FunctionPtr make_rendezvous(std::string_view name, Params& params, Types types);
FunctionPtr make_jump(std::string_view name, Params& params, Types types);
FunctionPtr make_redis(std::string_view name, Params& params, Types types);
FunctionPtr make_citus(std::string_view name, Params& params, Types types);
FunctionPtr make_spqr(std::string_view name, Params& params, Types types);
FunctionPtr make_vitess(std::string_view name, Params& params, Types types);
FunctionPtr make_range(std::string_view name, Params& params, Types types);
FunctionPtr make_list(std::string_view name, Params& params, Types types);
FunctionPtr make_directory(std::string_view name, Params& params, Types types);

// Common parameters.
void require_one_column(Params& params, Types types);
void require_types(Params& params, Types types, std::initializer_list<KeyType> allowed);
std::uint32_t take_buckets(Params& params);  // "n", also by the names other systems use
// "slots": a multiple of n, by default n itself.
std::uint32_t take_slots(Params& params, std::uint32_t n, std::uint64_t max = kMaxSlots);
// "default": a shard's name; true: a place without a name; otherwise none.
std::optional<std::string> take_default(Params& params);
// "names": one for each bucket, by default the number.
std::vector<std::string> take_names(Params& params, std::size_t count);

}  // namespace shoal::keys
