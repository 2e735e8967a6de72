// MUL of tensors of one shape, or of one with a value for each pixel. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/elementwise.h"
#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

// Products of eight elements become bytes.
class Product {
 public:
  explicit Product(const ElementwiseParams& params)
      : multiplier_(params.factor.multiplier),
        shift_(params.factor.shift),
        zero_(static_cast<int16_t>(params.output_zero)) {}

  int16x8_t operator()(int16x8_t first, int16x8_t second) const {
    int16x8_t bytes = vqmovnbq_s32(first, Scaled(vmullbq_int_s16(first, second)));
    bytes = vqmovntq_s32(bytes, Scaled(vmulltq_int_s16(first, second)));
    bytes = vqaddq_n_s16(bytes, zero_);
    return vreinterpretq_s16_s8(vqmovnbq_s16(vreinterpretq_s8_s16(bytes), bytes));
  }

 private:
  // Exact with a shift below 0.
  int32x4_t Scaled(int32x4_t value) const {
    const int32x4_t sign = vshrq_n_s32(value, 31);
    return vrshlq_n_s32(vaddq_s32(vqrdmulhq_n_s32(value, multiplier_), sign), shift_);
  }

  const int32_t multiplier_, shift_;
  const int16_t zero_;
};

}  // namespace

void Multiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ElementwiseParams>(node);
  const Product product(params);
  // The second may be the one with a value for each pixel.
  const bool swapped = params.first.step_c == 0;
  const Operand& dense = swapped ? params.second : params.first;
  const Operand& other = swapped ? params.first : params.second;
  const int8_t* from = LinkedRow(rows, node, swapped ? 1 : 0, row);
  const int8_t* factor = LinkedRow(rows, node, swapped ? 0 : 1, row);
  const auto dense_zero = static_cast<int16_t>(dense.zero);
  const auto other_zero = static_cast<int16_t>(other.zero);
  const auto all = static_cast<int32_t>(node.width * node.channels);
  if (other.step_c != 0) {
    for (int32_t i = 0; i < all; i += 8) {
      const int16x8_t first = vsubq_n_s16(vldrbq_s16(from + i), dense_zero);
      const int16x8_t second = vsubq_n_s16(vldrbq_s16(factor + i), other_zero);
      vstrbq_p_s16(output + i, product(first, second), vctp16q(static_cast<uint32_t>(all - i)));
    }
    return Clamp(output, all, params.least, params.most);
  }
  const auto channels = static_cast<int32_t>(node.channels);
  for (int32_t c = 0; c < channels; c += 8) {
    const mve_pred16_t some = vctp16q(static_cast<uint32_t>(channels - c));
    const int8_t* gate = factor;
    const int8_t* at = from + c;
    int8_t* to = output + c;
    for (int32_t left = node.width; left > 0; --left) {
      const int16x8_t second = vdupq_n_s16(static_cast<int16_t>(*gate - other_zero));
      vstrbq_p_s16(to, product(vsubq_n_s16(vldrbq_s16(at), dense_zero), second), some);
      gate += other.step_x;
      at += channels;
      to += channels;
    }
  }
  Clamp(output, all, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
