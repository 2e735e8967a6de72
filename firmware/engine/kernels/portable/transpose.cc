// TRANSPOSE. Needs no scratch.
#include <cstring>

#include "engine/kernels/portable/portable.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace portable {

namespace {

// Elements of all rows of a source, by their number. Remembers the row it was last in.
class Elements {
 public:
  Elements(const Rows& rows, const Node& node, uint32_t element)
      : rows_(rows),
        node_(node),
        element_(element),
        size_(rows.source(node, 0).row_bytes / element) {
    Enter(0);
  }

  const int8_t* At(uint32_t index) {
    if (index - begin_ >= size_) Enter(index / size_);
    return from_ + (index - begin_) * element_;
  }

 private:
  void Enter(uint32_t row) {
    begin_ = row * size_;
    from_ = rows_.input(node_, 0, row);
  }

  const Rows& rows_;
  const Node& node_;
  const uint32_t element_;
  const uint32_t size_;  // Elements of a row.
  uint32_t begin_;       // Number of the row's first element.
  const int8_t* from_;
};

}  // namespace

void Transpose(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<TransposeParams>(node);
  const auto element = static_cast<uint32_t>(params.element);
  const auto outer = static_cast<uint32_t>(params.outer > 1 ? params.outer : 1);
  const auto step_x = static_cast<uint32_t>(params.steps[1]);
  const auto step_c = static_cast<uint32_t>(params.steps[2]);
  Elements from(rows, node, element);
  uint32_t first = 0;
  if (outer > 1) {
    first = row / outer * static_cast<uint32_t>(params.steps[3]);
    row %= outer;
  }
  first += row * static_cast<uint32_t>(params.steps[0]);
  for (uint32_t x = 0; x < node.width; ++x, first += step_x) {
    uint32_t index = first;
    for (uint32_t c = 0; c < node.channels; ++c, index += step_c, output += element) {
      const int8_t* value = from.At(index);
      if (element == 1) {
        *output = *value;
      } else {
        std::memcpy(output, value, element);
      }
    }
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
