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
  int32_t first;   // Of the source; below 0 in the padding.
  int32_t stride;  // Between columns of the source.
  int32_t count;   // With the padding.
  int32_t step;    // Bytes from one copy to the next.
  int32_t zero;    // What padding holds.
};

// Copies columns of row `source_row` of all sources of a node, side by side along the channels; a
// row that they lack is padding.
inline void CopyColumns(const Rows& rows, const Node& node, int32_t source_row,
                        const Columns& columns, int8_t* to) {
  const int32_t width = rows.source(node, 0).width;
  const bool is_row = source_row >= 0 && source_row < rows.source(node, 0).rows;
  const Range inside =
      is_row ? WindowsInside(columns.count, width, 1, columns.stride, 1, -columns.first)
             : Range{columns.count, columns.count};
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
