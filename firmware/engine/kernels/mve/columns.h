// Rows under a window, copied with their padding.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_COLUMNS_H_
#define TINYSEG_ENGINE_KERNELS_MVE_COLUMNS_H_

#include "engine/kernel.h"
#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace mve {

// Columns of a row, as they are copied.
struct Columns {
  // Args:
  //   width: of the source.
  //   first: column of the source; below 0 in the padding.
  //   stride: between columns of the source.
  //   count: of columns, with the padding.
  //   step: bytes from one copy to the next.
  //   zero: what padding holds.
  Columns(int32_t width, int32_t first, int32_t stride, int32_t count, int32_t step, int32_t zero)
      : first(first),
        stride(stride),
        count(count),
        step(step),
        zero(zero),
        inside(WindowsInside(count, width, 1, stride, 1, -first)) {}

  int32_t first, stride, count, step, zero;
  Range inside;  // Those that the source has.
};

// Copies columns of row `source_row` of all sources of a node, side by side along the channels; a
// row that they lack is padding. One copy of it is enough.
__attribute__((noinline)) inline void CopyColumns(const Rows& rows, const Node& node,
                                                  int32_t source_row, const Columns& columns,
                                                  int8_t* to) {
  const bool is_row = source_row >= 0 && source_row < rows.source(node, 0).rows;
  const Range inside = is_row ? columns.inside : Range{columns.count, columns.count};
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const auto channels = static_cast<int32_t>(rows.source(node, link).channels);
    int8_t* at = to;
    int32_t x = 0;
    for (; x < inside.begin; ++x, at += columns.step) Fill(at, columns.zero, channels);
    if (x < inside.end) {
      const int8_t* from = rows.input(node, link, static_cast<uint32_t>(source_row)) +
                           (columns.first + x * columns.stride) * channels;
      CopyPieces(at, columns.step, from, columns.stride * channels, channels, inside.end - x);
      at += (inside.end - x) * columns.step;
      x = inside.end;
    }
    for (; x < columns.count; ++x, at += columns.step) Fill(at, columns.zero, channels);
    to += channels;
  }
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_COLUMNS_H_
