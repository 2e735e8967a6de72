// BATCH_MATMUL. Needs no scratch.
#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

namespace {

// Columns of the output that are computed together.
constexpr int32_t kColumns = 4;

// Two matrices: element k of row x is at k, element k of column c at k * step_k + c * step_c.
struct Matrices {
  const int8_t* first;
  const int8_t* second;
  int32_t depth;
  int32_t step_k, step_c;
  int32_t first_zero, second_zero;
};

// Adds up the products of a row with so many columns.
inline void Sum(const Matrices& from, int32_t count, int32_t* sums) {
  for (int32_t c = 0; c < count; ++c) sums[c] = 0;
  const int8_t* second = from.second;
  for (int32_t k = 0; k < from.depth; ++k, second += from.step_k) {
    const int32_t value = from.first[k] - from.first_zero;
    for (int32_t c = 0; c < count; ++c) {
      sums[c] += value * (second[c * from.step_c] - from.second_zero);
    }
  }
}

}  // namespace

void MatrixMultiply(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<MatrixParams>(node);
  const Scale scale(params.factor);
  const auto channels = static_cast<int32_t>(node.channels);
  Matrices from = {LinkedRow(rows, node, 0, row),
                   nullptr,
                   params.depth,
                   params.transposed ? 1 : channels,
                   params.transposed ? params.depth : 1,
                   params.first_zero,
                   params.second_zero};
  const int8_t* const second = LinkedRow(rows, node, 1, row);
  int8_t* to = output;
  for (uint32_t x = 0; x < node.width; ++x, from.first += params.depth) {
    from.second = second;
    for (int32_t c = 0; c < channels; c += kColumns, from.second += kColumns * from.step_c) {
      int32_t sums[kColumns];
      const int32_t count = channels - c < kColumns ? channels - c : kColumns;
      if (count == kColumns) {
        Sum(from, kColumns, sums);
      } else {
        Sum(from, count, sums);
      }
      for (int32_t i = 0; i < count; ++i) *to++ = Saturate(scale(sums[i]) + params.output_zero);
    }
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
