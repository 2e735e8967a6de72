// MINIMUM and MAXIMUM. Needs no scratch.
#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void MinMax(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ElementwiseParams>(node);
  const bool is_maximum = params.sign > 0;
  ForEachPair(rows, node, row, params, output, [is_maximum](int8_t first, int8_t second) {
    return (first > second) == is_maximum ? first : second;
  });
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
