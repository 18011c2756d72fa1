// Finding line ends; fields are in copy_fields.cc.
#include "exec/copy_scanner.h"

#include <cstring>

namespace shoal::exec {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

Error bad_data(std::string message, std::string hint = {}) {
  return make_error("22P04", std::move(message), {}, std::move(hint));
}

}  // namespace

void LineScanner::set_input(std::string_view data, bool last) {
  data_ = data;
  last_ = last;
  pos_ -= start_;
  start_ = 0;
  newline_ = return_ = special_ = 0;
  if (pos_ == 0) return;
  // Stale caches must lie before pos_.
}

std::size_t LineScanner::find(char c, std::size_t& cached, std::size_t from) const {
  if (cached != kNone && cached >= from && cached < data_.size() && data_[cached] == c)
    return cached;
  if (cached == kNone) return kNone;
  const void* at =
      from < data_.size() ? std::memchr(data_.data() + from, c, data_.size() - from) : nullptr;
  cached = at ? static_cast<std::size_t>(static_cast<const char*>(at) - data_.data()) : kNone;
  return cached;
}

Error LineScanner::broken(std::string_view what, bool newline) const {
  const bool csv = format_->kind == CopyFormat::Kind::kCsv;
  return bad_data(fmt::format("{} {} found in data", csv ? "unquoted" : "literal", what),
                  csv ? fmt::format("Use quoted CSV field to represent {}.", what)
                      : fmt::format("Use \"\\{}\" to represent {}.", newline ? 'n' : 'r', what));
}

// A carriage return outside of quotes: alone or with a newline it ends the line, by what the first
// line did.
Result<LineScanner::Found> LineScanner::on_return(std::size_t at, std::size_t& size) {
  size = 1;
  if (eol_ == Eol::kNewline) return broken("carriage return", false);
  if (eol_ == Eol::kReturn) return Found::kEol;
  if (at + 1 >= data_.size() && !last_) return Found::kWait;
  if (at + 1 < data_.size() && data_[at + 1] == '\n') {
    eol_ = Eol::kBoth;
    size = 2;
    return Found::kEol;
  }
  if (eol_ == Eol::kBoth) return broken("carriage return", false);
  eol_ = Eol::kReturn;
  return Found::kEol;
}

Result<LineScanner::Found> LineScanner::on_newline(std::size_t& size) {
  if (eol_ == Eol::kReturn || eol_ == Eol::kBoth) return broken("newline", true);
  eol_ = Eol::kNewline;
  size = 1;
  return Found::kEol;
}

// At `at` stands \. : the end of the data if a line end of the right kind follows. kNothing: it is
// data (CSV only).
Result<LineScanner::Found> LineScanner::on_end_marker(std::size_t at, bool csv) {
  std::size_t next = at + 2;
  const auto byte = [&](std::size_t i) { return i < data_.size() ? data_[i] : '\0'; };
  const std::size_t wanted = next + (eol_ == Eol::kBoth ? 2 : 1);
  if (wanted > data_.size() && !last_) return Found::kWait;
  const char* const mismatch = "end-of-copy marker does not match previous newline style";
  if (eol_ == Eol::kBoth) {
    const char c = byte(next++);
    if (c == '\n' && !csv) return bad_data(mismatch);
    if (c != '\r' && !csv) return bad_data("end-of-copy marker corrupt");
    if (c != '\r') return Found::kNothing;
  }
  const char c = byte(next);
  if (c != '\r' && c != '\n') {
    if (csv) return Found::kNothing;
    return bad_data("end-of-copy marker corrupt");
  }
  const bool wrong = (eol_ == Eol::kReturn && c != '\r') ||
                     ((eol_ == Eol::kNewline || eol_ == Eol::kBoth) && c != '\n');
  if (wrong) return bad_data(mismatch);
  return Found::kEnd;
}

Result<LineScanner::Found> LineScanner::scan_text(std::size_t& end, std::size_t& size) {
  for (;;) {
    const std::size_t newline = find('\n', newline_, pos_);
    const std::size_t backslash = find('\\', special_, pos_);
    end = std::min({newline, backslash, find('\r', return_, pos_)});
    if (end == kNone) {
      pos_ = data_.size();
      return Found::kNothing;
    }
    pos_ = end;
    if (end == newline) return on_newline(size);
    if (end != backslash) return on_return(end, size);
    if (end + 1 >= data_.size()) {
      if (!last_) return Found::kWait;
      pos_ = data_.size();
      plain_ = false;
      return Found::kNothing;
    }
    if (data_[end + 1] == '.') return on_end_marker(end, false);
    plain_ = false;
    pos_ = end + 2;
  }
}

// Behind an opening quote: true when its closing quote was found. A quote that follows an escape
// does not close; where both are the same byte, a doubled quote closes and opens again.
bool LineScanner::skip_quoted() {
  const char quote = format_->quote, escape = format_->escape;
  if (quote == escape) {
    const std::size_t at = find(quote, special_, pos_);
    pos_ = at == kNone ? data_.size() : at + 1;
    in_quote_ = at == kNone;
    return !in_quote_;
  }
  for (; pos_ < data_.size(); ++pos_) {
    const char c = data_[pos_];
    if (c == escape) {
      after_escape_ = !after_escape_;
      continue;
    }
    if (c == quote && !after_escape_) {
      in_quote_ = false;
      ++pos_;
      return true;
    }
    after_escape_ = false;
  }
  return false;
}

Result<LineScanner::Found> LineScanner::scan_csv(std::size_t& end, std::size_t& size) {
  if (pos_ == start_ && format_->csv_end_marker && !in_quote_ && pos_ < data_.size() &&
      data_[pos_] == '\\') {
    if (pos_ + 1 >= data_.size() && !last_) return Found::kWait;
    if (pos_ + 1 < data_.size() && data_[pos_ + 1] == '.') {
      end = pos_;
      Result<Found> marker = on_end_marker(pos_, true);
      if (!marker || *marker != Found::kNothing) return marker;
      if (format_->quote != '\\' && format_->escape != '\\') ++pos_;
    }
  }
  for (;;) {
    if (in_quote_ && !skip_quoted()) return Found::kNothing;
    const std::size_t newline = find('\n', newline_, pos_);
    const std::size_t quote = find(format_->quote, special_, pos_);
    end = std::min({newline, quote, find('\r', return_, pos_)});
    if (end == kNone) {
      pos_ = data_.size();
      return Found::kNothing;
    }
    pos_ = end;
    if (end == quote) {
      plain_ = false;
      in_quote_ = true;
      after_escape_ = false;
      pos_ = end + 1;
      continue;
    }
    return end == newline ? on_newline(size) : on_return(end, size);
  }
}

Result<LineScanner::Step> LineScanner::next(CopyLine& line) {
  std::size_t end = 0, size = 0;
  const bool csv = format_->kind == CopyFormat::Kind::kCsv;
  Result<Found> found = csv ? scan_csv(end, size) : scan_text(end, size);
  if (!found) return found.error();
  if (*found == Found::kWait) return Step::kMore;
  if (*found == Found::kNothing) {
    if (!last_ || start_ == data_.size()) return Step::kMore;
    if (in_quote_) return bad_data("unterminated CSV quoted field");
    end = data_.size();
    size = 0;
  }
  line.content = data_.substr(start_, end - start_);
  line.bytes = data_.substr(start_, end + size - start_);
  line.plain = plain_;
  pos_ = start_ = end + size;
  plain_ = true;
  if (*found != Found::kEnd) return Step::kLine;
  line.bytes = line.content;
  return Step::kEnd;
}

}  // namespace shoal::exec
