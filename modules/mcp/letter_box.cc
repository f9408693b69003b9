// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/letter_box.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace limpet::mcp {

// Without a descriptor letters are not read, and who waits goes on when its time is over.
LetterBox::LetterBox(DescriptorWatches& watches)
    : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), watch_(watches.make(*this)) {
  if (wake_.is_open()) watch_->start(wake_.number());
}

LetterBox::~LetterBox() { watch_->stop(); }

std::uint64_t LetterBox::enter(LetterReader& reader) {
  readers_[++last_number_] = &reader;
  return last_number_;
}

void LetterBox::post(std::uint64_t number, CarryEnd end) noexcept {
  {
    const std::lock_guard lock(mutex_);
    letters_.emplace_back(number, end);
  }
  const std::uint64_t one = 1;
  // Where it is full it wakes already.
  if (::write(wake_.number(), &one, sizeof one) < 0) return;
}

void LetterBox::on_edge() {
  std::uint64_t count = 0;
  if (::read(wake_.number(), &count, sizeof count) < 0) count = 0;
  std::vector<std::pair<std::uint64_t, CarryEnd>> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (const auto& [number, end] : letters) {
    const auto at = readers_.find(number);
    if (at != readers_.end()) at->second->on_letter(end);
  }
}

}  // namespace limpet::mcp
