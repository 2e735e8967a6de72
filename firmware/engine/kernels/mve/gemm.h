// Products of rows of pixels with packed weights.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_GEMM_H_
#define TINYSEG_ENGINE_KERNELS_MVE_GEMM_H_

#include "engine/kernel.h"
#include "engine/kernels/mve/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

// As GemmParams has them, and the output's zero point.
struct Weights {
  const int8_t* bytes;  // At a multiple of four.
  const GemmChannels* channels;
  int32_t steps;
  int32_t output_zero;
};

inline Weights WeightsOf(const Rows& rows, const GemmParams& params, int32_t output_zero) {
  return {rows.at<int8_t>(params.weights), rows.at<GemmChannels>(params.channels), params.steps,
          output_zero};
}

// What gemm.S is given; it knows the order.
struct Gemm {
  const int8_t* pixel;  // The first,
  const int8_t* second;
  int32_t rewind;  // From the end of a pixel to the next but one.
  int32_t output_step;
  int8_t* output;
  int32_t groups;
  int32_t count;        // Of pixels.
  int8_t* last_output;  // Of the last group of channels.
  int32_t steps;
  const int8_t* weights;
  const GemmChannels* channels;
  int32_t output_zero;
};

// Multiplies `count` pixels with the weights of `channels` channels. Outputs of less than four
// channels need an output_step of four bytes at least, and room for four at the last.
void Multiply(const Weights& weights, int32_t channels, const int8_t* pixel, int32_t step,
              int8_t* output, int32_t output_step, int32_t count);

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_GEMM_H_
