// The bytes that an application hashed for a key: the text of its object.
#include "keys/function_base.h"

namespace shoal::keys {

Result<std::string> hashed_text(const KeyValue& value, TextForm form) {
  if (form == TextForm::kPostgres) return to_text(value);
  switch (value.type()) {
    case KeyType::kBool:
      return std::string(value.integer() != 0 ? "True" : "False");
    case KeyType::kDate: {
      std::string text = to_text(value);
      // datetime.date ends at the year 9999 and knows neither BC nor infinity.
      if (text.size() != 10 || text[4] != '-') {
        return refuse(Refusal::kKeyValue, "Python has no date " + text);
      }
      return text;
    }
    default:
      return to_text(value);
  }
}

TextForm take_text_form(Params& params, Types types) {
  std::string form = params.text("text_form", "python");
  if (form == "postgres") {
    for (KeyType type : types) {
      // These texts depend on the session: TimeZone, extra_float_digits, bytea_output.
      if (type == KeyType::kTimestamptz || type == KeyType::kBytea ||
          family_of(type) == KeyType::kFloat8) {
        params.fail(fmt::format("the text of {} depends on the session", type_name(type)));
      }
    }
    return TextForm::kPostgres;
  }
  if (form != "python") params.fail("text_form must be python or postgres");
  for (KeyType type : types) {
    switch (type) {
      case KeyType::kInt2:
      case KeyType::kInt4:
      case KeyType::kInt8:
      case KeyType::kOid:
      case KeyType::kText:
      case KeyType::kVarchar:
      case KeyType::kName:
      case KeyType::kUuid:
      case KeyType::kDate:
      case KeyType::kBool:
        break;
      default:
        params.fail(
            fmt::format("cannot know which text an application hashed for a key of type {}; "
                        "text_form = postgres states that it was the cast to text",
                        type_name(type)));
    }
  }
  return TextForm::kPython;
}

bool text_follows_equality(Types types) {
  for (KeyType type : types) {
    if (type == KeyType::kNumeric || family_of(type) == KeyType::kFloat8) return false;
  }
  return true;
}

}  // namespace shoal::keys
