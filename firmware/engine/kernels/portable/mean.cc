// MEAN and SUM. Needs no scratch.
#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

namespace {

// What one element of the output sums up in a row of the source.
struct Part {
  int32_t columns, channels;
  int32_t step;  // Between columns.
};

int32_t SumOfPart(const int8_t* from, const Part& part) {
  int32_t sum = 0;
  for (int32_t x = 0; x < part.columns; ++x, from += part.step) {
    for (int32_t c = 0; c < part.channels; ++c) sum += from[c];
  }
  return sum;
}

}  // namespace

void Mean(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<MeanParams>(node);
  const Node& source = rows.source(node, 0);
  const auto step = static_cast<int32_t>(source.channels);
  const Part part = {params.over_columns ? source.width : 1, params.over_channels ? step : 1, step};
  const Scale scale(params.factor);
  const int32_t bias = -params.count * params.input_zero;
  for (uint32_t x = 0; x < node.width; ++x) {
    for (uint32_t c = 0; c < node.channels; ++c) {
      const uint32_t offset = x * source.channels + c;
      int32_t sum = bias;
      if (params.over_rows) {
        for (uint32_t y = 0; y < source.rows; ++y) {
          sum += SumOfPart(rows.input(node, 0, y) + offset, part);
        }
      } else {
        sum += SumOfPart(LinkedRow(rows, node, 0, row) + offset, part);
      }
      *output++ = Saturate(scale(sum) + params.output_zero);
    }
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
