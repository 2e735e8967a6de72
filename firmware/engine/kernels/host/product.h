// A row of convolutions: what lies under its windows, as columns, times filters.
#ifndef TINYSEG_ENGINE_KERNELS_HOST_PRODUCT_H_
#define TINYSEG_ENGINE_KERNELS_HOST_PRODUCT_H_

#include <cstdint>

#include "engine/kernels/host/vectors.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace host {

// Pixels and channels that are computed together.
constexpr int32_t kPixels = 2 * kLanes;
constexpr int32_t kChannels = 4;

// What windows hold: of 16 pixels the first two values, their next two values, and so on.
class Windows {
 public:
  // Windows of so many values.
  Windows(int32_t pixels, int32_t values);

  // Sets `count` values of eight windows from the `first` one on, beginning with value `at`. There
  // are eight pointers, of which those beyond the last window's may point to anything.
  void Set(int32_t first, int32_t at, const int8_t* const* from, int32_t count);

  int32_t pixels() const { return pixels_; }
  int32_t pairs() const { return pairs_; }
  // Those of the block that begins with a pixel.
  const int16_t* Block(int32_t pixel) const { return memory_ + 2 * pixel * pairs_; }

 private:
  const int32_t pixels_;
  const int32_t pairs_;
  int16_t* const memory_;
};

// Filters of a few channels, one behind another, of an even number of weights each.
class Columns {
 public:
  explicit Columns(int32_t pairs);

  // Sets `count` weights of a channel, beginning with weight `at`.
  void Set(int32_t channel, int32_t at, const int8_t* from, int32_t count);

  const int16_t* weights(int32_t channel) const { return memory_ + 2 * channel * pairs_; }

 private:
  const int32_t pairs_;
  int16_t* const memory_;
};

// Computes `count` channels, at most kChannels, of all pixels; those are `step` bytes apart.
void Multiply(const Windows& windows, const Columns& columns, const Channel* channels,
              int32_t count, int32_t zero, int8_t* output, int32_t step);

}  // namespace host
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_HOST_PRODUCT_H_
