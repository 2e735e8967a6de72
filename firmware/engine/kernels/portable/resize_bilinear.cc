// RESIZE_BILINEAR. Needs no scratch.
#include "engine/kernels/portable/portable.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace portable {

void ResizeBilinear(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  constexpr int32_t kOne = 1 << 10;
  const auto& params = rows.params<ResizeBilinearParams>(node);
  const BilinearAxis& y = rows.at<BilinearAxis>(params.rows)[row];
  const auto* columns = rows.at<BilinearAxis>(params.columns);
  const int8_t* upper = rows.input(node, 0, static_cast<uint32_t>(y.lower));
  const int8_t* lower = rows.input(node, 0, static_cast<uint32_t>(y.upper));
  const auto channels = static_cast<int32_t>(node.channels);
  for (uint32_t i = 0; i < node.width; ++i) {
    const BilinearAxis& x = columns[i];
    const int32_t left = x.lower * channels;
    const int32_t right = x.upper * channels;
    const int32_t weights[2] = {kOne - x.weight, x.weight};
    for (int32_t c = 0; c < channels; ++c) {
      const int32_t top = upper[left + c] * weights[0] + upper[right + c] * weights[1];
      const int32_t bottom = lower[left + c] * weights[0] + lower[right + c] * weights[1];
      const int32_t sum = top * (kOne - y.weight) + bottom * y.weight;
      // Rounded, ties away from zero.
      const int32_t half = sum > 0 ? kOne * kOne / 2 : -(kOne * kOne / 2);
      *output++ = static_cast<int8_t>((sum + half) / (kOne * kOne));
    }
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
