// ADD and SUB of tensors of one shape. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/elementwise.h"
#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

// A factor that does not shift to the left.
class Scale {
 public:
  explicit Scale(const Factor& factor)
      : multiplier_(factor.multiplier), shift_(factor.shift), sign_(factor.shift < 0 ? -31 : 32) {}

  int32x4_t operator()(int32x4_t value) const {
    const int32x4_t sign = vshlq_r_s32(value, sign_);
    return vrshlq_n_s32(vaddq_s32(vqrdmulhq_n_s32(value, multiplier_), sign), shift_);
  }

 private:
  const int32_t multiplier_, shift_;
  const int32_t sign_;  // What leaves of a value its sign, if what is shifted out is rounded.
};

}  // namespace

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ElementwiseParams>(node);
  // What is taken off is rounded before its sign is changed.
  Factor second_factor = params.second.factor;
  const bool subtracts = second_factor.multiplier < 0;
  if (subtracts) second_factor.multiplier = -second_factor.multiplier;
  const Scale first_scale(params.first.factor);
  const Scale second_scale(second_factor);
  const Scale scale(params.factor);
  const int8_t* first = LinkedRow(rows, node, 0, row);
  const int8_t* second = LinkedRow(rows, node, 1, row);
  const int32_t first_zero = params.first.zero;
  const int32_t second_zero = params.second.zero;
  const int32_t left_shift = params.left_shift;
  const auto zero = static_cast<int16_t>(params.output_zero);
  const int32_t sign = subtracts ? -1 : 1;
  const auto count = static_cast<int32_t>(node.width * node.channels);
  int8_t* to = output;
  for (int32_t left = count; left > 0; left -= 4, first += 4, second += 4, to += 4) {
    const int32x4_t a = vshlq_r_s32(vsubq_n_s32(vldrbq_s32(first), first_zero), left_shift);
    const int32x4_t b = vshlq_r_s32(vsubq_n_s32(vldrbq_s32(second), second_zero), left_shift);
    const int32x4_t sum = scale(vmlaq_n_s32(first_scale(a), second_scale(b), sign));
    int16x8_t bytes = vqmovnbq_s32(vreinterpretq_s16_s32(sum), sum);
    bytes = vqaddq_n_s16(bytes, zero);
    const int8x16_t narrow = vqmovnbq_s16(vreinterpretq_s8_s16(bytes), bytes);
    vstrbq_p_s32(to, vreinterpretq_s32_s8(narrow), vctp32q(static_cast<uint32_t>(left)));
  }
  Clamp(output, count, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
