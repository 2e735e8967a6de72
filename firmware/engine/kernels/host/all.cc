#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/host/host.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace host {

const KernelTable& All() {
  static const KernelTable kernels = [] {
    KernelTable all = portable::kAll;
    dsp::AddAll(&all);
    const auto set = [&all](Kernel kernel, KernelFunction function) {
      all.functions[static_cast<int>(kernel)] = function;
    };
    set(Kernel::kConvolution, Convolution);
    set(Kernel::kDepthwise, Depthwise);
    set(Kernel::kTransposed, Transposed);
    set(Kernel::kPackedConvolution, PackedConvolution);
    set(Kernel::kPackedTransposed, PackedTransposed);
    return all;
  }();
  return kernels;
}

}  // namespace host
}  // namespace engine
}  // namespace tinyseg
