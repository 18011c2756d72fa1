// One text collation of ICU or libc, opened once and used for many comparisons. PostgreSQL breaks
// ties of a deterministic collation by bytes, and so does this.
// Thread rule: belongs to one thread.
#pragma once
#include <memory>
#include <string>

#include "plan/plan.h"

namespace shoal::merge {

class TextOrder {
 public:
  virtual ~TextOrder() = default;
  virtual int compare(const std::string& a, const std::string& b) const = 0;
};

// nullptr when this machine does not have the locale.
std::unique_ptr<TextOrder> open_icu(const std::string& locale);
std::unique_ptr<TextOrder> open_libc(const std::string& locale);

}  // namespace shoal::merge
