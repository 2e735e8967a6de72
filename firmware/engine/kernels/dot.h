// Sums of products of bytes, for several pixels and two output channels at once.
#ifndef TINYSEG_ENGINE_KERNELS_DOT_H_
#define TINYSEG_ENGINE_KERNELS_DOT_H_

#include <cstdint>

#include "engine/kernels/machine.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/unroll.h"

namespace tinyseg {
namespace engine {

// Pixels that are computed together; the weights are read once for all.
constexpr int kBlock = kLongMultiply ? 3 : 4;

inline int32_t SumOf(const int8_t* bytes, int32_t count) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += bytes[i];
  return sum;
}

// Bytes that lie together under a window, and the weights of two output channels for them.
struct Run {
  const int8_t* pixels;  // Of the row's pixel 0, which itself need not have them.
  int32_t step;          // Between neighbouring pixels.
  const int8_t* weights[2];
  int32_t count;
};

// Two output channels, or the last one twice.
struct ChannelPair {
  const Channel* channels[2];
  const int8_t* weights[2];
  bool is_ordinary;

  ChannelPair(const Channel* first, bool has_second, const int8_t* first_weights, int32_t products)
      : channels{first, first + has_second},
        weights{first_weights, first_weights + (has_second ? products : 0)},
        is_ordinary(Finish::IsOrdinary(*channels[0], products) &&
                    Finish::IsOrdinary(*channels[1], products)) {}
};

// What two channels of some pixels are made of: of more than kMostRuns runs only one pixel.
class Dots {
 public:
  static constexpr int32_t kMostRuns = 32;

  // The first pixel is `x`, and the output's are `output_step` bytes apart.
  Dots(const ChannelPair& pair, int32_t x, int32_t zero, int32_t output_step)
      : x_(x),
        bias_{pair.channels[0]->bias, pair.channels[1]->bias},
        finish_{Finish(*pair.channels[0], zero), Finish(*pair.channels[1], zero)},
        second_(static_cast<int32_t>(pair.channels[1] - pair.channels[0])),
        output_step_(output_step),
        is_ordinary_(pair.is_ordinary),
        zero_(zero),
        pair_(pair) {}

  void Add(const int8_t* pixels, int32_t step, int32_t weights, int32_t count) {
    if (run_count_ == kMostRuns) Drain();
    runs_[run_count_++] = {
        pixels, step, {pair_.weights[0] + weights, pair_.weights[1] + weights}, count};
  }

  // Adds as many bytes of one value.
  void AddConstant(int32_t value, int32_t weights, int32_t count) {
    if (value == 0) return;
    for (int which = 0; which < 2; ++which) {
      bias_[which] += value * SumOf(pair_.weights[which] + weights, count);
    }
  }

  // Computes pixels from `x` on; `output` is where the first one's first channel goes.
  template <int kPixels>
  __attribute__((noinline)) void Compute(int32_t x, int8_t* output) const;

 private:
  template <int kPixels>
  using Sums = int32_t[kPixels][2];

  void Drain();
  template <int kPixels>
  static void AddProducts(const Run& run, int32_t x, Sums<kPixels>& sums);
  template <int kPixels>
  static void AddPackedProducts(const Run& run, int32_t x, Sums<kPixels>& sums);
  template <int kPixels>
  void Store(const Sums<kPixels>& sums, int8_t* output) const;
  void StoreAny(const int32_t (*sums)[2], int32_t count, int8_t* output) const;

