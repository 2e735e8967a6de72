#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/gemm.h"

extern "C" {
void TinysegGemm1(const tinyseg::engine::mve::Gemm*);
void TinysegGemm2(const tinyseg::engine::mve::Gemm*);
void TinysegGemm3(const tinyseg::engine::mve::Gemm*);
void TinysegGemm4(const tinyseg::engine::mve::Gemm*);
void TinysegGemmFloor1(const tinyseg::engine::mve::Gemm*);
void TinysegGemmFloor2(const tinyseg::engine::mve::Gemm*);
void TinysegGemmLong(const tinyseg::engine::mve::Gemm*);
}

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

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
      return TinysegGemm4(&gemm);
    default:
      return TinysegGemmLong(&gemm);
  }
}

}  // namespace

void Multiply(const Rows& rows, const GemmParams& params, int32_t output_zero, int32_t channels,
              const int8_t* pixel, int32_t step, int8_t* output, int32_t output_step,
              int32_t count) {
  Gemm gemm;
  gemm.pixel = pixel;
  gemm.step = step;
  gemm.rewind = 2 * step - 16 * params.steps;
  gemm.output_step = output_step;
  gemm.output = output;
  gemm.pairs = count / 2;
  gemm.groups = (channels + 3) / 4;
  gemm.last_output = channels > 4 ? output + channels - 4 : output;
  gemm.steps = params.steps;
  gemm.weights = rows.at<int8_t>(params.weights);
  gemm.channels = rows.at<GemmChannels>(params.channels);
  gemm.output_zero = output_zero;
  if (gemm.pairs > 0) Run(gemm);
  if (count % 2 == 0) return;
  // The last pixel twice.
  gemm.pixel += (count - 1) * step;
  gemm.output += (count - 1) * output_step;
  gemm.last_output += (count - 1) * output_step;
  gemm.step = gemm.output_step = 0;
  gemm.pairs = 1;
  Run(gemm);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
