// Asking home, and putting the answers behind rows.
#include "exec/copy_fill.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kMostRows = 10'000;  // of one question to home

// The function that writes a type in binary; empty: not one of those that are filled.
std::string_view send_function(Oid type) {
  switch (type.value) {
    case 20:
      return "int8send";
    case 21:
      return "int2send";
    case 23:
      return "int4send";
    case 25:
    case 1043:
      return "textsend";
    case 1082:
      return "date_send";
    case 1114:
      return "timestamp_send";
    case 1184:
      return "timestamptz_send";
    case 2950:
      return "uuid_send";
    default:
      return {};
  }
}

int hex_digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

std::string from_hex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(hex_digit(text[i]) * 16 + hex_digit(text[i + 1]));
  return out;
}

Error cannot_fill(std::string why) {
  return refuse(Refusal::kInsertSource, std::move(why),
                "name the column in COPY and give its values");
}

}  // namespace

Result<CopyFill> CopyFill::make(const plan::CopyIn& plan, const CopyFormat& format) {
  CopyFill fill;
  fill.binary_ = format.kind == CopyFormat::Kind::kBinary;
  fill.in_data_ = plan.columns.size() - plan.filled.size();
  fill.key_fields_ = plan.key_fields;
  for (std::size_t i = 0; i < plan.filled.size(); ++i) {
    const plan::CopyIn::Filled& what = plan.filled[i];
    const std::string& name = plan.columns[fill.in_data_ + i];
    const bool given = what.sql.empty();
    if (given && !plan.scope) return cannot_fill("the shard key is not among the columns of COPY");
    if (fill.binary_ && (given || send_function(what.type).empty()))
      return cannot_fill(fmt::format("column {} cannot be filled into binary data", name));
    if (format.matches_header)
      return cannot_fill(fmt::format("column {} is not in a header that must match", name));
    fill.columns_.push_back({what, given ? *plan.scope : std::string()});
  }
  return fill;
}

bool CopyFill::draws() const {
  return std::any_of(columns_.begin(), columns_.end(),
                     [](const Column& c) { return !c.what.once; });
}

std::vector<int> CopyFill::keys_in_data() const {
  std::vector<int> fields;
  for (const int field : key_fields_)
    if (static_cast<std::size_t>(field) < in_data_) fields.push_back(field);
  return fields;
}

std::string CopyFill::expression(const Column& column) const {
  if (!binary_) return fmt::format("({})::pg_catalog.text", column.what.sql);
  return fmt::format("pg_catalog.encode(pg_catalog.{}({}), 'hex')", send_function(column.what.type),
                     column.what.sql);
}

Result<std::string> CopyFill::read(std::optional<std::string> text) const {
  if (!text) return cannot_fill("a column's default is NULL");
  return binary_ ? from_hex(*text) : *std::move(text);
}

io::Task<Result<>> CopyFill::compute_constants(Transaction& transaction, ShardId home) {
  for (Column& column : columns_) {
    if (!column.what.once || column.what.sql.empty()) continue;
    Result<backend::Connection*> c = co_await transaction.use(home);
    if (!c) co_return c.error();
    Result<backend::TextRows> rows = co_await (*c)->query("SELECT " + expression(column));
    if (!rows) co_return rows.error();
    Result<std::string> value = read(std::move(rows->rows.at(0).at(0)));
    if (!value) co_return value.error();
    column.value = *std::move(value);
  }
  co_return Result<>();
}

// What the transaction itself has locked or not yet committed cannot be read beside it.
Error CopyFill::unreachable(const Error& e) {
  if (e.sqlstate != "55P03" && e.sqlstate != "42P01") return e;
  return refuse(Refusal::kDdlThenPull, "the sequence was changed or made in this transaction",
                "COMMIT first, or name the column in COPY and give its values");
}

io::Task<Result<>> CopyFill::draw(backend::Connection& home, std::size_t rows) {
  Result<backend::TextRows> begun = co_await home.query("BEGIN; SET LOCAL lock_timeout = '3s'");
  if (!begun) co_return begun.error();
  Result<> drawn = co_await draw_within(home, rows);
  Result<backend::TextRows> ended = co_await home.query("COMMIT");
  if (!drawn) co_return unreachable(drawn.error());
  if (!ended) co_return ended.error();
  co_return Result<>();
}

io::Task<Result<>> CopyFill::draw_within(backend::Connection& home, std::size_t rows) {
  drawn_.clear();
  row_ = 0;
  std::string list;
  for (const Column& column : columns_)
    if (!column.what.once) list += (list.empty() ? "" : ", ") + expression(column);
  while (drawn_.size() < rows) {
    const std::size_t n = std::min(rows - drawn_.size(), kMostRows);
    Result<backend::TextRows> answer = co_await home.query(
        fmt::format("SELECT {} FROM pg_catalog.generate_series(1, {})", list, n));
    if (!answer) co_return answer.error();
    for (auto& row : answer->rows) {
      std::vector<std::string>& values = drawn_.emplace_back();
      for (auto& text : row) {
        Result<std::string> value = read(std::move(text));
        if (!value) co_return value.error();
        values.push_back(*std::move(value));
      }
    }
  }
  co_return Result<>();
}

const std::string& CopyFill::value(std::size_t column) const {
  if (columns_[column].what.once) return columns_[column].value;
  std::size_t nth = 0;
  for (std::size_t i = 0; i < column; ++i) nth += columns_[i].what.once ? 0 : 1;
  return drawn_[row_][nth];
}

std::vector<std::string_view> CopyFill::key(const std::vector<std::string_view>& from_data) const {
  std::vector<std::string_view> whole;
  std::size_t given = 0;
  for (const int field : key_fields_) {
    const auto at = static_cast<std::size_t>(field);
    whole.push_back(at < in_data_ ? from_data[given++] : std::string_view(value(at - in_data_)));
  }
  return whole;
}

void CopyFill::append(std::string& out, const CopyFormat& format, std::string_view row) const {
  std::vector<std::string_view> values;
  for (std::size_t i = 0; i < columns_.size(); ++i) values.push_back(value(i));
  append_filled_row(out, format, row, values);
}

}  // namespace shoal::exec
