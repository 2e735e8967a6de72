// AVERAGE_POOL_2D. Needs no scratch.
#include "engine/kernels/pool.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace portable {

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  Pool(rows, node, row).ForEach({0, 0}, output, [](const PoolWindow& window, int8_t* to) {
    const int32_t count = window.count();
    if (count == 0) return;
    for (int32_t c = 0; c < window.channels; ++c) {
      int32_t sum = 0;
      window.ForEach(c, [&](const int8_t* from) { sum += *from; });
      to[c] = MeanOf(sum, count);
    }
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
