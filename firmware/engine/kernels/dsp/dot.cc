// CONV_2D to one channel by a window of one pixel. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"
#include "engine/kernels/elementwise.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void Dot(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<DotParams>(node);
  const auto* const weights = rows.at<Pair>(params.weights);
  const auto channels = static_cast<int32_t>(rows.source(node, 0).channels);
  const int8_t* const pixels = LinkedRow(rows, node, 0, row);
  const Finish finish = params.finish;
  const int32_t bias = params.bias;
  for (int32_t x = 0; x < node.width; x += 2) {
    // The last two begin earlier rather than being one.
    if (x + 2 > node.width) x = node.width - 2;
    int32_t first = bias;
    int32_t second = bias;
    const Pair* weight = weights;
    const int8_t* from = pixels + x * channels;
    for (const int8_t* const end = from + channels; from != end; from += 4, weight += 2) {
      const uint32_t one = LoadWord(from);
      const uint32_t two = LoadWord(from + channels);
      first = AddProducts(EvenBytes(one), weight[0], first);
      second = AddProducts(EvenBytes(two), weight[0], second);
      first = AddProducts(OddBytes(one), weight[1], first);
      second = AddProducts(OddBytes(two), weight[1], second);
    }
    output[x] = Byte<true>(first, finish);
    output[x + 1] = Byte<true>(second, finish);
  }
  ClampRow(output, node.width, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
