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
    nullptr,
    ResizeNearest,
    nullptr,
    Reshape,
}};

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
