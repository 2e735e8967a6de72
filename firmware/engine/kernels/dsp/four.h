// Channels of a pixel, four at a time.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_FOUR_H_
#define TINYSEG_ENGINE_KERNELS_DSP_FOUR_H_

#include <cstdint>

namespace tinyseg {
namespace engine {
namespace dsp {

// Calls `function` with the first of four channels; the last four may overlap those before.
template <class Function>
inline void ForEachFour(int32_t channels, Function function) {
  int32_t c = 0;
  for (; c + 4 <= channels; c += 4) function(c);
  if (c < channels) function(channels - 4);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_FOUR_H_
