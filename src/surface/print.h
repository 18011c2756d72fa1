// How the command line shows results: aligned columns on a terminal or pipe, or one JSON value.
// Thread rule: pure but for print_error.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shoal::surface {

struct Sheet {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

std::string print_aligned(const Sheet& sheet);
// An array of objects; all values are JSON strings or null.
std::string print_json(const Sheet& sheet);
std::string json_text(std::string_view text);  // "quoted"

// One line each for message, detail and hint on standard error; returns exit status 1.
int print_error(const Error& error);

}  // namespace shoal::surface
