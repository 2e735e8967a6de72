// MUL. Needs no scratch.
#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void Multiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ElementwiseParams>(node);
  const Scale scale(params.factor);
  const int32_t first_zero = params.first.zero;
  const int32_t second_zero = params.second.zero;
  const int32_t zero = params.output_zero;
  ForEachPair(rows, node, row, params, output, [&](int32_t first, int32_t second) {
    return Saturate(scale((first - first_zero) * (second - second_zero)) + zero);
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