  const int32_t x_;
  int32_t bias_[2];
  const Finish finish_[2];
  const int32_t second_;  // Where the second channel is, seen from the first.
  const int32_t output_step_;
  const bool is_ordinary_;
  int32_t run_count_ = 0;
  Run runs_[kMostRuns];
  const int32_t zero_;
  const ChannelPair& pair_;
};

template <int kPixels>
void Dots::Compute(int32_t x, int8_t* output) const {
  int32_t sums[kPixels][2];
  Unroll<kPixels>([&](int p) TINYSEG_INLINED {
    sums[p][0] = bias_[0];
    sums[p][1] = bias_[1];
  });
  const Run* const end = runs_ + run_count_;
  for (const Run* run = runs_; run != end; ++run) {
    if constexpr (kLongMultiply) {
      AddPackedProducts<kPixels>(*run, x, sums);
    } else {
      AddProducts<kPixels>(*run, x, sums);
    }
  }
  Store<kPixels>(sums, output);
}

template <int kPixels>
TINYSEG_INLINE void Dots::AddProducts(const Run& run, int32_t x, Sums<kPixels>& sums) {
  const int8_t* pixels = run.pixels + x * run.step;
  for (int32_t i = 0; i < run.count; ++i) {
    const int32_t weights[2] = {run.weights[0][i], run.weights[1][i]};
    for (int p = 0; p < kPixels; ++p) {
      const int32_t value = pixels[p * run.step + i];
      sums[p][0] += value * weights[0];
      sums[p][1] += value * weights[1];
    }
  }
}

// The same for cores that add a product to a 64-bit sum in one instruction: both channels' weights
// are one number, second * 2^23 + first, and so are the sums. Pixels have names because compilers
// keep arrays of them in memory.
template <int kPixels>
TINYSEG_INLINE void Dots::AddPackedProducts(const Run& run, int32_t x, Sums<kPixels>& sums) {
  static_assert(kPixels == 1 || kPixels == 3, "pixels have names");
  constexpr int32_t kLane = 23;
  // So many products of bytes stay in a lane: 252 * 2^14 < 2^22.
  constexpr int32_t kLaneProducts = 252;
  // Half a lane more keeps the lower lane above zero, so that it never borrows from the upper.
  constexpr int32_t kHalf = 1 << (kLane - 1);
  const int8_t* first = run.weights[0];
  const int8_t* second = run.weights[1];
  const int8_t* pixel_0 = run.pixels + x * run.step;
  const int8_t* pixel_1 = kPixels == 3 ? pixel_0 + run.step : pixel_0;
  const int8_t* pixel_2 = kPixels == 3 ? pixel_1 + run.step : pixel_0;
  for (int32_t count = run.count; count > 0; count -= kLaneProducts) {
    LongSum packed_0(kHalf), packed_1(kHalf), packed_2(kHalf);
    const auto add = [&]() TINYSEG_INLINED {
      // Keeps the compiler from mixing the turns, for which there are too few registers.
      __asm__ volatile("" : "+r"(first), "+r"(second), "+r"(pixel_0)::"memory");
      if constexpr (kPixels == 3) __asm__ volatile("" : "+r"(pixel_1), "+r"(pixel_2));
      const int32_t weights = *first++ + *second++ * (1 << kLane);
      packed_0.Add(*pixel_0++, weights);
      if constexpr (kPixels == 3) {
        packed_1.Add(*pixel_1++, weights);
        packed_2.Add(*pixel_2++, weights);
      }
    };
    const int8_t* const end = first + (count < kLaneProducts ? count : kLaneProducts);
    const int8_t* const odd = first + (count & 3);
    while (first != odd) add();
    while (first != end) Unroll<4>([&](int) TINYSEG_INLINED { add(); });
    const auto unpack = [&](int p, const LongSum& packed) TINYSEG_INLINED {
      sums[p][0] += packed.lower<kLane>() - kHalf;
      sums[p][1] += packed.upper<kLane>();
    };
    unpack(0, packed_0);
    if constexpr (kPixels == 3) {
      unpack(1, packed_1);
      unpack(2, packed_2);
    }
  }
}

// Adds the runs of the only pixel to the bias.
__attribute__((noinline)) inline void Dots::Drain() {
  int32_t sums[1][2] = {{bias_[0], bias_[1]}};
  for (const Run& run : runs_) AddProducts<1>(run, x_, sums);
  bias_[0] = sums[0][0];
  bias_[1] = sums[0][1];
  run_count_ = 0;
}

template <int kPixels>
TINYSEG_INLINE void Dots::Store(const Sums<kPixels>& sums, int8_t* output) const {
  if (!is_ordinary_) return StoreAny(sums, kPixels, output);
  const int32_t step = output_step_;
  // The last channel alone is written twice, with one value.
  int8_t* second = output + second_;
  const Finish finish_second = finish_[1];
  Unroll<kPixels>([&](int p) TINYSEG_INLINED { second[p * step] = finish_second(sums[p][1]); });
  const Finish finish_first = finish_[0];
  Unroll<kPixels>([&](int p) TINYSEG_INLINED { output[p * step] = finish_first(sums[p][0]); });
}

__attribute__((noinline)) inline void Dots::StoreAny(const int32_t (*sums)[2], int32_t count,
                                                     int8_t* output) const {
  for (int which = 1; which >= 0; --which) {
    const Scale scale(pair_.channels[which]->factor);
    int8_t* to = output + (pair_.channels[which] - pair_.channels[0]);
    for (int32_t p = 0; p < count; ++p) {
      to[p * output_step_] = Saturate(scale(sums[p][which]) + zero_);
    }
  }
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DOT_H_
