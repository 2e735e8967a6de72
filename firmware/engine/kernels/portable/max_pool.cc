// MAX_POOL_2D. Needs no scratch.
#include "engine/kernels/portable/pool.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  PoolRow(rows, node, row, output,
          [](const WindowRows& input, int32_t column, Range taps, int32_t channels, int8_t* to) {
            for (int32_t c = 0; c < channels; ++c) to[c] = -128;
            for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
              const int8_t* from = input.Row(tap_y, 0) + (column + taps.begin) * channels;
              for (int32_t tap_x = taps.begin; tap_x < taps.end; ++tap_x, from += channels) {
                for (int32_t c = 0; c < channels; ++c) to[c] = from[c] > to[c] ? from[c] : to[c];
              }
            }
          });
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
