// RESIZE_NEAREST_NEIGHBOR of bytes. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/elementwise.h"
#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"

namespace tinyseg {
namespace engine {
namespace mve {

void ResizeNearest(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto* columns = rows.at<uint16_t>(rows.params<ResizeNearestParams>(node).columns);
  const int8_t* from = LinkedRow(rows, node, 0, row);
  const auto channels = static_cast<int32_t>(node.channels);
  if (channels == 1) {
    for (int32_t x = 0; x < node.width; x += 8) {
      const mve_pred16_t some = vctp16q(static_cast<uint32_t>(node.width - x));
      const uint16x8_t places = vldrhq_z_u16(columns + x, some);
      vstrbq_p_s16(output + x, vldrbq_gather_offset_z_s16(from, places, some), some);
    }
    return;
  }
  for (int32_t x = 0; x < node.width; ++x, output += channels) {
    Copy(output, from + columns[x] * channels, channels);
  }
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
