// From doubled sums to bytes.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_FINISH_H_
#define TINYSEG_ENGINE_KERNELS_DSP_FINISH_H_

#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/dsp/params.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {

// TensorFlow Lite rounds twice, the second time ties away from zero: below zero one less is
// shifted. Where outputs begin at the zero point, that makes no difference.
template <bool kIsSigned>
inline int8_t Byte(int32_t sum, const Finish& finish) {
  const int32_t rounding = kIsSigned ? finish.rounding + (sum >> 31) : finish.rounding;
  return Saturate(AddHighProduct(sum, finish.multiplier, rounding) >> finish.shift);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_FINISH_H_
