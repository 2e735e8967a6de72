// ADD and SUB. Needs no scratch.
#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ElementwiseParams>(node);
  // What is taken off is rounded before its sign is changed.
  Factor second_factor = params.second.factor;
  const bool subtracts = second_factor.multiplier < 0;
  if (subtracts) second_factor.multiplier = -second_factor.multiplier;
  const Scale first_scale(params.first.factor);
  const Scale second_scale(second_factor);
  const Scale scale(params.factor);
  const int32_t unit = 1 << params.left_shift;
  const int32_t first_zero = params.first.zero;
  const int32_t second_zero = params.second.zero;
  const int32_t zero = params.output_zero;
  const int32_t sign = subtracts ? -1 : 1;
  ForEachPair(rows, node, row, params, output, [&](int32_t first, int32_t second) {
    const int32_t sum = first_scale((first - first_zero) * unit) +
                        second_scale((second - second_zero) * unit) * sign;
    return Saturate(scale(sum) + zero);
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
