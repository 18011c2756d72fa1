// Views written out: for texts that run where the view would read other rows than those meant.
// Thread-safe, pure.
#pragma once
#include <set>

#include "base/result.h"
#include "catalog/snapshot.h"
#include "route/session_facts.h"
#include "sql/ast.h"

namespace shoal::plan {

// Replaces every view of the tree by its definition, names written out as they were resolved when
// the view was defined.
Result<> expand_views(sql::Select& tree, const catalog::Snapshot& snapshot,
                      const route::SessionFacts& session);

// Name resolution looks at trees through const pointers; the owner of a copy turns them back.
template <class T>
T& own_node(const T* part) {
  return const_cast<T&>(*part);
}

std::set<const sql::RangeVar*> named_in(sql::Select& tree);

}  // namespace shoal::plan
