// Registers the binary convolution with TensorFlow Lite Micro.
#ifndef TINYSEG_OPS_BINARY_CONV_TFLM_H_
#define TINYSEG_OPS_BINARY_CONV_TFLM_H_

#include "tensorflow/lite/micro/micro_common.h"

namespace tinyseg {

// The custom operator's name in a .tflite file.
inline constexpr char kBinaryConvName[] = "TINYSEG_BINARY_CONV_2D";

// Inputs: int8 (1, height, width, channels); filter int32 (output channels, height, width,
// words); requantization int32 (output channels, 3): multiplier, shift, bias.
// Output: int8 (1, height, width, output channels).
// Custom options, one byte each: version 1, stride height, stride width, padding (0 same,
// 1 valid), least and greatest output (int8).
const TFLMRegistration* RegisterBinaryConv();

}  // namespace tinyseg

#endif  // TINYSEG_OPS_BINARY_CONV_TFLM_H_
