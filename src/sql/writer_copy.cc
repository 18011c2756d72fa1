// COPY's options as text.
#include "sql/deparse.h"

namespace shoal::sql {
namespace {

using Option = Copy::Option;

bool is_list(std::string_view name) {
  return name == "force_null" || name == "force_not_null" || name == "force_quote";
}

std::string print_option(const Option& option) {
  if (!option.has_value) return option.name;
  if (option.name == "format" || option.name == "header" || option.name == "freeze")
    return fmt::format("{} {}", option.name, quote_literal(option.value));
  if (!is_list(option.name))
    return fmt::format("{} {}", quote_identifier(option.name), quote_literal(option.value));
  if (option.value == "*") return option.name + " *";
  std::string list;
  for (std::string_view names = option.value;;) {
    const std::size_t end = names.find('\x1f');
    list += (list.empty() ? "" : ", ") + quote_identifier(names.substr(0, end));
    if (end == std::string_view::npos) break;
    names.remove_prefix(end + 1);
  }
  return fmt::format("{} ({})", option.name, list);
}

}  // namespace

std::string copy_options(const Copy& copy, bool header) {
  std::string options;
  for (const Option& option : copy.options) {
    if (option.name == "header" && !header) continue;
    options += (options.empty() ? "" : ", ") + print_option(option);
  }
  return options.empty() ? options : fmt::format(" WITH ({})", options);
}

}  // namespace shoal::sql
