// Progress of long work on standard error: one line that is redrawn on a terminal, a plain line now
// and then otherwise, nothing when the answer is JSON.
// Thread rule: one thread at a time.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace shoal::surface {

class ProgressLine {
 public:
  enum class Style { kTerminal, kPlain, kSilent };
  // What standard error is; silent with `json`.
  static Style style_for(bool json);

  explicit ProgressLine(Style style) : style_(style) {}
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;

  // total 0: unknown. May be called as often as one likes.
  void show(const std::string& what, std::uint64_t done, std::uint64_t total);
  void finish();  // clears the terminal's line

 private:
  Style style_;
  std::string what_;
  std::uint64_t begun_with_ = 0;
  std::chrono::steady_clock::time_point begun_{}, shown_{};
  bool drawn_ = false;
};

// "1,234,567"
std::string grouped(std::uint64_t number);

// The line without control characters: for tests and for plain output.
std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                          double per_second, bool bar);

}  // namespace shoal::surface
