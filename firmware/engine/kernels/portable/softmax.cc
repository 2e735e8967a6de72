// SOFTMAX. Needs no scratch.
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace portable {

namespace {

// Of a value above zero.
int32_t LeadingZeros(int32_t value) {
  int32_t zeros = 0;
  while (value > 0) {
    value = static_cast<int32_t>(static_cast<uint32_t>(value) << 1);
    ++zeros;
  }
  return zeros;
}

int32_t SaturatingShiftLeft(int32_t value, int32_t shift) {
  const int32_t limit = INT32_MAX >> shift;
  if (value > limit) return INT32_MAX;
  if (value < -limit - 1) return INT32_MIN;
  return value * (1 << shift);
}

// Returns 1 / (1 + x) of x in [0, 1), both with 31 bits behind the point: gemmlowp's division by
// three steps of Newton and Raphson.
int32_t OneOverOnePlus(int32_t x) {
  // With 29 bits behind the point.
  constexpr int32_t k48Over17 = 1515870810;
  constexpr int32_t kMinus32Over17 = -1010580540;
  constexpr int32_t kOne = 1 << 29;
  const int32_t half_denominator = (x >> 1) + (1 << 30);
  int32_t quotient = k48Over17 + MultiplyHigh(half_denominator, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const int32_t error = kOne - MultiplyHigh(half_denominator, quotient);
    quotient += SaturatingShiftLeft(MultiplyHigh(quotient, error), 2);
  }
  return SaturatingShiftLeft(quotient, 1);
}

void SoftmaxPixel(const int8_t* from, uint32_t channels, const int32_t* exponentials, int8_t* to) {
  constexpr int32_t kSumBits = 12;  // Before the point, of the sum.
  int32_t most = -128;
  for (uint32_t c = 0; c < channels; ++c) most = from[c] > most ? from[c] : most;
  int32_t sum = 0;
  for (uint32_t c = 0; c < channels; ++c)
    sum += RoundingShiftRight(exponentials[most - from[c]], kSumBits);
  const int32_t zeros = LeadingZeros(sum);
  const auto fraction = static_cast<int32_t>((static_cast<uint32_t>(sum) << zeros) - (1u << 31));
  const int32_t inverse = OneOverOnePlus(fraction);
  const int32_t shift = kSumBits - zeros + 31 - 8;
  for (uint32_t c = 0; c < channels; ++c) {
    const int32_t share = MultiplyHigh(inverse, exponentials[most - from[c]]);
    // Of 512 and more about equal ones each is next to nothing.
    to[c] = Saturate((shift > 31 ? 0 : RoundingShiftRight(share, shift)) - 128);
  }
}

}  // namespace

void Softmax(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto* exponentials = rows.at<int32_t>(rows.params<SoftmaxParams>(node).exponentials);
  const int8_t* from = rows.input(node, 0, row);
  for (uint32_t x = 0; x < node.width; ++x) {
    SoftmaxPixel(from, node.channels, exponentials, output);
    from += node.channels;
    output += node.channels;
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
