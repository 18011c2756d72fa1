// ORDER BY lists and windows -> text.
#include "sql/writer.h"

namespace shoal::sql {

void Writer::sort_list(const std::vector<SortBy>& items) {
  list(items, [this](const SortBy& s) {
    expr(*s.expr);
    switch (s.order) {
      case SortBy::Order::kDefault:
        break;
      case SortBy::Order::kAsc:
        put(" ASC");
        break;
      case SortBy::Order::kDesc:
        put(" DESC");
        break;
      case SortBy::Order::kUsing:
        put(" USING ");
        operator_name(s.using_op);
        break;
    }
    if (s.nulls == SortBy::Nulls::kFirst) put(" NULLS FIRST");
    if (s.nulls == SortBy::Nulls::kLast) put(" NULLS LAST");
  });
}

// ---- windows; the bits are FRAMEOPTION_* of nodes/parsenodes.h ---------------------------------

void Writer::window(const WindowDef& w) {
  std::string_view gap;
  put("(");
  if (!w.ref_name.empty()) {
    name(w.ref_name);
    gap = " ";
  }
  if (!w.partition_by.empty()) {
    put(gap);
    put("PARTITION BY ");
    exprs(w.partition_by);
    gap = " ";
  }
  if (!w.order_by.empty()) {
    put(gap);
    put("ORDER BY ");
    sort_list(w.order_by);
    gap = " ";
  }
  if ((w.frame_options & 0x1) != 0) {
    put(gap);
    frame(w);
  }
  put(")");
}

void Writer::frame_bound(int options, bool start, const Expr* offset) {
  if ((options & (start ? 0x20 : 0x40)) != 0) return put("UNBOUNDED PRECEDING");
  if ((options & (start ? 0x80 : 0x100)) != 0) return put("UNBOUNDED FOLLOWING");
  if ((options & (start ? 0x200 : 0x400)) != 0) return put("CURRENT ROW");
  if (offset == nullptr) return no_text("window frame");
  expr(*offset);
  put((options & (start ? 0x800 : 0x1000)) != 0 ? " PRECEDING" : " FOLLOWING");
}

void Writer::frame(const WindowDef& w) {
  const int o = w.frame_options;
  put((o & 0x4) != 0 ? "ROWS " : (o & 0x8) != 0 ? "GROUPS " : "RANGE ");
  const bool between = (o & 0x10) != 0;
  if (between) put("BETWEEN ");
  frame_bound(o, true, w.start_offset.get());
  if (between) {
    put(" AND ");
    frame_bound(o, false, w.end_offset.get());
  }
  if ((o & 0x8000) != 0) put(" EXCLUDE CURRENT ROW");
  if ((o & 0x10000) != 0) put(" EXCLUDE GROUP");
  if ((o & 0x20000) != 0) put(" EXCLUDE TIES");
}

}  // namespace shoal::sql
