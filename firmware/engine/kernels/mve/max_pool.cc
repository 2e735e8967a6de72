// MAX_POOL_2D. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/pool.h"

namespace tinyseg {
namespace engine {
namespace mve {

namespace {

// Pixels of four taps that all lie inside the input, up to 16 channels a call; `step` is the way
// from one to the next there.
void PoolFours(const int8_t* upper, const int8_t* lower, int32_t channels, int32_t some,
               int32_t step, int32_t pixels, int8_t* to) {
  const mve_pred16_t stored = vctp8q(static_cast<uint32_t>(some));
  for (; pixels > 0; --pixels, upper += step, lower += step, to += channels) {
    const int8x16_t left = vmaxq_s8(vldrbq_s8(upper), vldrbq_s8(lower));
    const int8x16_t right = vmaxq_s8(vldrbq_s8(upper + channels), vldrbq_s8(lower + channels));
    vstrbq_p_s8(to, vmaxq_s8(left, right), stored);
  }
}

}  // namespace

void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const auto channels = static_cast<int32_t>(node.channels);
  const Pool pool(rows, node, row);
  const Range fours = pool.Fours();
  if (fours.begin < fours.end) {
    const int32_t first = pool.First(fours.begin);
    for (int32_t c = 0; c < channels; c += 16) {
      PoolFours(pool.input().Row(0, 0) + first + c, pool.input().Row(1, 0) + first + c, channels,
                channels - c, params.window.stride_x * channels, fours.end - fours.begin,
                output + fours.begin * channels + c);
    }
  }
  pool.ForEach(fours, output, [](const PoolWindow& window, int8_t* to) {
    for (int32_t c = 0; c < window.channels; c += 16) {
      int8x16_t most = vdupq_n_s8(-128);
      window.ForEach(c, [&](const int8_t* from) { most = vmaxq_s8(most, vldrbq_s8(from)); });
      vstrbq_p_s8(to + c, most, vctp8q(static_cast<uint32_t>(window.channels - c)));
    }
  });
  Clamp(output, node.width * channels, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
