// SPDX-License-Identifier: Apache-2.0
#pragma once
// kernel_call: a system call with six arguments, without a function around it. For the two calls
// that every request makes twice (net/transport.h); everything else uses the C library.

#include <cerrno>
#include <cstddef>

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace limpet {

/// recvfrom() or sendto() with no address: `number` is the call's, the rest are its first four
/// arguments. Errors: -1 with errno. Not a place where a thread may be cancelled.
[[gnu::always_inline]] [[nodiscard]] inline ssize_t kernel_call(long number, int descriptor,
                                                                const void* bytes,
                                                                std::size_t count,
                                                                long flags) noexcept {
#if defined(__x86_64__) && defined(__linux__) && !defined(__ILP32__)
  register long fourth asm("r10") = flags;
  register long fifth asm("r8") = 0;
  register long sixth asm("r9") = 0;
  long result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(static_cast<long>(descriptor)), "S"(bytes), "d"(count), "r"(fourth),
                 "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
#else
  return ::syscall(number, descriptor, bytes, count, flags, nullptr, 0);
#endif
}

}  // namespace limpet
