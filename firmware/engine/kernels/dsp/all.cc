#include "engine/kernels/dsp/dsp.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void AddAll(KernelTable* table) {
  const auto add = [table](Kernel kernel, KernelFunction function) {
    table->functions[static_cast<int>(kernel)] = function;
  };
  add(Kernel::kDspNarrow, Narrow);
  add(Kernel::kDspAveragePool, AveragePool);
  add(Kernel::kDspPackedConvolution, PackedConvolution);
  add(Kernel::kDspConvolution, Convolution);
  add(Kernel::kDspTransposed, Transposed);
  add(Kernel::kDspDepthwise, Depthwise);
  add(Kernel::kDspDepthwise3x3, Depthwise3x3);
  add(Kernel::kDspDepthwise3x3By2, Depthwise3x3By2);
  add(Kernel::kDspDepthwise2x2, Depthwise2x2);
  add(Kernel::kDspDepthwise1x1, Depthwise1x1);
  add(Kernel::kDspMultiply, Multiply);
  add(Kernel::kDspAdd, Add);
  add(Kernel::kDspMaxPool, MaxPool);
  add(Kernel::kDspTable, Table);
  add(Kernel::kDspResizeNearest, ResizeNearest);
  add(Kernel::kDspGate, Gate);
  add(Kernel::kDspPixelTable, PixelTable);
  add(Kernel::kDspDot, Dot);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
