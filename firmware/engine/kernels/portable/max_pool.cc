// MAX_POOL_2D. Needs no scratch.
#include "engine/kernels/pool.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace portable {

void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  Pool(rows, node, row).ForEach({0, 0}, output, [](const PoolWindow& window, int8_t* to) {
    const int32_t channels = window.channels;
    for (int32_t c = 0; c < channels; ++c) to[c] = -128;
    window.ForEach(0, [&](const int8_t* from) {
      for (int32_t c = 0; c < channels; ++c) to[c] = from[c] > to[c] ? from[c] : to[c];
    });
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
