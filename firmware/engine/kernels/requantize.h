// From sums to int8, with TensorFlow Lite's rounding.
#ifndef TINYSEG_ENGINE_KERNELS_REQUANTIZE_H_
#define TINYSEG_ENGINE_KERNELS_REQUANTIZE_H_

#include <cstdint>

#if defined(__ARM_FEATURE_SAT)
#include <arm_acle.h>
#endif

#include "engine/params.h"

namespace tinyseg {
namespace engine {

// Returns value * multiplier / 2^31, ties rounded up: gemmlowp's
// SaturatingRoundingDoublingHighMul. The two must not both be -2^31.
inline int32_t MultiplyHigh(int32_t value, int32_t multiplier) {
  return static_cast<int32_t>((int64_t{value} * multiplier + (1 << 30)) >> 31);
}

// Returns value / 2^shift, ties away from zero: gemmlowp's RoundingDivideByPOT.
inline int32_t RoundingShiftRight(int32_t value, int32_t shift) {
  if (shift == 0) return value;
  const int32_t halves = (value + (value >> 31)) >> (shift - 1);
  return (halves + 1) >> 1;
}

// A factor, ready for the inner loop.
class Scale {
 public:
  explicit Scale(const Factor& factor)
      : multiplier_(factor.multiplier),
        left_(factor.shift > 0 ? factor.shift : 0),
        right_(factor.shift > 0 ? 0 : -factor.shift),
        half_(right_ > 0 ? 1u << (right_ - 1) : 0),
        away_(right_ > 0 ? -1 : 0) {}

  // Multiplies as TensorFlow Lite's MultiplyByQuantizedMultiplier: first to 32 bits, ties up, then
  // shifted, ties away from zero.
  int32_t operator()(int32_t value) const {
    const auto shifted = static_cast<int32_t>(static_cast<uint32_t>(value) << left_);
    const int32_t high = MultiplyHigh(shifted, multiplier_);
    const uint32_t rounded =
        static_cast<uint32_t>(high) + static_cast<uint32_t>((high >> 31) & away_) + half_;
    return static_cast<int32_t>(rounded) >> right_;
  }

 private:
  int32_t multiplier_;
  int32_t left_, right_;
  uint32_t half_;
  int32_t away_;  // Ones unless nothing is shifted right.
};

inline int32_t Clamp(int32_t value, int32_t least, int32_t most) {
  return value < least ? least : value > most ? most : value;
}

inline int8_t Saturate(int32_t value) {
#if defined(__ARM_FEATURE_SAT)
  return static_cast<int8_t>(__ssat(value, 8));
#else
  return static_cast<int8_t>(Clamp(value, -128, 127));
#endif
}

// The output of one channel: a sum's product with a factor, and the output's zero point.
class Finish {
 public:
  // Returns whether a channel is an ordinary one: factors below a half, and a bias that leaves sums
  // of `products` products of bytes below 2^30.
  static bool IsOrdinary(const Channel& channel, int32_t products) {
    const int32_t shift = channel.factor.shift;
    return shift < 0 && shift >= -kMostShift && products <= kMostProducts &&
           channel.bias < kMostBias && channel.bias > -kMostBias;
  }

  // Of no use unless the channel is an ordinary one.
  Finish(const Channel& channel, int32_t zero)
      : multiplier_(channel.factor.multiplier),
        shift_(-channel.factor.shift & 31),
        rounding_(static_cast<int32_t>(((1u << shift_) >> 1) +
                                       (static_cast<uint32_t>(zero) << shift_))) {}

  // The same as Scale, in fewer steps.
  int8_t operator()(int32_t sum) const {
    const int64_t product = int64_t{sum * 2} * multiplier_;
    const auto high = static_cast<int32_t>((product + (int64_t{1} << 31)) >> 32);
    return Saturate((high + (high >> 31) + rounding_) >> shift_);
  }

 private:
  static constexpr int32_t kMostShift = 22;  // The zero point, shifted so far, is below 2^30.
  static constexpr int32_t kMostProducts = 1 << 15;
  static constexpr int32_t kMostBias = 1 << 29;

  int32_t multiplier_;
  int32_t shift_;
  int32_t rounding_;  // Half of what is shifted out, and the zero point.
};

// Clamps a row of saturated values. Activations that int8 has anyway cost nothing.
__attribute__((noinline)) inline void ClampRow(int8_t* row, uint32_t count, int32_t least,
                                               int32_t most) {
  if (least <= -128 && most >= 127) return;
  for (uint32_t i = 0; i < count; ++i) row[i] = static_cast<int8_t>(Clamp(row[i], least, most));
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_REQUANTIZE_H_
