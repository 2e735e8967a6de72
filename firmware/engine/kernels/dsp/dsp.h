// Kernels for cores with the DSP extension, one a file.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_DSP_H_
#define TINYSEG_ENGINE_KERNELS_DSP_DSP_H_

#include "engine/kernel.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise1x1(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise2x2(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise3x3(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise3x3By2(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Dot(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Gate(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Multiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Narrow(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PixelTable(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void ResizeNearest(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Table(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output);

// Adds all of them to a table.
void AddAll(KernelTable* table);

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_DSP_H_
