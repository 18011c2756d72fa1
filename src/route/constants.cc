// Constants of a statement as key values.
#include "route/constants.h"

namespace shoal::route {
namespace {

using keys::KeyType;
using keys::KeyValue;
using Kind = Constant::Kind;

std::int32_t read_int32(std::string_view bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v = (v << 8) | static_cast<unsigned char>(bytes[at + i]);
  return static_cast<std::int32_t>(v);
}

// The elements of a one-dimensional array literal as array_in reads it; nullopt for anything else.
// An element of nullopt is NULL.
std::optional<std::vector<std::optional<std::string>>> split_array(std::string_view text) {
  std::vector<std::optional<std::string>> out;
  std::size_t i = 0;
  const auto blank = [&] {
    while (i < text.size() && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n')) ++i;
  };
  blank();
  if (i >= text.size() || text[i] != '{') return std::nullopt;
  ++i;
  blank();
  if (i < text.size() && text[i] == '}') {
    ++i;
    blank();
    if (i == text.size()) return out;
    return std::nullopt;
  }
  for (;;) {
    blank();
    std::string item;
    bool quoted = false;
    if (i < text.size() && text[i] == '"') {
      quoted = true;
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && ++i >= text.size()) return std::nullopt;
        item += text[i];
      }
      if (i >= text.size()) return std::nullopt;
      ++i;
      blank();
    } else {
      for (; i < text.size() && text[i] != ',' && text[i] != '}'; ++i) {
        if (text[i] == '\\' || text[i] == '{' || text[i] == '"') return std::nullopt;
        item += text[i];
      }
      while (!item.empty() && (item.back() == ' ' || item.back() == '\t' || item.back() == '\n'))
        item.pop_back();
      if (item.empty()) return std::nullopt;
    }
    const bool null = !quoted && item.size() == 4 && (item[0] | 32) == 'n' &&
                      (item[1] | 32) == 'u' && (item[2] | 32) == 'l' && (item[3] | 32) == 'l';
    if (null)
      out.emplace_back(std::nullopt);
    else
      out.emplace_back(std::move(item));
    if (i >= text.size()) return std::nullopt;
    if (text[i] == '}') break;
    if (text[i] != ',') return std::nullopt;
    ++i;
  }
  ++i;
  blank();
  if (i != text.size()) return std::nullopt;
  return out;
}

}  // namespace

ConstantReader::ConstantReader(const catalog::Snapshot& snapshot, const SessionFacts& session,
                               std::span<const Parameter> params)
    : snapshot_(snapshot), session_(session), params_(params) {}

keys::ParseSettings ConstantReader::settings() const {
  keys::ParseSettings s;
  using Order = keys::ParseSettings::DateOrder;
  if (session_.date_style.find("DMY") != std::string::npos) s.date_order = Order::kDmy;
  if (session_.date_style.find("YMD") != std::string::npos) s.date_order = Order::kYmd;
  s.time_zone = session_.time_zone;
  s.server_version_num = snapshot_.server_version_num;
  return s;
}

void ConstantReader::saw(const sql::Expr& e) {
  if (const auto* p = std::get_if<sql::Param>(&e.node)) {
    params.push_back(p->number);
  } else if (std::holds_alternative<sql::Const>(e.node)) {
    if (e.location >= 0) locations.push_back(e.location);
  } else if (const auto* c = std::get_if<sql::Cast>(&e.node)) {
    saw(*c->arg);
  }
}

std::optional<KeyType> ConstantReader::key_type(Oid type) const {
  const catalog::Type* t = snapshot_.type(type);
  for (int hops = 0; t != nullptr && t->typtype == 'd' && hops < 32; ++hops) {
    type = t->base;
    t = snapshot_.type(type);
  }
  return keys::key_type_of_oid(type.value);
}

std::optional<KeyType> ConstantReader::key_type(const sql::TypeName& t) const {
  if (!t.typmods.empty() || t.setof || t.pct_type) return std::nullopt;
  const catalog::Type* type = snapshot_.resolve_type(session_.search_path, t.names);
  if (type == nullptr) return std::nullopt;
  // char without a length means char(1): it cuts.
  const bool written_char = t.names.back() == "bpchar" || t.names.back() == "char";
  if (written_char || type->typtype == 'd') return std::nullopt;
  return key_type(type->oid);
}

