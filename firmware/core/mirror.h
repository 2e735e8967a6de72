// An image seen twice: as it is, and with left and right exchanged; the mean of both outputs
// decides.
//
// tinyseg/runtime/views.py does the same on the host, bit for bit.
#ifndef TINYSEG_CORE_MIRROR_H_
#define TINYSEG_CORE_MIRROR_H_

#include <cstddef>
#include <cstdint>

namespace tinyseg {

// Rows of a tensor: `width` places of `bytes` each.
struct MirroredRows {
  uint32_t width;
  uint32_t bytes;

  // The byte of the mirror image that byte `index` of the tensor becomes.
  constexpr size_t operator()(size_t index) const {
    const size_t row = index / (size_t{width} * bytes);
    const size_t place = index / bytes % width;
    return ((row + 1) * width - 1 - place) * bytes + index % bytes;
  }
};

// The mean of two stored int8 values, halves up.
constexpr uint8_t MeanOf(uint8_t one, uint8_t other) {
  return static_cast<uint8_t>(((one ^ 0x80) + (other ^ 0x80) + 1) >> 1 ^ 0x80);
}

}  // namespace tinyseg

#endif  // TINYSEG_CORE_MIRROR_H_
