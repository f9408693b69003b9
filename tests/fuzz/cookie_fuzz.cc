// SPDX-License-Identifier: Apache-2.0
// Cookie fields from anywhere, one a line: what is taken out is what the scan found, it is gone
// afterwards, and no other cookie appears, vanishes or changes.

#include "daemon/http/cookie.h"
#include "daemon/http/forwarded.h"
#include "tests/fuzz/codec_account.h"

using namespace limpet;
using limpet::fuzz::require;

namespace {

constexpr std::string_view kName = "limpet";

[[nodiscard]] std::vector<std::string> values_of(const HeaderList& fields, std::string_view name) {
  std::vector<std::string> values;
  CookieScan scan(fields, name);
  while (const auto value = scan.next())
    values.emplace_back(*value);
  return values;
}

class Trusted : public AddressPredicate {
 public:
  [[nodiscard]] bool contains(std::string_view address) const override {
    return address.starts_with("1");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Arena arena;
  HeaderList fields(arena);
  std::string_view rest = input;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    fields.add_copy("cookie", rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (fields.fields().size() > 50) break;
  }
  const auto found = values_of(fields, kName);
  const auto others = values_of(fields, "a");
  require(remove_cookie(fields, kName) == found.size());
  require(values_of(fields, kName).empty());
  require(values_of(fields, "a") == others);
  require(remove_cookie(fields, kName) == 0);

  // The other lists that clients write: addresses.
  HeaderList hops(arena);
  hops.add_copy("x-forwarded-for", input);
  static_cast<void>(true_client(hops, "10.0.0.1", Trusted()));
  HeaderList forwarded(arena);
  forwarded.add_copy("forwarded", input);
  static_cast<void>(true_client(forwarded, "10.0.0.1", Trusted()));
  return 0;
}
