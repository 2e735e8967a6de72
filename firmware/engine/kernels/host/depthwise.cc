// DEPTHWISE_CONV_2D, sixteen channels of a pixel at once. Rows of the window are taken in twos.
#include <cstring>

#include "engine/kernels/host/finish.h"
#include "engine/kernels/host/host.h"
#include "engine/kernels/host/memory.h"
#include "engine/kernels/host/vectors.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace host {
namespace {

// Some channels of the output, at most sixteen, and of which source's channels they are made.
struct Part {
  uint32_t link;
  int32_t channels;
  int32_t from;
  int32_t to;
  int32_t count;
};

// Interleaves the channels that are there, and zeros.
void Pairs(const int8_t* first, const int8_t* second, int32_t count, int16_t* to) {
  if (count == kMany) return Interleave(first, second, to);
  int8_t bytes[2][kMany] = {};
  std::memcpy(bytes[0], first, static_cast<size_t>(count));
  std::memcpy(bytes[1], second, static_cast<size_t>(count));
  Interleave(bytes[0], bytes[1], to);
}

void Write(const FinishMany& finish, const int32_t* sums, int32_t count, int8_t* output) {
  if (count == kMany) return finish(sums, output);
  int8_t bytes[kMany];
  finish(sums, bytes);
  std::memcpy(output, bytes, static_cast<size_t>(count));
}

class DepthwiseRow {
 public:
  DepthwiseRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output)
      : rows_(rows),
        node_(node),
        params_(rows.params<DepthwiseParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width),
        channels_(static_cast<int32_t>(node.channels)),
        output_(output),
        twos_((window_.height + 1) / 2),
        columns_((node.width - 1) * window_.stride_x + (window_.width - 1) * window_.dilation_x +
                 1),
        values_(Kept<DepthwiseRow, int16_t>(static_cast<size_t>(columns_ * twos_ * kPairs))),
        weights_(Kept<Part, int16_t>(static_cast<size_t>(window_.width * twos_ * kPairs))) {
    std::memset(outside_, params_.input_zero, sizeof(outside_));
  }

  void Compute() const {
    int32_t first = 0;
    for (uint32_t link = 0; link < node_.link_count; ++link) {
      const auto channels = static_cast<int32_t>(rows_.source(node_, link).channels);
      for (int32_t from = 0; from < channels; from += kMany) {
        const int32_t count = channels - from < kMany ? channels - from : kMany;
        ComputePart({link, channels, from, first + from, count});
      }
      first += channels;
    }
    ClampRow(output_, node_.width * node_.channels, params_.least, params_.most);
  }

 private:
  static constexpr int32_t kPairs = 2 * kMany;

  void ComputePart(const Part& part) const {
    SetValues(part);
    SetWeights(part);
    const Channel* const channels = rows_.at<Channel>(params_.channels) + part.to;
    const FinishMany finish(channels, part.count, window_.height * window_.width,
                            params_.output_zero);
    int32_t bias[kMany] = {};
    for (int32_t c = 0; c < part.count; ++c) bias[c] = channels[c].bias;
    const int32_t step = window_.stride_x * twos_ * kPairs;
    // Columns that lie side by side are as one.
    const bool is_dense = window_.dilation_x == 1;
    const int32_t taps = is_dense ? 1 : window_.width;
    const int32_t pairs = is_dense ? window_.width * twos_ : twos_;
    for (int32_t x = 0; x < node_.width; ++x) {
      Sums lower(bias), upper(bias + kLanes);
      const int16_t* weights = weights_;
      for (int32_t tap = 0; tap < taps; ++tap) {
        const int16_t* values = values_ + x * step + tap * window_.dilation_x * twos_ * kPairs;
        for (int32_t i = 0; i < pairs; ++i, values += kPairs, weights += kPairs) {
          lower.AddEach(values, weights);
          upper.AddEach(values + kMany, weights + kMany);
        }
      }
      int32_t sums[kMany];
      lower.Store(sums);
      upper.Store(sums + kLanes);
      Write(finish, sums, part.count, output_ + x * channels_ + part.to);
    }
  }

  // Sets what lies in the columns under all windows, those outside the input too.
  void SetValues(const Part& part) const {
    for (int32_t two = 0; two < twos_; ++two) {
      const int8_t* const rows[] = {Row(part, 2 * two), Row(part, 2 * two + 1)};
      int16_t* to = values_ + two * kPairs;
      for (int32_t i = 0; i < columns_; ++i, to += twos_ * kPairs) {
        const int32_t at = (i - window_.left) * part.channels;
        const bool is_inside = i >= window_.left && i - window_.left < width_;
        const int8_t* const first = is_inside && rows[0] != nullptr ? rows[0] + at : outside_;
        const int8_t* const second = is_inside && rows[1] != nullptr ? rows[1] + at : outside_;
        Pairs(first, second, part.count, to);
      }
    }
  }

  // Returns the input's row under a row of the window; null where it is outside.
  const int8_t* Row(const Part& part, int32_t tap) const {
    const bool is_inside = tap >= input_.taps().begin && tap < input_.taps().end;
    return is_inside ? input_.Row(tap, part.link) + part.from : nullptr;
  }

  void SetWeights(const Part& part) const {
    static constexpr int8_t kNone[kMany] = {};
    const int8_t* const weights = rows_.at<int8_t>(params_.weights) + part.to;
    const int32_t tap_row = window_.width * channels_;
    int16_t* to = weights_;
    for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
      for (int32_t tap_y = 0; tap_y < window_.height; tap_y += 2, to += kPairs) {
        const int8_t* const first = weights + tap_y * tap_row + tap_x * channels_;
        const bool has_second = tap_y + 1 < window_.height;
        Pairs(first, has_second ? first + tap_row : kNone, part.count, to);
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const DepthwiseParams& params_;
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  const int32_t channels_;
  int8_t* const output_;
  const int32_t twos_;     // Of the window's rows.
  const int32_t columns_;  // Under all windows.
  int16_t* const values_;
  int16_t* const weights_;
  int8_t outside_[kMany];  // A pixel outside the input.
};

}  // namespace

void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  if (rows.params<DepthwiseParams>(node).multiplier == 1) {
    DepthwiseRow(rows, node, row, output).Compute();
  } else {
    portable::Depthwise(rows, node, row, output);
  }
}

}  // namespace host
}  // namespace engine
}  // namespace tinyseg
