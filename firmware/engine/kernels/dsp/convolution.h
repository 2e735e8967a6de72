// Convolutions of plain and of packed weights.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_CONVOLUTION_H_
#define TINYSEG_ENGINE_KERNELS_DSP_CONVOLUTION_H_

#include "engine/kernel.h"
#include "engine/kernels/dsp/gemm.h"

namespace tinyseg {
namespace engine {
namespace dsp {

// Computes a row of a node whose parameters begin with ConvolutionParams; `unpacker` is null if its
// weights are plain.
void ComputeConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output,
                        uint8_t* scratch, const Unpacker* unpacker);

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_CONVOLUTION_H_
