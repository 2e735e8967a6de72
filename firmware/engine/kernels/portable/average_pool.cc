// AVERAGE_POOL_2D. Needs no scratch.
#include "engine/kernels/portable/pool.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  PoolRow(rows, node, row, output,
          [](const WindowRows& input, int32_t column, Range taps, int32_t channels, int8_t* to) {
            const int32_t count = (input.taps().end - input.taps().begin) * (taps.end - taps.begin);
            if (count == 0) return;
            for (int32_t c = 0; c < channels; ++c) {
              int32_t sum = 0;
              for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
                const int8_t* from = input.Row(tap_y, 0) + (column + taps.begin) * channels + c;
                for (int32_t tap_x = taps.begin; tap_x < taps.end; ++tap_x, from += channels) {
                  sum += *from;
                }
              }
              // Rounded, ties away from zero.
              const int32_t half = sum > 0 ? count / 2 : -(count / 2);
              to[c] = static_cast<int8_t>((sum + half) / count);
            }
          });
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