ConstantReader::Raw ConstantReader::raw_const(const sql::Expr& e, const sql::Const& c, KeyType as) {
  Raw out;
  out.location = e.location;
  saw(e);
  switch (c.kind) {
    case sql::Const::Kind::kNull:
      out.kind = Kind::kNull;
      return out;
    case sql::Const::Kind::kBool:
      out.kind = Kind::kValue;
      out.value = KeyValue::of_integer(KeyType::kBool, c.text == "t" ? 1 : 0);
      return out;
    case sql::Const::Kind::kInteger:
    case sql::Const::Kind::kFloat: {
      auto v = keys::parse_text(KeyType::kInt8, c.text, settings());
      if (!v) v = keys::parse_text(KeyType::kNumeric, c.text, settings());
      if (!v) return out;
      out.kind = Kind::kValue;
      out.value = std::move(*v);
      // "-5" is a sign in the text and a literal: another literal keeps the sign.
      out.direct = c.kind == sql::Const::Kind::kInteger && c.text.front() != '-';
      return out;
    }
    case sql::Const::Kind::kString: {
      auto v = keys::parse_text(as, c.text, settings());
      if (!v) return out;
      out.kind = Kind::kValue;
      out.value = std::move(*v);
      out.direct = true;
      return out;
    }
    case sql::Const::Kind::kBit:
      return out;
  }
  return out;
}

ConstantReader::Raw ConstantReader::raw_param(int number, KeyType context, bool cast) {
  Raw out;
  out.param = number;
  params.push_back(number);
  if (number < 1 || static_cast<std::size_t>(number) > params_.size()) return out;
  const Parameter& p = params_[static_cast<std::size_t>(number - 1)];
  if (p.null) {
    out.kind = Kind::kNull;
    return out;
  }
  constexpr std::uint32_t kUnknownType = 705;
  KeyType type = context;
  if (p.type.value == 0 || p.type.value == kUnknownType) {
    // In $1::t the cast gives the parameter its type unless another place did so before.
    if (!cast || p.binary) {
      need_types = true;
      return out;
    }
  } else {
    const auto known = key_type(p.type);
    if (!known) return out;
    type = *known;
  }
  auto v =
      p.binary ? keys::parse_binary(type, p.value) : keys::parse_text(type, p.value, settings());
  if (!v) return out;
  out.kind = Kind::kValue;
  out.value = std::move(*v);
  out.direct = true;
  return out;
}

ConstantReader::Raw ConstantReader::raw_cast(const sql::Cast& c, KeyType column) {
  Raw out;
  if (!c.type.array_bounds.empty()) return out;
  const auto type = key_type(c.type);
  if (!type) return out;
  if (const auto* k = std::get_if<sql::Const>(&c.arg->node)) {
    out = raw_const(*c.arg, *k, *type);
  } else if (const auto* p = std::get_if<sql::Param>(&c.arg->node)) {
    out = raw_param(p->number, *type, true);
  } else if (const auto* inner = std::get_if<sql::Cast>(&c.arg->node)) {
    out = raw_cast(*inner, column);
    out.direct = false;
  } else {
    return out;
  }
  if (out.kind != Kind::kValue || out.value->type() == *type) return out;
  auto v = keys::cast_for_assignment(*out.value, *type);
  if (!v) {
    out.kind = Kind::kUnknown;
    return out;
  }
  if (keys::family_of(out.value->type()) != keys::family_of(*type)) out.direct = false;
  out.value = std::move(*v);
  return out;
}

ConstantReader::Raw ConstantReader::raw(const sql::Expr& e, KeyType column) {
  if (const auto* c = std::get_if<sql::Const>(&e.node)) return raw_const(e, *c, column);
  if (const auto* p = std::get_if<sql::Param>(&e.node)) return raw_param(p->number, column, false);
  if (const auto* c = std::get_if<sql::Cast>(&e.node)) return raw_cast(*c, column);
  return {};
}

