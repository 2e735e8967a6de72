// CONV_2D and FULLY_CONNECTED. Needs no scratch but for packed weights.
#include "engine/kernels/dot.h"
#include "engine/kernels/filters.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {
namespace {

// One row of the output, two channels after two channels.
class ConvolutionRow {
 public:
  ConvolutionRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output)
      : rows_(rows),
        node_(node),
        // Those of packed weights come behind them.
        params_(rows.params<ConvolutionParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width),
        output_(output),
        output_step_(static_cast<int32_t>(node.channels)),
        is_contiguous_(node.link_count == 1 && (window_.dilation_x == 1 || window_.width == 1)) {
    for (uint32_t i = 0; i < node.link_count; ++i) {
      channels_ += static_cast<int32_t>(rows.source(node, i).channels);
    }
    tap_row_ = window_.width * channels_;
    runs_of_row_ = is_contiguous_ ? 1 : window_.width * static_cast<int32_t>(node.link_count);
  }

  void Compute(const PackedWeights* packed) {
    const int32_t filter = window_.height * tap_row_;
    const Filters filters(rows_, params_.weights, packed, filter);
    const Channel* channel = rows_.at<Channel>(params_.channels);
    for (int32_t c = 0; c < output_step_; c += 2, channel += 2) {
      const bool has_second = c + 1 < output_step_;
      ComputePair(ChannelPair(channel, has_second, filters.Pair(c, has_second), filter),
                  output_ + c);
    }
    ClampRow(output_, static_cast<uint32_t>(node_.width) * node_.channels, params_.least,
             params_.most);
  }

 private:
  void ComputePair(const ChannelPair& pair, int8_t* output) const {
    const int32_t count = node_.width;
    Range inside = WindowsInside(count, width_, window_.width, window_.stride_x, window_.dilation_x,
                                 window_.left);
    if (window_.height * runs_of_row_ > Dots::kMostRuns) inside = {0, 0};
    int32_t x = 0;
    for (; x < inside.begin; ++x) ComputeBorder(pair, x, output);
    if (inside.begin < inside.end) {
      Dots dots(pair, x, params_.output_zero, output_step_);
      Gather({0, window_.width}, &dots);
      for (; x + kBlock <= inside.end; x += kBlock) {
        dots.Compute<kBlock>(x, output + x * output_step_);
      }
      if (x < inside.end && inside.end - kBlock >= inside.begin) {
        // The last block begins earlier rather than being smaller.
        x = inside.end - kBlock;
        dots.Compute<kBlock>(x, output + x * output_step_);
        x = inside.end;
      }
      for (; x < inside.end; ++x) dots.Compute<1>(x, output + x * output_step_);
    }
    for (; x < count; ++x) ComputeBorder(pair, x, output);
  }

  void ComputeBorder(const ChannelPair& pair, int32_t x, int8_t* output) const {
    Dots dots(pair, x, params_.output_zero, output_step_);
    Gather(
        TapsInside(x * window_.stride_x - window_.left, window_.width, window_.dilation_x, width_),
        &dots);
    dots.Compute<1>(x, output + x * output_step_);
  }

  // Gathers what pixels are made of whose windows have the columns `taps` inside the input.
  void Gather(const Range& taps, Dots* dots) const {
    for (int32_t tap_y = 0; tap_y < window_.height; ++tap_y) {
      const int32_t at = tap_y * tap_row_;
      if (tap_y < input_.taps().begin || tap_y >= input_.taps().end) {
        dots->AddConstant(params_.input_zero, at, tap_row_);
        continue;
      }
      dots->AddConstant(params_.input_zero, at, taps.begin * channels_);
      dots->AddConstant(params_.input_zero, at + taps.end * channels_,
                        (window_.width - taps.end) * channels_);
      if (is_contiguous_) {
        const int32_t column = taps.begin * window_.dilation_x - window_.left;
        dots->Add(input_.Row(tap_y, 0) + column * channels_, window_.stride_x * channels_,
                  at + taps.begin * channels_, (taps.end - taps.begin) * channels_);
      } else {
        GatherTaps(tap_y, taps, dots);
      }
    }
  }

  void GatherTaps(int32_t tap_y, const Range& taps, Dots* dots) const {
    int32_t at = tap_y * tap_row_ + taps.begin * channels_;
    for (int32_t tap = taps.begin; tap < taps.end; ++tap) {
      const int32_t column = tap * window_.dilation_x - window_.left;
      for (uint32_t link = 0; link < node_.link_count; ++link) {
        const auto channels = static_cast<int32_t>(rows_.source(node_, link).channels);
        dots->Add(input_.Row(tap_y, link) + column * channels, window_.stride_x * channels, at,
                  channels);
        at += channels;
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const ConvolutionParams& params_;
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  int8_t* const output_;
  const int32_t output_step_;
  const bool is_contiguous_;  // All columns of a window's row lie one after another.
  int32_t channels_ = 0;      // Of all sources.
  int32_t tap_row_ = 0;       // Weights of one row of the window.
  int32_t runs_of_row_ = 0;
};

}  // namespace

void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  ConvolutionRow(rows, node, row, output).Compute(nullptr);
}

void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PackedConvolutionParams>(node);
  ConvolutionRow(rows, node, row, output).Compute(&params.weights);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
