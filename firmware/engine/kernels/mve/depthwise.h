// Rows of depthwise convolutions.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_DEPTHWISE_H_
#define TINYSEG_ENGINE_KERNELS_MVE_DEPTHWISE_H_

#include "engine/kernels/mve/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

// What depthwise.S is given; it knows the order.
struct DepthwiseRun {
  const int8_t* const* taps;  // Bytes that meet each tap for the first vector.
  int32_t pairs;              // Of taps; only for kMveDepthwiseMany.
  const int8_t* chunk;
  int8_t* output;
  int32_t output_zero;
  int32_t vectors;
};

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_DEPTHWISE_H_
