// ADD and SUB of two tensors of a shape. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/unroll.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const AddParams params = rows.params<AddParams>(node);
  const int8_t* first = LinkedRow(rows, node, 0, row);
  const int8_t* second = LinkedRow(rows, node, 1, row);
  const Finish inner = params.inner;
  const Finish finish = params.finish;
  const auto byte = [&](int32_t plain, int32_t scaled) TINYSEG_INLINED {
    const int32_t product = scaled * params.inner_scale + params.inner_bias;
    const int32_t value =
        AddHighProduct(product, inner.multiplier, inner.rounding + (product >> 31)) >> inner.shift;
    return Byte<true>(plain * params.scale + params.bias + value * params.sign, finish);
  };
  int8_t* to = output;
  uint32_t count = node.width * node.channels;
  for (; count >= 4; count -= 4, first += 4, second += 4, to += 4) {
    const uint32_t a = LoadWord(first);
    const uint32_t b = LoadWord(second);
    StoreWord(to, MakeWord(byte(ByteOf<0>(a), ByteOf<0>(b)), byte(ByteOf<1>(a), ByteOf<1>(b)),
                           byte(ByteOf<2>(a), ByteOf<2>(b)), byte(ByteOf<3>(a), ByteOf<3>(b))));
  }
  for (; count > 0; --count) *to++ = byte(*first++, *second++);
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
