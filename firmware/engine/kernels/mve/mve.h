// Kernels for cores with Helium, the M-profile vector extension, one a file.
//
// They may read up to 16 bytes beyond a row: memory regions have them to spare.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_MVE_H_
#define TINYSEG_ENGINE_KERNELS_MVE_MVE_H_

#include "engine/kernel.h"

namespace tinyseg {
namespace engine {
namespace mve {

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void CopyRows(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void DepthwiseAny(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void DepthwiseMany(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Multiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void ResizeNearest(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Table(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output);

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_MVE_H_
