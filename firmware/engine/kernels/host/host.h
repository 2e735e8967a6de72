// Kernels for the machine that runs Python: the bytes and parameters of the portable ones, written
// for wide vectors and for caches. They may take memory of their own; microcontrollers have none of
// them.
#ifndef TINYSEG_ENGINE_KERNELS_HOST_HOST_H_
#define TINYSEG_ENGINE_KERNELS_HOST_HOST_H_

#include "engine/kernel.h"

namespace tinyseg {
namespace engine {
namespace host {

void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PackedTransposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output);

// These, portable ones where there is none here, and those of microcontrollers with the DSP
// extension, which compute the same in plain C++.
const KernelTable& All();

}  // namespace host
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_HOST_HOST_H_
