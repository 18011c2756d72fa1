// Checks key functions against vector files: JSON lines of {function, params, key_type, key,
// expected, [hash, row_hash, canonical]}, made by the original programs.
// Thread rule: pure function over a stream.
#pragma once
#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace shoal::keys {

struct CheckReport {
  struct Line {
    std::size_t line = 0;  // 1-based in the file
    std::string what;      // function, key, and what was expected and computed, or why refused
  };
  std::size_t passed = 0, failed = 0, refused = 0;
  std::vector<Line> failures;  // all of them
  std::vector<Line> refusals;  // the first kMaxRefusals
  static constexpr std::size_t kMaxRefusals = 1000;

  std::string summary() const;  // "N passed, N failed, N refused"
};

// Computes every record and compares. A record that can't be read, or whose function, parameters or
// key cannot be computed exactly, counts as refused; blank lines are skipped.
CheckReport check_vectors(std::istream& lines);

}  // namespace shoal::keys
