// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/list.h"

#include <array>
#include <string>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

struct Member : ListNode<Member> {
  char name = '?';
};

struct Row {
  Row() {
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i].name = static_cast<char>('a' + i);
      list.push_back(members[i]);
    }
  }
  [[nodiscard]] std::string names() const {
    std::string all;
    for (const Member* at = list.front(); at != nullptr; at = list.after(*at))
      all += at->name;
    return all;
  }

  List<Member> list;
  std::array<Member, 4> members;
};

}  // namespace

TEST_CASE("list: all that are there now are told, whoever leaves meanwhile") {
  Row row;
  std::string told;
  row.list.for_each_now([&](Member& member) {
    told += member.name;
    if (member.name == 'a') row.members[1].unlink();
    if (member.name == 'c') member.unlink();
  });
  CHECK(told == "acd");
  CHECK(row.names() == "ad");
}

TEST_CASE("list: who comes while all are told is not told, and who comes back is told once") {
  Row row;
  Member late;
  late.name = 'l';
  std::string told;
  row.list.for_each_now([&](Member& member) {
    told += member.name;
    if (member.name == 'a') row.list.push_back(late);
    member.unlink();
    row.list.push_back(member);
  });
  CHECK(told == "abcd");
  CHECK(row.names() == "labcd");
}
