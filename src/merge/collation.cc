// ICU and libc collations as PostgreSQL uses them (pg_locale.c: pg_newlocale_from_collation,
// get_collation_actual_version; varlena.c: varstr_cmp), for databases encoded in UTF8.
#include "merge/collation.h"

#include <gnu/libc-version.h>
#include <locale.h>
#include <strings.h>
#include <unicode/ucol.h>

#include <cstring>

#include "merge/compare.h"

namespace shoal::merge {
namespace {

int compare_bytes(const std::string& a, const std::string& b) {
  const int order = a.compare(b);  // char_traits<char> compares as unsigned bytes
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

using Collator = std::unique_ptr<UCollator, decltype(&ucol_close)>;

// ICU falls back to its root collation for any name it does not know; PostgreSQL 15 does the same,
// so the name is taken as it comes.
Collator open_collator(const std::string& locale) {
  UErrorCode status = U_ZERO_ERROR;
  Collator collator(ucol_open(locale.c_str(), &status), &ucol_close);
  if (U_FAILURE(status)) collator.reset();
  return collator;
}

class IcuOrder final : public TextOrder {
 public:
  explicit IcuOrder(Collator collator) : collator_(std::move(collator)) {}
  int compare(const std::string& a, const std::string& b) const override {
    UErrorCode status = U_ZERO_ERROR;
    const UCollationResult order =
        ucol_strcollUTF8(collator_.get(), a.data(), static_cast<int32_t>(a.size()), b.data(),
                         static_cast<int32_t>(b.size()), &status);
    if (U_FAILURE(status) || order == UCOL_EQUAL) return compare_bytes(a, b);
    return order == UCOL_LESS ? -1 : 1;
  }

 private:
  Collator collator_;
};

class LibcOrder final : public TextOrder {
 public:
  explicit LibcOrder(locale_t locale) : locale_(locale) {}
  ~LibcOrder() override { freelocale(locale_); }
  LibcOrder(const LibcOrder&) = delete;
  int compare(const std::string& a, const std::string& b) const override {
    const int order = strcoll_l(a.c_str(), b.c_str(), locale_);
    return order != 0 ? order : compare_bytes(a, b);
  }

 private:
  locale_t locale_;
};

bool is_c(const std::string& locale) {
  return locale == "C" || locale == "POSIX";
}

}  // namespace

std::unique_ptr<TextOrder> open_icu(const std::string& locale) {
  Collator collator = open_collator(locale);
  if (!collator) return nullptr;
  return std::make_unique<IcuOrder>(std::move(collator));
}

std::unique_ptr<TextOrder> open_libc(const std::string& locale) {
  const locale_t opened =
      newlocale(LC_COLLATE_MASK | LC_CTYPE_MASK, locale.c_str(), static_cast<locale_t>(nullptr));
  if (opened == static_cast<locale_t>(nullptr)) return nullptr;
  return std::make_unique<LibcOrder>(opened);
}

std::string icu_version(const std::string& locale) {
  const Collator collator = open_collator(locale);
  if (!collator) return {};
  UVersionInfo version;
  ucol_getVersion(collator.get(), version);
  char text[U_MAX_VERSION_STRING_LENGTH];
  u_versionToString(version, text);
  return text;
}

std::string libc_version(const std::string& locale) {
  if (is_c(locale) || strncasecmp(locale.c_str(), "C.", 2) == 0) return {};
  if (!open_libc(locale)) return {};
  return gnu_get_libc_version();
}

}  // namespace shoal::merge
