// The three forms of COPY data.
//   binary := "PGCOPY\n\377\r\n\0" flags:u32 length:u32 extension tuple* (-1:i16)?
//   tuple  := fields:i16 (size:i32 bytes)*          size -1: NULL
#include "exec/copy_rows.h"

#include "exec/copy_scanner.h"
#include "wire/bytes.h"

namespace shoal::exec {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr std::string_view kPlainHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kTrailer("\377\377", 2);

class LineRows final : public CopyRows {
 public:
  LineRows(const CopyFormat& format, std::vector<int> key_fields)
      : scanner_(format), key_fields_(std::move(key_fields)), header_(format.header) {
    readers_.assign(key_fields_.size(), FieldReader(format));
  }

  void set_input(std::string_view data, bool last) override {
    size_ = data.size();
    scanner_.set_input(ended_ ? std::string_view() : data, last);
  }
  std::size_t consumed() const override { return ended_ ? size_ : scanner_.line_start(); }

  Result<bool> next(CopyRow& row) override {
    if (ended_) return false;
    CopyLine line;
    Result<LineScanner::Step> step = scanner_.next(line);
    if (!step) return step.error();
    if (*step == LineScanner::Step::kMore) return false;
    ended_ = *step == LineScanner::Step::kEnd;
    if (ended_ && line.content.empty()) return false;
    row.bytes = line.bytes;
    row.null_key = -1;
    row.key.clear();
    if (std::exchange(header_, false)) {
      row.kind = CopyRow::Kind::kHeader;
      return true;
    }
    row.kind = CopyRow::Kind::kRow;
    for (std::size_t i = 0; i < key_fields_.size(); ++i) {
      std::string_view value;
      const auto column = static_cast<std::size_t>(key_fields_[i]);
      const FieldReader::Found found = readers_[i].read(line, column, value);
      if (found == FieldReader::Found::kMissing) row.kind = CopyRow::Kind::kShort;
      if (found == FieldReader::Found::kNull && row.null_key < 0)
        row.null_key = static_cast<int>(i);
      row.key.push_back(value);
    }
    return true;
  }

 private:
  LineScanner scanner_;
  std::vector<FieldReader> readers_;  // one per key column: each holds its decoded value
  std::vector<int> key_fields_;
  bool header_;
  bool ended_ = false;
  std::size_t size_ = 0;
};

Error bad(std::string message) {
  return make_error("22P04", std::move(message));
}

class BinaryRows final : public CopyRows {
 public:
  BinaryRows(std::vector<int> key_fields, std::size_t columns)
      : key_fields_(std::move(key_fields)), columns_(columns) {}

  void set_input(std::string_view data, bool last) override {
    data_ = data;
    last_ = last;
    at_ = 0;
  }
  std::size_t consumed() const override { return at_; }
  std::string_view prologue() const override { return kPlainHeader; }
  std::string_view epilogue() const override { return kTrailer; }

  Result<bool> next(CopyRow& row) override {
    row.key.assign(key_fields_.size(), {});
    row.null_key = -1;
    if (!header_read_) {
      Result<bool> read = read_header();
      if (!read || !*read) return read;
      row.kind = CopyRow::Kind::kHeader;
      row.bytes = kPlainHeader;
      return true;
    }
    row.kind = CopyRow::Kind::kRow;
    return read_tuple(row);
  }

 private:
  Result<bool> more(const char* at_end) const {
    if (!last_) return false;
    return bad(at_end);
  }

  Result<bool> read_header() {
    wire::Cursor in(data_.substr(at_));
    const std::string_view signature = in.bytes(kSignature.size());
    if (!in.ok()) return more("COPY file signature not recognized");
    if (signature != kSignature) return bad("COPY file signature not recognized");
    const std::uint32_t flags = in.u32();
    if (!in.ok()) return more("invalid COPY file header (missing flags)");
    if ((flags & (1u << 16)) != 0) return bad("invalid COPY file header (WITH OIDS)");
    if (flags >> 16 != 0) return bad("unrecognized critical flags in COPY file header");
    const std::uint32_t length = in.u32();
    if (!in.ok()) return more("invalid COPY file header (missing length)");
    if (static_cast<std::int32_t>(length) < 0)
      return bad("invalid COPY file header (wrong length)");
    in.bytes(length);
    if (!in.ok()) return more("invalid COPY file header (wrong length)");
    at_ = data_.size() - in.rest().size();
    header_read_ = true;
    return true;
  }

  Result<bool> read_tuple(CopyRow& row) {
    const std::string_view rest = data_.substr(at_);
    if (ended_) {
      if (!rest.empty()) return bad("received copy data after EOF marker");
      return false;
    }
    wire::Cursor in(rest);
    const std::int16_t fields = in.i16();
    if (!in.ok()) {
      if (last_ && rest.empty()) return false;
      return more("unexpected EOF in COPY data");
    }
    if (fields == -1) {
      at_ += 2;
      ended_ = true;
      return read_tuple(row);
    }
    if (static_cast<std::size_t>(fields) != columns_)
      return bad(fmt::format("row field count is {}, expected {}", fields, columns_));
    for (std::size_t i = 0; i < columns_; ++i) {
      const std::int32_t size = in.i32();
      if (size < -1) return bad("invalid field size");
      const std::string_view value =
          size < 0 ? std::string_view() : in.bytes(static_cast<std::size_t>(size));
      if (!in.ok()) return more("unexpected EOF in COPY data");
      keep_key(row, i, value, size < 0);
    }
    row.bytes = rest.substr(0, rest.size() - in.rest().size());
    at_ += row.bytes.size();
    return true;
  }

  void keep_key(CopyRow& row, std::size_t field, std::string_view value, bool null) const {
    for (std::size_t k = 0; k < key_fields_.size(); ++k) {
      if (static_cast<std::size_t>(key_fields_[k]) != field) continue;
      row.key[k] = value;
      if (null && row.null_key < 0) row.null_key = static_cast<int>(k);
    }
  }

  std::vector<int> key_fields_;
  std::size_t columns_;
  std::string_view data_;
  std::size_t at_ = 0;
  bool last_ = false, header_read_ = false, ended_ = false;
};

}  // namespace

std::unique_ptr<CopyRows> make_copy_rows(const CopyFormat& format, std::vector<int> key_fields,
                                         std::size_t columns) {
  if (format.kind == CopyFormat::Kind::kBinary)
    return std::make_unique<BinaryRows>(std::move(key_fields), columns);
  return std::make_unique<LineRows>(format, std::move(key_fields));
}

}  // namespace shoal::exec
