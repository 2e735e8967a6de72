// Kernels in portable C++, one a file.
#ifndef TINYSEG_ENGINE_KERNELS_PORTABLE_PORTABLE_H_
#define TINYSEG_ENGINE_KERNELS_PORTABLE_PORTABLE_H_

#include "engine/kernel.h"

namespace tinyseg {
namespace engine {
namespace portable {

void CopyRows(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Table(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Multiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void ResizeNearest(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void ResizeBilinear(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Reshape(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Transpose(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Softmax(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void Mean(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void MatrixMultiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void DepthToSpace(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void SpaceToDepth(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void BinaryConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void MinMax(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void SquaredDifference(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output);
void PackedTransposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output);

// All of them.
extern const KernelTable kAll;

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_PORTABLE_PORTABLE_H_
