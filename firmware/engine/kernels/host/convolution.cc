// CONV_2D and FULLY_CONNECTED.
#include "engine/kernels/filters.h"
#include "engine/kernels/host/host.h"
#include "engine/kernels/host/memory.h"
#include "engine/kernels/host/product.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace host {
namespace {

class ConvolutionRow {
 public:
  ConvolutionRow(const Rows& rows, const Node& node, uint32_t row)
      : rows_(rows),
        node_(node),
        // Those of packed weights come behind them.
        params_(rows.params<ConvolutionParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width) {
    for (uint32_t i = 0; i < node.link_count; ++i) {
      depth_ += static_cast<int32_t>(rows.source(node, i).channels);
    }
    outside_ = Kept<ConvolutionRow, int8_t>(static_cast<size_t>(depth_));
    std::memset(outside_, params_.input_zero, static_cast<size_t>(depth_));
  }

  void Compute(const PackedWeights* packed, int8_t* output) const {
    const int32_t filter = window_.height * window_.width * depth_;
    Windows windows(node_.width, filter);
    for (int32_t x = 0; x < node_.width; x += kLanes) Gather(x, &windows);
    Columns columns(windows.pairs());
    const Filters filters(rows_, params_.weights, packed, filter);
    const auto* channels = rows_.at<Channel>(params_.channels);
    const auto all = static_cast<int32_t>(node_.channels);
    for (int32_t first = 0; first < all; first += kChannels) {
      const int32_t count = all - first < kChannels ? all - first : kChannels;
      for (int32_t c = 0; c < count; c += 2) {
        const bool has_second = c + 1 < count;
        const int8_t* const pair = filters.Pair(first + c, has_second);
        columns.Set(c, 0, pair, filter);
        if (has_second) columns.Set(c + 1, 0, pair + filter, filter);
      }
      Multiply(windows, columns, channels + first, count, params_.output_zero, output + first, all);
    }
    ClampRow(output, node_.width * node_.channels, params_.least, params_.most);
  }

 private:
  // Sets what lies under the windows of eight pixels from `x` on.
  void Gather(int32_t x, Windows* windows) const {
    int32_t at = 0;
    for (int32_t tap_y = 0; tap_y < window_.height; ++tap_y) {
      const bool row_inside = tap_y >= input_.taps().begin && tap_y < input_.taps().end;
      for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
        const int32_t column = x * window_.stride_x + tap_x * window_.dilation_x - window_.left;
        for (uint32_t link = 0; link < node_.link_count; ++link) {
          const auto depth = static_cast<int32_t>(rows_.source(node_, link).channels);
          const int8_t* from[kLanes];
          for (int32_t p = 0; p < kLanes; ++p) {
            const int32_t place = column + p * window_.stride_x;
            const bool is_inside = row_inside && place >= 0 && place < width_;
            from[p] = is_inside ? input_.Row(tap_y, link) + place * depth : outside_;
          }
          windows->Set(x, at, from, depth);
          at += depth;
        }
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const ConvolutionParams& params_;
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  int32_t depth_ = 0;  // Of all sources.
  int8_t* outside_;    // A pixel outside the input.
};

}  // namespace

void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  ConvolutionRow(rows, node, row).Compute(nullptr, output);
}

void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PackedConvolutionParams>(node);
  ConvolutionRow(rows, node, row).Compute(&params.weights, output);
}

}  // namespace host
}  // namespace engine
}  // namespace tinyseg
