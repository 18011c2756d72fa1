// Adding numeric values as PostgreSQL's numeric_add does: exactly, with the larger of both scales.
// Pure functions.
#pragma once
#include "base/result.h"
#include "keys/value.h"

namespace shoal::merge {

// Both are numeric and not NULL. 22003 when the sum needs more digits than numeric has.
Result<keys::KeyValue> add_numeric(const keys::KeyValue& a, const keys::KeyValue& b);

}  // namespace shoal::merge
