// Sums of products of bytes, for several pixels and two output channels at once.
#ifndef TINYSEG_ENGINE_KERNELS_DOT_H_
#define TINYSEG_ENGINE_KERNELS_DOT_H_

#include <cstdint>

#include "engine/kernels/machine.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {

// Pixels that are computed together; the weights are read once for all.
constexpr int32_t kBlock = kLongMultiply ? 3 : 4;

// Sums of the pixels of a block, each for two output channels.
template <int kPixels>
struct Sums {
  int32_t of[kPixels][2];
};

inline int32_t SumOf(const int8_t* bytes, int32_t count) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += bytes[i];
  return sum;
}

// Adds to each pixel's sums the products of its `count` bytes with both channels' weights. The
// pixels are `step` bytes apart.
template <int kPixels>
inline void AddProducts(const int8_t* pixels, int32_t step, const int8_t* first,
                        const int8_t* second, int32_t count, Sums<kPixels>* sums) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t weights[2] = {first[i], second[i]};
    for (int p = 0; p < kPixels; ++p) {
      const int32_t value = pixels[p * step + i];
      sums->of[p][0] += value * weights[0];
      sums->of[p][1] += value * weights[1];
    }
  }
}

// The same for cores that add a product to a 64-bit sum in one instruction: both channels' weights
// are one number, second * 2^23 + first, and so are the sums.
constexpr int32_t kLane = 23;
// So many products of bytes stay in a lane: 252 * 2^14 < 2^22.
constexpr int32_t kLaneProducts = 252;

template <int kPixels>
inline void AddFewPackedProducts(const int8_t* const* pixels, const int8_t* first,
                                 const int8_t* second, int32_t count, Sums<kPixels>* sums) {
  // Half a lane more keeps the lower lane above zero, so that it never borrows from the upper.
  int64_t packed[kPixels];
  const int8_t* at[kPixels];
  for (int p = 0; p < kPixels; ++p) {
    packed[p] = 1 << (kLane - 1);
    at[p] = pixels[p];
  }
  const int8_t* const end = first + count;
  while (first < end) {
    const int32_t weights = *first++ + *second++ * (1 << kLane);
    for (int p = 0; p < kPixels; ++p) packed[p] += int64_t{*at[p]++} * weights;
  }
  for (int p = 0; p < kPixels; ++p) {
    const int32_t lower = static_cast<int32_t>(packed[p] & ((1 << kLane) - 1));
    sums->of[p][0] += lower - (1 << (kLane - 1));
    sums->of[p][1] += static_cast<int32_t>(packed[p] >> kLane);
  }
}

template <int kPixels>
inline void AddPackedProducts(const int8_t* pixels, int32_t step, const int8_t* first,
                              const int8_t* second, int32_t count, Sums<kPixels>* sums) {
  const int8_t* at[kPixels];
  for (int p = 0; p < kPixels; ++p) at[p] = pixels + p * step;
  for (int32_t done = 0; done < count; done += kLaneProducts) {
    const int32_t rest = count - done;
    AddFewPackedProducts<kPixels>(at, first + done, second + done,
                                  rest < kLaneProducts ? rest : kLaneProducts, sums);
    for (int p = 0; p < kPixels; ++p) at[p] += kLaneProducts;
  }
}

template <int kPixels>
inline void AddDots(const int8_t* pixels, int32_t step, const int8_t* first, const int8_t* second,
                    int32_t count, Sums<kPixels>* sums) {
  if constexpr (kLongMultiply) {
    AddPackedProducts<kPixels>(pixels, step, first, second, count, sums);
  } else {
    AddProducts<kPixels>(pixels, step, first, second, count, sums);
  }
}

// Two output channels, or the last one twice.
struct ChannelPair {
  const Channel* channels[2];
  Scale scales[2];
  const int8_t* weights[2];

  ChannelPair(const Channel* first, bool has_second, const int8_t* first_weights, int32_t count)
      : channels{first, first + has_second},
        scales{Scale(first->factor), Scale((first + has_second)->factor)},
        weights{first_weights, first_weights + (has_second ? count : 0)} {}
};

// Turns sums into bytes of the output; its pixels are `step` bytes apart.
template <int kPixels>
inline void Store(const Sums<kPixels>& sums, const ChannelPair& pair, int32_t zero, int8_t* output,
                  int32_t step) {
  const int32_t second = static_cast<int32_t>(pair.channels[1] - pair.channels[0]);
  for (int p = 0; p < kPixels; ++p) {
    // The last channel alone is written twice, with one value.
    output[p * step + second] = Saturate(pair.scales[1](sums.of[p][1]) + zero);
    output[p * step] = Saturate(pair.scales[0](sums.of[p][0]) + zero);
  }
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DOT_H_
