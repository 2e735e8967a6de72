// An engine without TensorFlow Lite Micro: one binary convolution with generated weights.
//
// It brings a new board up, and measures the custom operator.
#ifndef TINYSEG_SELFTEST_SELFTEST_ENGINE_H_
#define TINYSEG_SELFTEST_SELFTEST_ENGINE_H_

#include "core/board.h"
#include "core/engine.h"
#include "ops/binary_conv.h"

namespace tinyseg {

// 3x3 on 32x32x64, 64 output channels, stride 1, same padding: 37,748,736 binary products.
inline constexpr BinaryConvShape kSelftestShape = {32, 32, 64, 32, 32, 64, 3, 3, 1, 1, 1, 1};

extern const ModelDescription kSelftestModel;

class SelftestEngine final : public Engine {
 public:
  Status Start() override;
  MutableBytes input() override;
  Status Run() override;
  MutableBytes output() override;
  ArenaReport arena() const override;
  uint32_t operator_count() const override { return 1; }
  uint64_t operator_ticks(uint32_t) const override { return ticks_; }

 private:
  uint64_t ticks_ = 0;
};

}  // namespace tinyseg

#endif  // TINYSEG_SELFTEST_SELFTEST_ENGINE_H_
