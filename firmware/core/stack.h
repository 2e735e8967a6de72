// How deep the stack went: it is painted at start, and the paint that is left is counted.
#ifndef TINYSEG_CORE_STACK_H_
#define TINYSEG_CORE_STACK_H_

#include <cstddef>
#include <cstdint>

namespace tinyseg {

constexpr uint32_t kStackPaint = 0x5AC3D2E1u;

// A region that grows down, from its end to its begin.
struct StackRegion {
  uint32_t* begin;
  uint32_t* end;

  uint32_t size() const { return static_cast<uint32_t>((end - begin) * sizeof(uint32_t)); }
};

// Paints from the region's begin up to `until`, which lies below what is in use.
void PaintStack(const StackRegion& stack, uint32_t* until);

// Returns the most bytes ever used since the stack was painted.
uint32_t StackUsed(const StackRegion& stack);

// Tells whether the stack's last words were written: it was full, or overflowed.
bool StackOverflowed(const StackRegion& stack);

}  // namespace tinyseg

#endif  // TINYSEG_CORE_STACK_H_
