// ADD and SUB of two tensors of a shape. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"
#include "engine/kernels/dsp/loops.h"
#include "engine/kernels/elementwise.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

int8_t Sum(const AddParams& params, int32_t plain, int32_t scaled) {
  const int32_t product = scaled * params.inner_scale + params.inner_bias;
  const Finish& inner = params.inner;
  const int32_t value =
      AddHighProduct(product, inner.multiplier, inner.rounding + (product >> 31)) >> inner.shift;
  return Byte<true>(plain * params.scale + params.bias + value * params.sign, params.finish);
}

}  // namespace

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const AddParams params = rows.params<AddParams>(node);
  const int8_t* plain = LinkedRow(rows, node, 0, row);
  const int8_t* scaled = LinkedRow(rows, node, 1, row);
  const auto count = static_cast<int32_t>(node.width * node.channels);
  int32_t i = 0;
  if (params.scale == kAddScale && params.inner_scale == 2 * kAddScale && params.sign == 2 &&
      count >= 4) {
    const tinyseg_dsp_sum sum = {
        params.inner_bias, params.inner, params.bias, params.finish, plain, scaled, output,
        count / 4};
    tinyseg_dsp_add(&sum);
    i = count & ~3;
  }
  for (; i < count; ++i) output[i] = Sum(params, plain[i], scaled[i]);
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
