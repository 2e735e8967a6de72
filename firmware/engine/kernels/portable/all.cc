#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

// In the order of enum class Kernel.
const KernelTable kAll = {{
    CopyRows,
    Convolution,
    Depthwise,
    Transposed,
    Table,
    Add,
    Multiply,
    MaxPool,
    AveragePool,
    ResizeNearest,
    ResizeBilinear,
    Reshape,
    Transpose,
    Softmax,
    Mean,
    MatrixMultiply,
    DepthToSpace,
    SpaceToDepth,
    BinaryConvolution,
    MinMax,
    SquaredDifference,
    PackedConvolution,
    PackedTransposed,
}};

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
