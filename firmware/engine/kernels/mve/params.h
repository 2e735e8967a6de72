// Parameters of kernels for Helium, as tinyseg/engine/cores/mve packs them.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_PARAMS_H_
#define TINYSEG_ENGINE_KERNELS_MVE_PARAMS_H_

#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

// Four output channels. The last four of a layer may share some with those before; a layer of less
// than four has some that are of no use.
struct GemmChannels {
  int32_t biases[8];  // Each twice: minus the input's zero point times the sum of the weights.
  int32_t multipliers[4];
  int32_t shifts[4];  // From -31 to 0.
  int32_t signs[4];  // What leaves of a sum only its sign, as shift: -31, but 32 with a shift of 0.
};

// Weights of a product: for each group of four channels, for each 16 bytes of a pixel, those bytes'
// weights of each channel; zeros where a pixel is shorter.
struct GemmParams {
  uint32_t weights;
  uint32_t channels;  // GemmChannels of each group.
  int32_t steps;      // Of 16 bytes.
};

// kMveConvolution: pixels of the product are windows, [column][row][channel]. Where they lie in one
// piece in the only source (one row, no padding), nothing is copied. Else scratch has columns
// [row][channel], (width - 1) * stride_x + the window's width of them.
struct ConvolutionParams {
  Window window;  // dilation_x is 1.
  int32_t input_zero, output_zero, least, most;
  int32_t copied;
  GemmParams product;
};

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_PARAMS_H_
