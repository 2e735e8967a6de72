// AVERAGE_POOL_2D by windows of up to 256 taps. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/pool.h"

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

constexpr int32_t kLanes = 8;

// Of eight channels of a pixel; those of 256 bytes fit 16 bits.
int16x8_t SumOf(const PoolWindow& window, int32_t channel) {
  int16x8_t sums = vdupq_n_s16(0);
  window.ForEach(channel, [&](const int8_t* from) { sums = vaddq_s16(sums, vldrbq_s16(from)); });
  return sums;
}

}  // namespace

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  Pool(rows, node, row).ForEach({0, 0}, output, [](const PoolWindow& window, int8_t* to) {
    const int32_t count = window.count();
    if (count == 0) return;
    for (int32_t c = 0; c < window.channels; c += kLanes) {
      int16_t sums[kLanes];
      vstrhq_s16(sums, SumOf(window, c));
      for (int32_t i = 0; i < kLanes && c + i < window.channels; ++i) {
        to[c + i] = MeanOf(sums[i], count);
      }
    }
  });
  Clamp(output, node.width * static_cast<int32_t>(node.channels), params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
