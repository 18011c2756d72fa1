// Small steps that the files of parse_ddl*.cc share; private to this room.
// Thread rule: plain functions.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "sql/convert.h"

namespace shoal::sql {

// The parts of a name, whatever node the grammar wraps it in.
inline std::vector<std::string> name_parts(const Node* n) {
  if (n == nullptr) return {};
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_STRING:
      return {string_of(n)};
    case PG_QUERY__NODE__NODE_LIST:
      return strings_of(nodes(n->list->items, n->list->n_items));
    case PG_QUERY__NODE__NODE_TYPE_NAME:
      return strings_of(nodes(n->type_name->names, n->type_name->n_names));
    case PG_QUERY__NODE__NODE_OBJECT_WITH_ARGS:
      return strings_of(nodes(n->object_with_args->objname, n->object_with_args->n_objname));
    case PG_QUERY__NODE__NODE_ROLE_SPEC:
      return {text_of(n->role_spec->rolename)};
    default:
      return {};
  }
}

template <class... Parts>
inline void name_ddl(Ddl& d, const char* verb, const char* object, Parts... name) {
  d.verb = verb;
  d.object = object;
  d.other_names.push_back({std::move(name)...});
}

inline void list_ddl(Ddl& d, const char* verb, const char* object, Nodes name) {
  d.verb = verb;
  d.object = object;
  d.other_names.push_back(strings_of(name));
}

}  // namespace shoal::sql
