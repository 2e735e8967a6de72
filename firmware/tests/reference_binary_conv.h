// Binary convolution as its definition reads, on numbers -1 and +1 instead of bits.
#ifndef TINYSEG_TESTS_REFERENCE_BINARY_CONV_H_
#define TINYSEG_TESTS_REFERENCE_BINARY_CONV_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/binary_conv.h"

namespace tinyseg {

// All a convolution reads, in exactly sized memory.
struct ConvCase {
  BinaryConvShape shape = {};
  BinaryConvRange range = {0, 0, -128, 127};
  std::vector<int8_t> input;    // Height, width, channels.
  std::vector<int8_t> weights;  // -1 and +1: output channels, height, width, input channels.
  std::vector<Requantization> to;

  size_t outputs() const {
    return static_cast<size_t>(shape.output_height * shape.output_width * shape.output_channels);
  }
};

inline int32_t ReferenceSum(const ConvCase& conv, int32_t y, int32_t x, int32_t channel) {
  const BinaryConvShape& s = conv.shape;
  int32_t sum = 0;
  for (int32_t j = 0; j < s.filter_height; ++j) {
    for (int32_t i = 0; i < s.filter_width; ++i) {
      const int32_t row = y * s.stride_height - s.pad_top + j;
      const int32_t column = x * s.stride_width - s.pad_left + i;
      if (row < 0 || row >= s.input_height || column < 0 || column >= s.input_width) continue;
      for (int32_t c = 0; c < s.input_channels; ++c) {
        const size_t in =
            static_cast<size_t>((row * s.input_width + column) * s.input_channels + c);
        const size_t weight = static_cast<size_t>(
            ((channel * s.filter_height + j) * s.filter_width + i) * s.input_channels + c);
        const int32_t sign = conv.input[in] >= conv.range.input_zero_point ? 1 : -1;
        sum += sign * conv.weights[weight];
      }
    }
  }
  return sum;
}

// Rounds half up: floor(n / d + 1 / 2), by division.
inline int8_t ReferenceRequantize(int32_t sum, const Requantization& to,
                                  const BinaryConvRange& range) {
  const int64_t divisor = int64_t{1} << (31 + to.shift);
  const int64_t numerator = (int64_t{sum} * 4096 + to.bias) * to.multiplier + divisor / 2;
  int64_t rounded = numerator / divisor;
  if (numerator % divisor < 0) --rounded;
  const int64_t value = rounded + range.output_zero_point;
  return static_cast<int8_t>(std::clamp<int64_t>(value, range.output_min, range.output_max));
}

// Outputs: height, width, channels.
inline std::vector<int8_t> ReferenceBinaryConv(const ConvCase& conv) {
  std::vector<int8_t> output;
  for (int32_t y = 0; y < conv.shape.output_height; ++y) {
    for (int32_t x = 0; x < conv.shape.output_width; ++x) {
      for (int32_t c = 0; c < conv.shape.output_channels; ++c) {
        output.push_back(ReferenceRequantize(ReferenceSum(conv, y, x, c),
                                             conv.to[static_cast<size_t>(c)], conv.range));
      }
    }
  }
  return output;
}

// Weights as the kernel takes them.
inline std::vector<uint32_t> PackWeights(const ConvCase& conv) {
  const int32_t channels = conv.shape.input_channels;
  std::vector<uint32_t> words;
  for (size_t i = 0; i < conv.weights.size(); ++i) {
    const int32_t channel = static_cast<int32_t>(i) % channels;
    if (channel % 32 == 0) words.push_back(0);
    if (conv.weights[i] > 0) words.back() |= uint32_t{1} << (channel % 32);
  }
  return words;
}

// Runs the kernel. Scratch memory holds garbage first, as an arena does.
inline std::vector<int8_t> RunKernel(const ConvCase& conv) {
  const std::vector<uint32_t> filter = PackWeights(conv);
  std::vector<uint32_t> scratch(conv.shape.scratch_words(), 0xDEADBEEFu);
  std::vector<int8_t> output(conv.outputs(), 99);
  BinaryConv(conv.shape, conv.range, conv.input.data(), filter.data(), conv.to.data(),
             scratch.data(), output.data());
  return output;
}

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_REFERENCE_BINARY_CONV_H_