Constant ConstantReader::convert(Raw raw, KeyType column, KeyType to) const {
  Constant out;
  out.param = raw.param;
  out.location = raw.location;
  out.direct = raw.direct && keys::family_of(column) == keys::family_of(to);
  out.kind = raw.kind;
  if (raw.kind != Kind::kValue) return out;
  auto in_column = keys::equal_value(*raw.value, column);
  if (!in_column) {
    out.kind = Kind::kUnknown;
    return out;
  }
  if (!*in_column) {
    out.kind = Kind::kNever;
    return out;
  }
  auto placed = keys::equal_value(**in_column, to);
  if (!placed || !*placed) {
    out.kind = Kind::kUnknown;
    return out;
  }
  out.value = std::move(**placed);
  return out;
}

Constant ConstantReader::read(const sql::Expr& e, Oid column, KeyType to) {
  const auto type = key_type(column);
  if (!type) return {};
  return convert(raw(e, *type), *type, to);
}

// ---- lists --------------------------------------------------------------------------------------

std::optional<std::vector<ConstantReader::Raw>> ConstantReader::array_text(std::string_view text,
                                                                           KeyType element) {
  const auto items = split_array(text);
  if (!items) return std::nullopt;
  std::vector<Raw> out;
  for (const auto& item : *items) {
    Raw raw;
    if (!item) {
      raw.kind = Kind::kNull;
    } else {
      auto v = keys::parse_text(element, *item, settings());
      if (!v) return std::nullopt;
      raw.kind = Kind::kValue;
      raw.value = std::move(*v);
    }
    out.push_back(std::move(raw));
  }
  return out;
}

std::optional<std::vector<ConstantReader::Raw>> ConstantReader::array_param(int number) {
  params.push_back(number);
  if (number < 1 || static_cast<std::size_t>(number) > params_.size()) return std::nullopt;
  const Parameter& p = params_[static_cast<std::size_t>(number - 1)];
  if (p.null) {
    Raw null;
    null.kind = Kind::kNull;
    std::vector<Raw> one;
    one.push_back(std::move(null));
    return one;
  }
  if (p.type.value == 0) {
    need_types = true;
    return std::nullopt;
  }
  const catalog::Type* array = snapshot_.type(p.type);
  if (array == nullptr || array->element.value == 0) return std::nullopt;
  const auto element = key_type(array->element);
  if (!element) return std::nullopt;
  if (!p.binary) return array_text(p.value, *element);
  // Int32 dimensions, flags, element type; per dimension length and lower bound; per element its
  // length (-1 = NULL) and bytes.
  const std::string_view b = p.value;
  constexpr std::size_t kHeader = 12, kDimension = 8;
  if (b.size() < kHeader) return std::nullopt;
  const std::int32_t dimensions = read_int32(b, 0);
  if (dimensions < 0 || dimensions > 6) return std::nullopt;
  std::size_t at = kHeader + kDimension * static_cast<std::size_t>(dimensions);
  if (b.size() < at) return std::nullopt;
  std::vector<Raw> out;
  while (at < b.size()) {
    if (b.size() - at < 4) return std::nullopt;
    const std::int32_t length = read_int32(b, at);
    at += 4;
    Raw raw;
    if (length < 0) {
      raw.kind = Kind::kNull;
    } else {
      const auto size = static_cast<std::size_t>(length);
      if (b.size() - at < size) return std::nullopt;
      auto v = keys::parse_binary(*element, b.substr(at, size));
      if (!v) return std::nullopt;
      raw.kind = Kind::kValue;
      raw.value = std::move(*v);
      at += size;
    }
    out.push_back(std::move(raw));
  }
  return out;
}

