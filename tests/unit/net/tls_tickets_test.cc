// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_tickets.h"

#include <atomic>
#include <cstring>
#include <thread>

#include <doctest/doctest.h>

#include "daemon/base/text.h"
#include "tests/support/certificates.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)
using Found = TicketKeys::Found;

namespace {

constexpr Instant kStart{std::chrono::hours(100)};
constexpr Duration kPeriod = std::chrono::hours(12);

TicketKey first_of(const TicketKeys& keys) {
  TicketKey key{};
  REQUIRE(keys.copy_first(key));
  return key;
}

Found find(const TicketKeys& keys, const TicketKey& wanted) {
  TicketKey key{};
  const Found found = keys.copy_named(wanted.name.data(), key);
  if (found != Found::kNone) CHECK(std::memcmp(&key, &wanted, sizeof key) == 0);
  return found;
}

std::string line_of(char byte) { return text::base64url(std::string(80, byte)) + "\n"; }

std::string mistake_in(const test::TestFolder& folder, std::string_view content) {
  const auto keys = TicketKeys::from_file(folder.write("bad", content));
  return keys ? "" : keys.error().text.substr(keys.error().text.rfind('/') + 1);
}

}  // namespace

TEST_CASE("a ticket key seals for a period and opens for one more") {
  const auto keys = *TicketKeys::rotating(kPeriod, kStart);
  CHECK(keys->count() == 1);
  CHECK(keys->next_rotation() == kStart + kPeriod);
  const TicketKey one = first_of(*keys);
  CHECK(*keys->rotate(kStart + kPeriod - std::chrono::seconds(1)) == false);
  CHECK(find(*keys, one) == Found::kFirst);

  CHECK(*keys->rotate(kStart + kPeriod) == true);
  const TicketKey two = first_of(*keys);
  CHECK(find(*keys, one) == Found::kOlder);
  CHECK(find(*keys, two) == Found::kFirst);
  CHECK(keys->next_rotation() == kStart + 2 * kPeriod);

  CHECK(*keys->rotate(kStart + 2 * kPeriod) == true);
  CHECK(find(*keys, one) == Found::kNone);
  CHECK(find(*keys, two) == Found::kOlder);
  CHECK(keys->count() == 2);
}

TEST_CASE("a rotation that comes a whole period late keeps no key") {
  const auto keys = *TicketKeys::rotating(kPeriod, kStart);
  const TicketKey one = first_of(*keys);
  CHECK(*keys->rotate(kStart + 2 * kPeriod) == true);
  CHECK(find(*keys, one) == Found::kNone);
  CHECK(keys->count() == 1);
}

TEST_CASE("ticket keys of a file: the first seals, all open, and the file is read again") {
  const test::TestFolder folder;
  const std::string path =
      folder.write("keys", "# shared\n" + line_of('a') + "\n" + line_of('b') + "  # old\r\n");
  const auto keys = *TicketKeys::from_file(path);
  CHECK(keys->file() == path);
  CHECK(keys->count() == 2);
  CHECK(keys->next_rotation() == kNever);
  CHECK(*keys->rotate(kStart) == false);
  const TicketKey a = first_of(*keys);
  CHECK(a.name[0] == 'a');
  CHECK(*keys->reread() == false);

  folder.write("keys", line_of('c') + line_of('a'));
  CHECK(*keys->reread() == true);
  CHECK(first_of(*keys).name[0] == 'c');
  CHECK(find(*keys, a) == Found::kOlder);

  folder.write("keys", "nonsense\n");
  CHECK_FALSE(keys->reread().has_value());
  CHECK(first_of(*keys).name[0] == 'c');
}

TEST_CASE("a ticket file that is wrong says where and what was expected") {
  const test::TestFolder folder;
  const std::string expected =
      "; a ticket key is 80 bytes in base64, such as `openssl rand -base64 80 | tr -d '\\n'` "
      "prints";
  CHECK(mistake_in(folder, "") == "bad: no key in it" + expected);
  CHECK(mistake_in(folder, line_of('a') + "c2hvcnQ=\n") == "bad:2: this is no key" + expected);
  CHECK(mistake_in(folder, line_of('a') + line_of('a')) ==
        "bad:2: a key above has the same first 16 bytes, by which keys are told apart");
  std::string many;
  for (char byte = 'a'; byte <= 'q'; ++byte)
    many += line_of(byte);
  CHECK(mistake_in(folder, many) == "bad:17: more than 16 keys");
  const auto missing = TicketKeys::from_file(folder.path_of("none"));
  CHECK_FALSE(missing.has_value());
  CHECK(missing.error().text.ends_with("none cannot be opened: No such file or directory"));
}

TEST_CASE("readers of ticket keys never see half a key while they are rotated") {
  const auto keys = *TicketKeys::rotating(std::chrono::seconds(1), kStart);
  std::atomic<bool> is_over{false};
  std::atomic<int> reads{0};
  std::atomic<int> torn{0};
  std::thread reader([&] {
    TicketKey key{};
    TicketKey again{};
    while (!is_over.load()) {
      if (!keys->copy_first(key)) ++torn;
      // Under its name the same bytes come again, unless it has gone meanwhile.
      if (keys->copy_named(key.name.data(), again) != Found::kNone &&
          std::memcmp(&key, &again, sizeof key) != 0) {
        ++torn;
      }
      ++reads;
    }
  });
  int rotations = 0;
  while (rotations < 2000 || reads.load() < 1000) {
    ++rotations;
    REQUIRE(keys->rotate(kStart + std::chrono::seconds(rotations)).has_value());
  }
  is_over = true;
  reader.join();
  CHECK(torn.load() == 0);
}
