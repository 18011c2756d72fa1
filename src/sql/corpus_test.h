// The statements of corpus/, for tests.
#pragma once
#include <fstream>
#include <string>
#include <vector>

namespace shoal::sql {

// One statement per line; both files.
inline std::vector<std::string> corpus() {
  std::vector<std::string> out;
  for (const char* file : {"queries.sql", "writes.sql"}) {
    std::ifstream in(std::string(SHOAL_SOURCE_DIR) + "/src/sql/corpus/" + file);
    for (std::string line; std::getline(in, line);) {
      if (!line.empty()) out.push_back(line);
    }
  }
  return out;
}

}  // namespace shoal::sql
