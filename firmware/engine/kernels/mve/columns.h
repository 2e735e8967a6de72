// Rows under a window, copied with their padding.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_COLUMNS_H_
#define TINYSEG_ENGINE_KERNELS_MVE_COLUMNS_H_

#include "engine/kernel.h"
#include "engine/kernels/mve/bytes.h"

namespace tinyseg {
namespace engine {
namespace mve {

// Columns of a row: which the source has, and where they go.
struct Columns {
  int32_t left;   // Padding before the first.
  int32_t count;  // With the padding.
  int32_t step;   // Bytes from one to the next.
  int32_t zero;   // What padding holds.
};

// Copies row `source_row` of all sources of a node, side by side along the channels; a row that
// they lack is padding.
inline void CopyColumns(const Rows& rows, const Node& node, int32_t source_row,
                        const Columns& columns, int8_t* to) {
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const Node& source = rows.source(node, link);
    const auto channels = static_cast<int32_t>(source.channels);
    int32_t inside = columns.count - columns.left;
    if (inside > source.width) inside = source.width;
    if (source_row < 0 || source_row >= source.rows || inside < 0) inside = 0;
    const int32_t left = inside > 0 ? columns.left : columns.count;
    const int32_t right = columns.count - left - inside;
    int8_t* at = to;
    for (int32_t x = 0; x < left; ++x, at += columns.step) Fill(at, columns.zero, channels);
    if (inside > 0) {
      CopyPieces(at, columns.step, rows.input(node, link, static_cast<uint32_t>(source_row)),
                 channels, channels, inside);
      at += inside * columns.step;
    }
    for (int32_t x = 0; x < right; ++x, at += columns.step) Fill(at, columns.zero, channels);
    to += channels;
  }
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_COLUMNS_H_
