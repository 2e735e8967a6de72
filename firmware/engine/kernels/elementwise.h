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

// Calls `function` with both values of each of some elements, and stores what it returns.
template <class Function>
inline void ForEachOf(const int8_t* first, int32_t first_step, const int8_t* second,
                      int32_t second_step, uint32_t count, int8_t* output, Function function) {
  if constexpr (kVectors) {
    // Compilers make vectors of steps that they know.
    if (first_step == 1 && second_step == 1) {
      for (uint32_t i = 0; i < count; ++i) output[i] = function(first[i], second[i]);
      return;
    }
    if (first_step == 0 && second_step == 1) {
      const int8_t value = *first;
      for (uint32_t i = 0; i < count; ++i) output[i] = function(value, second[i]);
      return;
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    output[i] = function(*first, *second);
    first += first_step;
    second += second_step;
  }
}

// The same for a row.
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
    ForEachOf(first, params.first.step_c, second, params.second.step_c, channels, output, function);
    first += params.first.step_x;
    second += params.second.step_x;
    output += channels;
  }
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_ELEMENTWISE_H_
