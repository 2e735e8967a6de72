#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/gemm.h"

extern "C" {
void TinysegGemm1(const tinyseg::engine::mve::Gemm*);
void TinysegGemm2(const tinyseg::engine::mve::Gemm*);
void TinysegGemm3(const tinyseg::engine::mve::Gemm*);
void TinysegGemm4(const tinyseg::engine::mve::Gemm*);
void TinysegGemmFloor1(const tinyseg::engine::mve::Gemm*);
void TinysegGemmFloor2(const tinyseg::engine::mve::Gemm*);
void TinysegGemmFloor4(const tinyseg::engine::mve::Gemm*);
void TinysegGemmLong(const tinyseg::engine::mve::Gemm*);
}

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

constexpr int32_t kMostSteps = 4;  // With a loop of their own.

void Run(const Gemm& gemm) {
  const bool floor = gemm.output_zero == -128;
  switch (gemm.steps) {
    case 1:
      return floor ? TinysegGemmFloor1(&gemm) : TinysegGemm1(&gemm);
    case 2:
      return floor ? TinysegGemmFloor2(&gemm) : TinysegGemm2(&gemm);
    case 3:
      return TinysegGemm3(&gemm);
    case 4:
      return floor ? TinysegGemmFloor4(&gemm) : TinysegGemm4(&gemm);
    default:
      return TinysegGemmLong(&gemm);
  }
}

}  // namespace

void Multiply(const Weights& weights, int32_t channels, const int8_t* pixel, int32_t step,
              int8_t* output, int32_t output_step, int32_t count) {
  // Loops for few steps take two pixels and more: one is computed twice.
  const bool twice = count == 1 && weights.steps <= kMostSteps;
  const Gemm gemm = {pixel,
                     twice ? pixel : pixel + step,
                     2 * step - 16 * weights.steps,
                     twice ? 0 : output_step,
                     output,
                     (channels + 3) / 4,
                     twice ? 2 : count,
                     channels > 4 ? output + channels - 4 : output,
                     weights.steps,
                     weights.bytes,
                     weights.channels,
                     weights.output_zero};
  Run(gemm);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