std::optional<std::vector<ConstantReader::Raw>> ConstantReader::raw_array(const sql::Expr& e,
                                                                          KeyType column) {
  std::vector<Raw> out;
  if (const auto* list = std::get_if<sql::List>(&e.node)) {
    for (const auto& item : list->items) {
      out.push_back(raw(*item, column));
      if (out.back().kind == Kind::kUnknown) return std::nullopt;
    }
    return out;
  }
  if (const auto* array = std::get_if<sql::ArrayExpr>(&e.node)) {
    // One quoted element makes unknown literals take the other elements' type: only equal kinds
    // are certain.
    for (const auto& item : array->elements) {
      out.push_back(raw(*item, column));
      if (out.back().kind == Kind::kUnknown) return std::nullopt;
    }
    return out;
  }
  if (const auto* p = std::get_if<sql::Param>(&e.node)) return array_param(p->number);
  if (const auto* c = std::get_if<sql::Const>(&e.node)) {
    saw(e);
    if (c->kind == sql::Const::Kind::kString) return array_text(c->text, column);
    return std::nullopt;
  }
  const auto* cast = std::get_if<sql::Cast>(&e.node);
  if (cast == nullptr || cast->type.array_bounds.size() != 1) return std::nullopt;
  const auto element = key_type(cast->type);
  if (!element) return std::nullopt;
  if (const auto* p = std::get_if<sql::Param>(&cast->arg->node)) return array_param(p->number);
  if (const auto* c = std::get_if<sql::Const>(&cast->arg->node)) {
    saw(*cast->arg);
    if (c->kind == sql::Const::Kind::kString) return array_text(c->text, *element);
    return std::nullopt;
  }
  if (const auto* array = std::get_if<sql::ArrayExpr>(&cast->arg->node)) {
    for (const auto& item : array->elements) out.push_back(raw(*item, *element));
  } else if (std::holds_alternative<sql::Cast>(cast->arg->node)) {
    auto inner = raw_array(*cast->arg, *element);  // '{1,2}'::int2[]::int8[], as psycopg writes it
    if (!inner) return std::nullopt;
    out = std::move(*inner);
  } else {
    return std::nullopt;
  }
  for (Raw& value : out) {
    if (value.kind == Kind::kUnknown) return std::nullopt;
    if (value.kind == Kind::kValue && value.value->type() != *element) {
      auto v = keys::cast_for_assignment(*value.value, *element);
      if (!v) return std::nullopt;
      value.value = std::move(*v);
    }
  }
  return out;
}

std::optional<std::vector<Constant>> ConstantReader::read_list(const sql::Expr& e, Oid column,
                                                               KeyType to) {
  const auto type = key_type(column);
  if (!type) return std::nullopt;
  auto items = raw_array(e, *type);
  if (!items) return std::nullopt;
  std::vector<Constant> out;
  for (auto& item : *items) {
    out.push_back(convert(std::move(item), *type, to));
    if (out.back().kind == Kind::kUnknown) return std::nullopt;
  }
  return out;
}

// ---- other uses ---------------------------------------------------------------------------------

Result<Constant> ConstantReader::read_stored(const sql::Expr& e, const catalog::Column& column,
                                             KeyType to) {
  Constant out;
  const auto type = key_type(column.type);
  if (!type) return out;
  Raw value = raw(e, *type);
  out.param = value.param;
  out.location = value.location;
  out.kind = value.kind;
  if (value.kind != Kind::kValue) return out;
  out.direct = value.direct && keys::family_of(*type) == keys::family_of(to) && column.typmod < 0;
  auto stored = keys::cast_for_assignment(*value.value, *type);
  if (stored) stored = keys::apply_typmod(std::move(*stored), column.typmod);
  if (!stored) {
    out.kind = Kind::kUnknown;
    if (keys::needs_server(stored.error())) return out;
    return stored.error();
  }
  auto placed = keys::equal_value(*stored, to);
  if (!placed || !*placed) {
    out.kind = Kind::kUnknown;
    return out;
  }
  out.value = std::move(**placed);
  return out;
}

Constant ConstantReader::read_count(const sql::Expr& e) {
  // A parameter of LIMIT is an int8 by PostgreSQL's rule, whatever it is compared with elsewhere.
  Raw value = std::holds_alternative<sql::Param>(e.node)
                  ? raw_param(std::get<sql::Param>(e.node).number, KeyType::kInt8, true)
                  : raw(e, KeyType::kInt8);
  Constant out;
  out.param = value.param;
  out.location = value.location;
  out.kind = value.kind;
  if (value.kind != Kind::kValue) return out;
  auto number = keys::equal_value(*value.value, KeyType::kInt8);
  if (!number || !*number) {
    out.kind = Kind::kUnknown;
    return out;
  }
  out.value = std::move(**number);
  return out;
}

}  // namespace shoal::route
