// Plain references for the kernels, in the words of TensorFlow Lite's formulas.
#ifndef TINYSEG_TESTS_ENGINE_REFERENCE_H_
#define TINYSEG_TESTS_ENGINE_REFERENCE_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/params.h"

namespace tinyseg {
namespace engine {

// Quotient, nearest, ties away from zero.
inline int64_t DivideAwayFromZero(int64_t value, int64_t divisor) {
  return value >= 0 ? (value + divisor / 2) / divisor : -((-value + divisor / 2) / divisor);
}

// MultiplyByQuantizedMultiplier with double rounding.
inline int64_t Requantized(int64_t value, const Factor& factor) {
  const int64_t left = int64_t{1} << std::max(factor.shift, 0);
  const int64_t product = value * left * factor.multiplier;
  // SaturatingRoundingDoublingHighMul: the quotient is truncated after the nudge.
  const int64_t nudge = product >= 0 ? int64_t{1} << 30 : 1 - (int64_t{1} << 30);
  const int64_t high = (product + nudge) / (int64_t{1} << 31);
  return DivideAwayFromZero(high, int64_t{1} << std::max(-factor.shift, 0));
}

inline int8_t Clamped(int64_t value, int32_t least, int32_t most) {
  return static_cast<int8_t>(std::clamp<int64_t>(value, least, most));
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  int32_t Between(int32_t least, int32_t most) {
    const int64_t span = int64_t{most} - least + 1;
    return static_cast<int32_t>(least + static_cast<int64_t>(engine_()) % span);
  }
  int8_t Byte() {
    // The ends come often.
    const int32_t kind = Between(0, 15);
    if (kind < 2) return kind == 0 ? -128 : 127;
    return static_cast<int8_t>(Between(-128, 127));
  }
  std::vector<int8_t> Bytes(size_t count) {
    std::vector<int8_t> bytes(count);
    for (int8_t& byte : bytes) byte = Byte();
    return bytes;
  }
  template <typename T>
  T OneOf(const std::vector<T>& values) {
    return values[static_cast<size_t>(Between(0, static_cast<int32_t>(values.size()) - 1))];
  }
  // A normalized multiplier.
  Factor FactorOf(int32_t shift) {
    static const std::vector<int32_t> kEnds = {1 << 30, INT32_MAX, (1 << 30) + 1};
    if (Between(0, 3) == 0) return {OneOf(kEnds), shift};
    return {Between(1 << 30, INT32_MAX), shift};
  }

 private:
  std::mt19937 engine_;
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_TESTS_ENGINE_REFERENCE_H_
