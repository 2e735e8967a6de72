// MAX_POOL_2D. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/window.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

namespace {

// Windows of 2 by 2 places, none beyond the input, of up to 16 channels a call.
void Halve(const int8_t* upper, const int8_t* lower, int32_t channels, int32_t some, int32_t width,
           int8_t* to) {
  const mve_pred16_t stored = vctp8q(static_cast<uint32_t>(some));
  for (; width > 0; --width, to += channels) {
    const int8x16_t left = vmaxq_s8(vldrbq_s8(upper), vldrbq_s8(lower));
    const int8x16_t right = vmaxq_s8(vldrbq_s8(upper + channels), vldrbq_s8(lower + channels));
    vstrbq_p_s8(to, vmaxq_s8(left, right), stored);
    upper += 2 * channels;
    lower += 2 * channels;
  }
}

}  // namespace

void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const Range& taps_y = input.taps();
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  const bool halves = window.height == 2 && window.width == 2 && window.stride_x == 2 &&
                      window.left == 0 && 2 * node.width <= width && taps_y.end == 2;
  if (halves && taps_y.begin == 0) {
    for (int32_t c = 0; c < channels; c += 16) {
      Halve(input.Row(0, 0) + c, input.Row(1, 0) + c, channels, channels - c, node.width,
            output + c);
    }
    return Clamp(output, node.width * channels, params.least, params.most);
  }
  int8_t* to = output;
  for (int32_t x = 0; x < node.width; ++x, to += channels) {
    const int32_t column = x * window.stride_x - window.left;
    const Range taps = TapsInside(column, window.width, 1, width);
    const int32_t first = (column + taps.begin) * channels;
    for (int32_t c = 0; c < channels; c += 16) {
      int8x16_t most = vdupq_n_s8(-128);
      for (int32_t tap_y = taps_y.begin; tap_y < taps_y.end; ++tap_y) {
        const int8_t* from = input.Row(tap_y, 0) + first + c;
        for (int32_t tap = taps.begin; tap < taps.end; ++tap, from += channels) {
          most = vmaxq_s8(most, vldrbq_s8(from));
        }
      }
      vstrbq_p_s8(to + c, most, vctp8q(static_cast<uint32_t>(channels - c)));
    }
  }
  Clamp(output, node.width * channels, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
