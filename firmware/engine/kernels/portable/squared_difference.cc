// SQUARED_DIFFERENCE. Needs no scratch.
#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void SquaredDifference(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ElementwiseParams>(node);
  const Scale first_scale(params.first.factor);
  const Scale second_scale(params.second.factor);
  const Scale scale(params.factor);
  const int32_t unit = 1 << params.left_shift;
  const int32_t first_zero = params.first.zero;
  const int32_t second_zero = params.second.zero;
  const int32_t zero = params.output_zero;
  ForEachPair(rows, node, row, params, output, [&](int32_t first, int32_t second) {
    const int32_t difference =
        first_scale((first - first_zero) * unit) - second_scale((second - second_zero) * unit);
    return Saturate(scale(difference * difference) + zero);
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
