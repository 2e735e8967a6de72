// Loops of a fixed number of turns, written out: optimizers for size leave such loops alone.
#ifndef TINYSEG_ENGINE_KERNELS_UNROLL_H_
#define TINYSEG_ENGINE_KERNELS_UNROLL_H_

#include <utility>

#define TINYSEG_INLINED __attribute__((always_inline))
#define TINYSEG_INLINE TINYSEG_INLINED inline

namespace tinyseg {
namespace engine {

template <class Function, int... kTurns>
TINYSEG_INLINE void UnrollTurns(Function function, std::integer_sequence<int, kTurns...>) {
  (function(kTurns), ...);
}

// Calls `function` with 0 to kCount - 1.
template <int kCount, class Function>
TINYSEG_INLINE void Unroll(Function function) {
  UnrollTurns(function, std::make_integer_sequence<int, kCount>());
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_UNROLL_H_
