// Convolution of binary weights with binary activations: XNOR and popcount.
//
// Rastegari et al., "XNOR-Net", ECCV 2016, arXiv 1603.05279. With N products of numbers in
// {-1, +1} stored as bits, their sum is N - 2 * popcount(a XOR w). Padding adds nothing: a
// padded position has no product, as in a Keras convolution with zero padding.
//
//   real output = scale[c] * sum + bias[c]
//
// tinyseg/tflite/ops/binary_conv_2d.py is the reference; both give the same bytes.
#ifndef TINYSEG_OPS_BINARY_CONV_H_
#define TINYSEG_OPS_BINARY_CONV_H_

#include <cstddef>
#include <cstdint>

namespace tinyseg {

// Sums are multiplied by two to this power before the bias is added.
constexpr int kBinaryConvFractionBits = 12;

// How a sum becomes an output: clamp(zero point + round(
//     ((sum << kBinaryConvFractionBits) + bias) * multiplier * 2^(-31 - shift))), half up.
// A sum must be below 2^18, and with its bias below 2^31 after the shift.
struct Requantization {
  int32_t multiplier;  // 0 .. 2^31 - 1.
  int32_t shift;       // 1 .. 30.
  int32_t bias;        // In units of 2^-kBinaryConvFractionBits of a sum.
};

struct BinaryConvShape {
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t output_height;
  int32_t output_width;
  int32_t output_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t stride_height;
  int32_t stride_width;
  int32_t pad_top;
  int32_t pad_left;

  // 32-bit words that hold one position's channels; bits beyond the last channel are zero.
  constexpr int32_t words() const { return (input_channels + 31) / 32; }
  constexpr int32_t filter_words() const { return filter_height * filter_width * words(); }
  // Words of scratch memory: the input as bits, one receptive field, and its mask.
  constexpr size_t scratch_words() const {
    return static_cast<size_t>(input_height) * input_width * words() + 2 * filter_words();
  }
};

struct BinaryConvRange {
  int32_t input_zero_point;  // Inputs of at least this count as +1, others as -1.
  int32_t output_zero_point;
  int32_t output_min;  // -128 without a fused activation.
  int32_t output_max;
};

// Args:
//   input: int8 (height, width, channels).
//   filter: bits (output channels, height, width, words), channel 32 * w + i in bit i, 1 is +1.
//   requantization: one for each output channel.
//   scratch: shape.scratch_words() words.
//   output: int8 (height, width, output channels).
void BinaryConv(const BinaryConvShape& shape, const BinaryConvRange& range, const int8_t* input,
                const uint32_t* filter, const Requantization* requantization, uint32_t* scratch,
                int8_t* output);

}  // namespace tinyseg

#endif  // TINYSEG_OPS_BINARY_CONV_H_
