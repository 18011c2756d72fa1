// What a function of a user can reach, as far as its text proves it. The text is not parsed: every
// relation that code can read stands in it by name, unless it builds statements at run time, so
// that a body whose words name no sharded table touches none. A name that only looks like a table's
// costs a refusal, never a wrong answer.
// Thread-safe, pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "route/analysis.h"

namespace shoal::route {

struct Reach {
  std::string unproved;  // why nothing is certain; empty: all of this holds
  // What it leaves in its server session, which no other connection of the client learns of: a
  // setting, a lock. Empty: nothing.
  std::string session_state;
  // Of what it calls; home and home_action also when it reads or writes tables of home.
  Effects effects;
  std::vector<const catalog::Table*> tables;  // that it may touch
};

// Of a function, aggregate or operator. IMMUTABLE ones touch nothing by contract; declared ones
// neither.
Reach reach_of(const catalog::Function& f, const catalog::Snapshot& snapshot);

// What runs unseen when rows of the table are read (row security policies), and when they are
// written (CHECK constraints, of its domains too; of a table of one shard triggers and defaults).
Reach reach_of_reading(const catalog::Table& t, const catalog::Snapshot& snapshot);
Reach reach_of_writing(const catalog::Table& t, const catalog::Snapshot& snapshot);
// Of a piece of code: a default, the body of DO.
Reach reach_of_text(std::string_view code, const catalog::Snapshot& snapshot);
// Of storing a value in the type: the CHECKs of a domain.
Reach reach_of_type(const catalog::Type& type, const catalog::Snapshot& snapshot);

}  // namespace shoal::route
