// COPY data out of DataRows.
#include "exec/temp_table.h"

#include "exec/statement.h"
#include "sql/deparse.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::uint32_t kFirstUserOid = 16384;
constexpr std::size_t kFrameBytes = 64u << 10;
constexpr std::size_t kMostUnsent = 4u << 20;
constexpr io::Milliseconds kLongestNap{20};
constexpr std::string_view kBinaryHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kBinaryTrailer("\377\377", 2);

bool has_portable_binary(const catalog::Snapshot& snapshot, std::uint32_t oid) {
  switch (oid) {
    case 1033:  // aclitem, and its array
    case 1034:
    case 194:   // pg_node_tree
    case 2249:  // record
    case 2287:
    case 3642:  // gtsvector
    case 3644:
      return false;
    default:
      break;
  }
  if (oid < kFirstUserOid) return true;
  const catalog::Type* type = snapshot.type(Oid(oid));
  if (!type) return false;
  if (type->typtype == 'd') return has_portable_binary(snapshot, type->base.value);
  return type->typtype == 'e';
}

// Composite types are not looked into.
bool may_hold_moments(const catalog::Snapshot& snapshot, std::uint32_t oid) {
  switch (oid) {
    case 1184:  // timestamptz, its array, ranges and their arrays, multiranges
    case 1185:
    case 3910:
    case 3911:
    case 4534:
    case 6153:
    case 2249:  // record
    case 2287:
      return true;
    default:
      break;
  }
  const catalog::Type* type = oid < kFirstUserOid ? nullptr : snapshot.type(Oid(oid));
  if (oid < kFirstUserOid) return false;
  if (!type) return true;
  if (type->typtype == 'd') return may_hold_moments(snapshot, type->base.value);
  if (type->element.value != 0) return may_hold_moments(snapshot, type->element.value);
  return type->typtype != 'e' && type->typtype != 'b';
}

bool writes_iso_dates(const backend::Connection& c) {
  const auto style = c.parameters().find("DateStyle");
  return style == c.parameters().end() || style->second.starts_with("ISO");
}

}  // namespace

Result<> check_text_form(Transaction& transaction, const backend::Connection& beside,
                         const catalog::Snapshot& snapshot, std::span<const std::uint32_t> types) {
  bool iso = writes_iso_dates(beside);
  for (const Transaction::Participant& p : transaction.participants())
    iso = iso && writes_iso_dates(*p.connection);
  if (iso) return {};
  for (std::uint32_t oid : types) {
    if (may_hold_moments(snapshot, oid))
      return refuse(Refusal::kNotProvable,
                    "rows that are gathered as text hold moments, which this DateStyle writes with"
                    " ambiguous names of time zones",
                    "SET DateStyle = 'ISO'");
  }
  return {};
}

CopyForm copy_form(const catalog::Snapshot& snapshot, std::span<const std::uint32_t> types) {
  for (std::uint32_t type : types)
    if (!has_portable_binary(snapshot, type)) return CopyForm::kText;
  return CopyForm::kBinary;
}

void TempTableWriter::begin(std::string_view table, CopyForm form) {
  form_ = form;
  copying_ = true;
  append_simple(*connection_,
                fmt::format("COPY pg_temp.{} FROM STDIN{}", sql::quote_identifier(table),
                            form == CopyForm::kBinary ? " (FORMAT binary)" : ""),
                tag_);
  if (form == CopyForm::kBinary) append(kBinaryHeader);
}

void TempTableWriter::append(std::string_view bytes) {
  std::string& out = connection_->out();
  if (frame_ == kNoFrame) {
    frame_ = out.size();
    out.append("d\0\0\0\0", 5);
  }
  out.append(bytes);
  if (out.size() - frame_ < kFrameBytes) return;
  end_frame();
  connection_->send();
}

void TempTableWriter::end_frame() {
  if (frame_ == kNoFrame) return;
  std::string& out = connection_->out();
  const std::size_t length = out.size() - frame_ - 1;
  for (std::size_t i = 0; i < 4; ++i)
    out[frame_ + 1 + i] = static_cast<char>(length >> (24 - 8 * i));
  frame_ = kNoFrame;
}

void TempTableWriter::add_row(std::string_view body) {
  // A DataRow and a binary COPY tuple are written alike: count, then length and bytes of each.
  if (form_ == CopyForm::kBinary)
    append(body);
  else
    append_text_row(body);
}

void TempTableWriter::append_text_row(std::string_view body) {
  Result<wire::DataRow> row = wire::decode_data_row(body);
  if (!row) return;
  line_.clear();
  bool first = true;
  for (wire::Value value : row->values) {
    if (!std::exchange(first, false)) line_ += '\t';
    if (!value) {
      line_ += "\\N";
      continue;
    }
    for (char c : *value) {
      switch (c) {
        case '\\':
          line_ += "\\\\";
          break;
        case '\n':
          line_ += "\\n";
          break;
        case '\r':
          line_ += "\\r";
          break;
        case '\t':
          line_ += "\\t";
          break;
        default:
          line_ += c;
      }
    }
  }
  line_ += '\n';
  append(line_);
}

void TempTableWriter::end() {
  if (form_ == CopyForm::kBinary) append(kBinaryTrailer);
  end_frame();
  copying_ = false;
  wire::append_copy_done(connection_->out());
  connection_->pending().sent('c');
  connection_->send();
}

void TempTableWriter::give_up() {
  end_frame();
  if (!std::exchange(copying_, false)) return;
  wire::append_copy_fail(connection_->out(), "the query has ended");
  connection_->pending().sent('f');
}

io::Task<Result<>> TempTableWriter::flow(io::Deadline deadline, Refusal late) {
  io::Milliseconds nap{1};
  while (connection_->unsent() >= kMostUnsent) {
    if (connection_->broken())
      co_return make_error("08006", "the connection of the workspace was lost");
    if (io::Clock::now() >= deadline.at) co_return refuse(late, "the workspace does not take rows");
    co_await io::sleep_for(nap);
    nap = std::min(nap * 2, kLongestNap);
  }
  co_return Result<>();
}

}  // namespace shoal::exec
