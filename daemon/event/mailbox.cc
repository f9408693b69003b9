// SPDX-License-Identifier: Apache-2.0
#include "daemon/event/mailbox.h"

#include <cstdint>
#include <utility>

#include <sys/eventfd.h>

#include "daemon/base/check.h"
#include "daemon/event/loop.h"

namespace limpet {

Mailbox::Mailbox(Loop& loop) : bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), watch_(*this) {
  CHECK_THAT(bell_.is_open());
  watch_.start(loop, bell_.number(), Watch::Trigger::kLevelRead);
}

void Mailbox::post(std::function<void()> letter) {
  {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
  }
  const std::uint64_t one = 1;
  // A full counter means that the bell rings already.
  if (::write(bell_.number(), &one, sizeof one) != sizeof one) return;
}

void Mailbox::on_ready(Readiness) {
  std::uint64_t rings = 0;
  if (::read(bell_.number(), &rings, sizeof rings) != sizeof rings) return;
  std::vector<std::function<void()>> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (auto& letter : letters)
    letter();
}

}  // namespace limpet
