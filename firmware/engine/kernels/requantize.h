// From sums to int8, with TensorFlow Lite's rounding.
#ifndef TINYSEG_ENGINE_KERNELS_REQUANTIZE_H_
#define TINYSEG_ENGINE_KERNELS_REQUANTIZE_H_

#include <cstdint>

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

inline int8_t Saturate(int32_t value) { return static_cast<int8_t>(Clamp(value, -128, 127)); }

// Clamps a row of saturated values. Activations that int8 has anyway cost nothing.
inline void ClampRow(int8_t* row, uint32_t count, int32_t least, int32_t most) {
  if (least <= -128 && most >= 127) return;
  for (uint32_t i = 0; i < count; ++i) row[i] = static_cast<int8_t>(Clamp(row[i], least, most));
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_REQUANTIZE_H_
