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
  const auto count = static_cast<int32_t>(node.width * node.channels);
  for (int32_t i = 0; i < count; i += 4) {
    int32x4_t a = vsubq_n_s32(vldrbq_s32(first + i), params.first.zero);
    int32x4_t b = vsubq_n_s32(vldrbq_s32(second + i), params.second.zero);
    a = first_scale(vshlq_r_s32(a, params.left_shift));
    b = second_scale(vshlq_r_s32(b, params.left_shift));
    a = vaddq_n_s32(scale(subtracts ? vsubq_s32(a, b) : vaddq_s32(a, b)), params.output_zero);
    a = vminq_s32(vmaxq_s32(a, vdupq_n_s32(params.least)), vdupq_n_s32(params.most));
    vstrbq_p_s32(output + i, a, vctp32q(static_cast<uint32_t>(count - i)));
  }
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
