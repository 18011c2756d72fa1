// Tables and lines for people and for programs.
#include "surface/print.h"

namespace shoal::surface {
namespace {

// Columns on the screen: code points, which is right for what names and numbers hold.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::string print_aligned(const Sheet& sheet) {
  std::vector<std::size_t> widths;
  for (const std::string& column : sheet.columns) widths.push_back(width(column));
  for (const auto& row : sheet.rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width(row[i].value_or("")));
    }
  }
  std::string out;
  const auto append_line = [&](auto cell) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string text = cell(i);
      line += text + std::string(widths[i] - width(text) + 2, ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  append_line([&](std::size_t i) { return sheet.columns[i]; });
  for (const auto& row : sheet.rows) {
    append_line([&](std::size_t i) { return i < row.size() ? row[i].value_or("") : ""; });
  }
  return out;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", int{c});
    else
      out += c;
  }
  return out + '"';
}

std::string print_json(const Sheet& sheet) {
  std::string out = "[";
  for (const auto& row : sheet.rows) {
    out += out.size() > 1 ? ",\n " : "";
    out += '{';
    for (std::size_t i = 0; i < sheet.columns.size(); ++i) {
      out += fmt::format("{}{}: {}", i == 0 ? "" : ", ", json_text(sheet.columns[i]),
                         i < row.size() && row[i] ? json_text(*row[i]) : "null");
    }
    out += '}';
  }
  return out + "]\n";
}

int print_error(const Error& error) {
  fmt::print(stderr, "shoal: {}\n", error.message);
  if (!error.detail.empty()) fmt::print(stderr, "DETAIL: {}\n", error.detail);
  if (!error.hint.empty()) fmt::print(stderr, "HINT: {}\n", error.hint);
  return 1;
}

}  // namespace shoal::surface
