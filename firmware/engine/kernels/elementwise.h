// Walks over the elements of two operands.
#ifndef TINYSEG_ENGINE_KERNELS_ELEMENTWISE_H_
#define TINYSEG_ENGINE_KERNELS_ELEMENTWISE_H_

#include "engine/kernel.h"
#include "engine/kernels/machine.h"
#include "engine/kernels/requantize.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {

// Returns the row of a source that its link's rule gives for a row.
inline const int8_t* LinkedRow(const Rows& rows, const Node& node, uint32_t link, uint32_t row) {
  const Link& rule = rows.links(node)[link];
  const auto at = static_cast<uint32_t>(static_cast<int32_t>(row * rule.step) + rule.low);
  return rows.input(node, link, rule.divisor == 1 ? at : at / rule.divisor);
}

// Does what ForEachPair does for some elements whose steps compilers make vectors of; returns
// whether these are such.
template <class Function>
inline bool ForEachKnown(const int8_t* first, int32_t first_step, const int8_t* second,
                         int32_t second_step, uint32_t count, int8_t* output, Function function) {
  if (second_step != 1 || (first_step != 0 && first_step != 1)) return false;
  if (first_step == 1) {
    for (uint32_t i = 0; i < count; ++i) output[i] = function(first[i], second[i]);
  } else {
    const int8_t value = *first;
    for (uint32_t i = 0; i < count; ++i) output[i] = function(value, second[i]);
  }
  return true;
}

// Calls `function` with both values of each element of a row, and stores what it returns.
template <class Function>
inline void ForEachPair(const Rows& rows, const Node& node, uint32_t row,
                        const ElementwiseParams& params, int8_t* output, Function function) {
  const int8_t* first = LinkedRow(rows, node, 0, row);
  const int8_t* second = LinkedRow(rows, node, 1, row);
  uint32_t width = node.width;
  uint32_t channels = node.channels;
  const auto all = static_cast<int32_t>(channels);
  if (params.first.step_c == 1 && params.second.step_c == 1 && params.first.step_x == all &&
      params.second.step_x == all) {
    channels *= width;
    width = 1;
  }
  for (uint32_t x = 0; x < width; ++x) {
    if constexpr (kVectors) {
      if (ForEachKnown(first, params.first.step_c, second, params.second.step_c, channels, output,
                       function)) {
        output += channels;
        first += params.first.step_x;
        second += params.second.step_x;
        continue;
      }
    }
    const int8_t* a = first;
    const int8_t* b = second;
    for (uint32_t c = 0; c < channels; ++c) {
      *output++ = function(*a, *b);
      a += params.first.step_c;
      b += params.second.step_c;
    }
    first += params.first.step_x;
    second += params.second.step_x;
  }
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_ELEMENTWISE_H_
