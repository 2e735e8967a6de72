// From sums to int8, sixteen at once.
#ifndef TINYSEG_ENGINE_KERNELS_HOST_FINISH_H_
#define TINYSEG_ENGINE_KERNELS_HOST_FINISH_H_

#include "engine/kernels/host/vectors.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace host {

constexpr int32_t kMany = 2 * kLanes;

class FinishMany {
 public:
  // For sums of so many products, all of one channel.
  FinishMany(const Channel& channel, int32_t products, int32_t zero)
      : channels_(&channel), count_(kMany), step_(0), zero_(zero) {
    is_ordinary_ = Finish::IsOrdinary(channel, products);
    factors_.SetAll(channel, zero);
  }

  // Of at most sixteen channels, one of each.
  FinishMany(const Channel* channels, int32_t count, int32_t products, int32_t zero)
      : channels_(channels), count_(count), step_(1), zero_(zero) {
    for (int32_t i = 0; i < count; ++i) {
      is_ordinary_ = is_ordinary_ && Finish::IsOrdinary(channels[i], products);
      factors_.Set(i, channels[i], zero);
    }
  }

  // Writes what sixteen sums become; of channels that are not there, anything.
  TINYSEG_INLINED void operator()(const int32_t* sums, int8_t* bytes) const {
    if (is_ordinary_) return factors_.Apply(sums, bytes);
    for (int32_t i = 0; i < count_; ++i) {
      bytes[i] = Saturate(Scale(channels_[i * step_].factor)(sums[i]) + zero_);
    }
  }

 private:
  const Channel* channels_;
  int32_t count_;
  int32_t step_;  // Between the sums' channels.
  int32_t zero_;
  bool is_ordinary_ = true;
  Factors factors_;
};

}  // namespace host
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_HOST_FINISH_H_
