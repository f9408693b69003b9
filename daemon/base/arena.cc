// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/arena.h"

#include <cstdlib>

namespace limpet {

void* Arena::allocate_extra(std::size_t bytes) {
  constexpr std::size_t kHeader = 16;
  // With its header one of the small pieces that malloc keeps at hand for each thread.
  constexpr std::size_t kExtraBytes = 1008;
  // A large request gets a block of its own; the current block stays in use for small ones.
  const bool own_block = bytes > kExtraBytes / 2;
  const std::size_t payload = own_block ? bytes : kExtraBytes;
  void* memory = ::operator new(payload + kHeader);
  extra_ = new (memory) Extra{extra_};
  extra_bytes_ += payload;
  char* place = static_cast<char*>(memory) + kHeader;
  if (!own_block) {
    next_ = place + bytes;
    end_ = place + payload;
  }
  return place;
}

void Arena::release_extra() noexcept {
  while (extra_ != nullptr) {
    Extra* gone = extra_;
    extra_ = gone->next;
    ::operator delete(gone);
  }
  extra_bytes_ = 0;
}

}  // namespace limpet
