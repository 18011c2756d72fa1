// Drawing, and how often.
#include "surface/progress.h"

#include <unistd.h>

#include <cstdio>

namespace shoal::surface {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPlainPeriod = std::chrono::seconds(5);
constexpr std::size_t kBarWidth = 24;

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, 1, ',');
  return out;
}

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                          double per_second, bool bar) {
  std::string out = what;
  if (total > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const auto filled = static_cast<std::size_t>(share * kBarWidth);
    if (bar) {
      out +=
          fmt::format("  [{}{}]", std::string(filled, '#'), std::string(kBarWidth - filled, '.'));
    }
    out += fmt::format("  {:.0f} %  {} of {}", share * 100, grouped(done), grouped(total));
  } else if (done > 0) {
    out += "  " + grouped(done);
  }
  if (per_second >= 1 && done > 0) {
    out += fmt::format("  {}/s", grouped(static_cast<std::uint64_t>(per_second)));
  }
  return out;
}

ProgressLine::Style ProgressLine::style_for(bool json) {
  if (json) return Style::kSilent;
  return isatty(STDERR_FILENO) ? Style::kTerminal : Style::kPlain;
}

void ProgressLine::show(const std::string& what, std::uint64_t done, std::uint64_t total) {
  if (style_ == Style::kSilent) return;
  const auto now = Clock::now();
  const bool fresh = what != what_;
  if (fresh) {
    what_ = what;
    begun_ = now;
    begun_with_ = done;
  }
  const auto period =
      style_ == Style::kTerminal ? Clock::duration(kRedraw) : Clock::duration(kPlainPeriod);
  if (now - shown_ < period && !(total > 0 && done >= total && style_ == Style::kTerminal)) return;
  if (shown_ == Clock::time_point{} && style_ == Style::kPlain) {
    shown_ = now;  // short work needs no line
    return;
  }
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double rate =
      seconds > 0.5 && done > begun_with_ ? static_cast<double>(done - begun_with_) / seconds : 0;
  const bool terminal = style_ == Style::kTerminal;
  const std::string text = progress_text(what, done, total, rate, terminal);
  if (terminal)
    fmt::print(stderr, "\r\x1b[K{}", text);
  else
    fmt::print(stderr, "{}\n", text);
  drawn_ = terminal;
  std::fflush(stderr);
}

void ProgressLine::finish() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
  std::fflush(stderr);
}

}  // namespace shoal::surface
