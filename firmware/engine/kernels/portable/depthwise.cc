// DEPTHWISE_CONV_2D. Needs no scratch.
#include "engine/kernels/machine.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {
namespace {

class DepthwiseRow {
 public:
  DepthwiseRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output)
      : rows_(rows),
        node_(node),
        params_(rows.params<DepthwiseParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width),
        inside_(WindowsInside(node.width, width_, window_.width, window_.stride_x,
                              window_.dilation_x, window_.left)),
        channels_(static_cast<int32_t>(node.channels)),
        weights_(rows.at<int8_t>(params_.weights)),
        channel_(rows.at<Channel>(params_.channels)),
        output_(output) {}

  void Compute() const {
    int32_t first = 0;
    for (uint32_t link = 0; link < node_.link_count; ++link) {
      const auto channels = static_cast<int32_t>(rows_.source(node_, link).channels);
      if (kVectors && params_.multiplier == 1) {
        for (int32_t x = 0; x < node_.width; ++x) ComputePixel(link, channels, first, x);
      } else {
        for (int32_t c = 0; c < channels * params_.multiplier; ++c) {
          ComputeChannel({link, channels, c / params_.multiplier, first + c});
        }
      }
      first += channels * params_.multiplier;
    }
    ClampRow(output_, static_cast<uint32_t>(node_.width) * node_.channels, params_.least,
             params_.most);
  }

 private:
  // A channel of the output, and of which source's channel it is made.
  struct Place {
    uint32_t link;
    int32_t channels;
    int32_t from;
    int32_t to;
  };

  static constexpr int32_t kPixels = 4;

  int32_t WeightOf(int32_t tap_y, int32_t tap_x, int32_t channel) const {
    return weights_[(tap_y * window_.width + tap_x) * channels_ + channel];
  }

  void ComputeChannel(const Place& place) const {
    const Channel& channel = channel_[place.to];
    const Scale scale(channel.factor);
    const int32_t bias = channel.bias + Outside({0, window_.width}, place.to);
    int32_t x = 0;
    for (; x < inside_.begin; ++x) ComputeBorder(place, scale, x);
    for (; x < inside_.end; x += kPixels) {
      if (x + kPixels > inside_.end) {
        if (inside_.end - kPixels < inside_.begin) break;
        x = inside_.end - kPixels;
      }
      ComputeBlock(place, bias, scale, x);
    }
    for (; x < node_.width; ++x) ComputeBorder(place, scale, x);
  }

  // What taps outside the input add, of rows outside and, in rows inside, of columns other than
  // `taps`.
  int32_t Outside(const Range& taps, int32_t channel) const {
    if (params_.input_zero == 0) return 0;
    int32_t sum = 0;
    for (int32_t tap_y = 0; tap_y < window_.height; ++tap_y) {
      const bool is_inside = tap_y >= input_.taps().begin && tap_y < input_.taps().end;
      for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
        if (!is_inside || tap_x < taps.begin || tap_x >= taps.end) {
          sum += WeightOf(tap_y, tap_x, channel);
        }
      }
    }
    return sum * params_.input_zero;
  }

  void ComputeBorder(const Place& place, const Scale& scale, int32_t x) const {
    const int32_t column = x * window_.stride_x - window_.left;
    const Range taps = TapsInside(column, window_.width, window_.dilation_x, width_);
    int32_t sum = channel_[place.to].bias + Outside(taps, place.to);
    for (int32_t tap_y = input_.taps().begin; tap_y < input_.taps().end; ++tap_y) {
      const int8_t* from = input_.Row(tap_y, place.link) + place.from;
      for (int32_t tap_x = taps.begin; tap_x < taps.end; ++tap_x) {
        sum += from[(column + tap_x * window_.dilation_x) * place.channels] *
               WeightOf(tap_y, tap_x, place.to);
      }
    }
    output_[x * channels_ + place.to] = Saturate(scale(sum) + params_.output_zero);
  }

  void ComputeBlock(const Place& place, int32_t bias, const Scale& scale, int32_t x) const {
    int32_t sums[kPixels];
    for (int32_t& sum : sums) sum = bias;
    const int32_t column = x * window_.stride_x - window_.left;
    const int32_t step = window_.stride_x * place.channels;
    for (int32_t tap_y = input_.taps().begin; tap_y < input_.taps().end; ++tap_y) {
      const int8_t* from = input_.Row(tap_y, place.link) + column * place.channels + place.from;
      const int8_t* weight = weights_ + tap_y * window_.width * channels_ + place.to;
      for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
        const int32_t w = *weight;
        const int8_t* pixel = from;
        for (int32_t& sum : sums) {
          sum += *pixel * w;
          pixel += step;
        }
        weight += channels_;
        from += window_.dilation_x * place.channels;
      }
    }
    int8_t* to = output_ + x * channels_ + place.to;
    for (const int32_t sum : sums) {
      *to = Saturate(scale(sum) + params_.output_zero);
      to += channels_;
    }
  }

  // For vector instructions: many channels of one pixel.
  void ComputePixel(uint32_t link, int32_t channels, int32_t first, int32_t x) const {
    constexpr int32_t kMany = 32;
    const int32_t column = x * window_.stride_x - window_.left;
    for (int32_t begin = 0; begin < channels; begin += kMany) {
      const int32_t count = channels - begin < kMany ? channels - begin : kMany;
      int32_t sums[kMany];
      for (int32_t c = 0; c < count; ++c) sums[c] = channel_[first + begin + c].bias;
      for (int32_t tap_y = 0; tap_y < window_.height; ++tap_y) {
        const bool row_inside = tap_y >= input_.taps().begin && tap_y < input_.taps().end;
        for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
          const int32_t at = column + tap_x * window_.dilation_x;
          const int8_t* weights =
              weights_ + (tap_y * window_.width + tap_x) * channels_ + first + begin;
          if (row_inside && at >= 0 && at < width_) {
            const int8_t* from = input_.Row(tap_y, link) + at * channels + begin;
            for (int32_t c = 0; c < count; ++c) sums[c] += from[c] * weights[c];
          } else {
            for (int32_t c = 0; c < count; ++c) sums[c] += params_.input_zero * weights[c];
          }
        }
      }
      int8_t* to = output_ + x * channels_ + first + begin;
      for (int32_t c = 0; c < count; ++c) {
        const Scale scale(channel_[first + begin + c].factor);
        to[c] = Saturate(scale(sums[c]) + params_.output_zero);
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const DepthwiseParams& params_;
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  const Range inside_;  // Output pixels whose window has all its columns in the input.
  const int32_t channels_;
  const int8_t* const weights_;
  const Channel* const channel_;
  int8_t* const output_;
};

}  // namespace

void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  DepthwiseRow(rows, node, row, output).Compute();
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
