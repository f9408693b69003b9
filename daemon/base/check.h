// SPDX-License-Identifier: Apache-2.0
#pragma once
// CHECK and DCHECK: invariants that only a fault of our own can break. Never for bytes from the
// network or for what an operator wrote; those are answered, not asserted.

#include <cstdio>
#include <cstdlib>

namespace limpet::internal {
[[noreturn]] inline void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "limpet: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}
}  // namespace limpet::internal

/// Ends the process when an invariant is broken; always compiled in.
#define CHECK_THAT(expression)         \
  ((expression) ? static_cast<void>(0) \
                : ::limpet::internal::check_failed(#expression, __FILE__, __LINE__))

/// The same in builds with LIMPET_DEBUG only; elsewhere it costs nothing.
#ifdef LIMPET_DEBUG
#define DCHECK_THAT(expression) CHECK_THAT(expression)
#else
#define DCHECK_THAT(expression) static_cast<void>(0)
#endif
