// MUL of two tensors of a shape, or of one with a value for each of its pixels. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/unroll.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Multiplies values by one factor, doubled.
void MultiplyByOne(const int8_t* from, uint32_t count, int32_t factor, const MultiplyParams& params,
                   int8_t* to) {
  const Finish finish = params.finish;
  const int32_t bias = -params.zeros[1] * factor;
  const auto byte = [&](int32_t value)
                        TINYSEG_INLINED { return Byte<true>(value * factor + bias, finish); };
  for (; count >= 4; count -= 4, from += 4, to += 4) {
    const uint32_t word = LoadWord(from);
    StoreWord(to, MakeWord(byte(ByteOf<0>(word)), byte(ByteOf<1>(word)), byte(ByteOf<2>(word)),
                           byte(ByteOf<3>(word))));
  }
  for (; count > 0; --count) *to++ = byte(*from++);
}

}  // namespace

void Multiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<MultiplyParams>(node);
  const int8_t* first = LinkedRow(rows, node, 0, row);
  const int8_t* second = LinkedRow(rows, node, 1, row);
  const uint32_t channels = node.channels;
  const int32_t zeros[2] = {params.zeros[0], params.zeros[1]};
  int8_t* to = output;
  if (params.is_by_pixel) {
    for (uint32_t x = 0; x < node.width; ++x, second += channels, to += channels) {
      MultiplyByOne(second, channels, (*first++ - zeros[0]) * 2, params, to);
    }
  } else {
    const Finish finish = params.finish;
    for (uint32_t i = 0; i < node.width * channels; ++i) {
      *to++ = Byte<true>((*first++ - zeros[0]) * 2 * (*second++ - zeros[1]), finish);
    }
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
