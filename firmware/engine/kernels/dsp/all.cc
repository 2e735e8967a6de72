#include "engine/kernels/dsp/dsp.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void AddAll(KernelTable* table) {
  const auto add = [table](Kernel kernel, KernelFunction function) {
    table->functions[static_cast<int>(kernel)] = function;
  };
  add(Kernel::kDspConvolution, Convolution);
  add(Kernel::kDspDepthwise, Depthwise);
  add(Kernel::kDspDepthwise3x3, Depthwise3x3);
  add(Kernel::kDspDepthwise3x3By2, Depthwise3x3By2);
  add(Kernel::kDspDepthwise2x2, Depthwise2x2);
  add(Kernel::kDspTransposed, Transposed);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
