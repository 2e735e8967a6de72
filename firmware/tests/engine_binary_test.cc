#include <gtest/gtest.h>

#include "tests/engine_program.h"
#include "tests/engine_reference.h"
#include "tests/reference_binary_conv.h"

namespace tinyseg {
namespace engine {
namespace {

TEST(EngineBinaryTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    ConvCase conv;
    BinaryConvShape& s = conv.shape;
    s.filter_height = random.Between(1, 3);
    s.filter_width = random.Between(1, 3);
    s.input_height = random.Between(3, 7);
    s.input_width = random.Between(3, 7);
    s.input_channels = random.OneOf<int32_t>({1, 7, 32, 45});
    s.output_channels = random.Between(1, 5);
    s.stride_height = random.Between(1, 2);
    s.stride_width = random.Between(1, 2);
    s.pad_top = random.Between(0, s.filter_height - 1);
    s.pad_left = random.Between(0, s.filter_width - 1);
    s.output_height = (s.input_height - 1) / s.stride_height + 1;
    s.output_width = (s.input_width - 1) / s.stride_width + 1;
    conv.range = {random.Between(-20, 20), random.Between(-20, 20), -128, 100};
    const Shape input = {static_cast<uint32_t>(s.input_height),
                         static_cast<uint32_t>(s.input_width),
                         static_cast<uint32_t>(s.input_channels)};
    conv.input = random.Bytes(input.bytes());
    const int32_t weights = s.output_channels * s.filter_height * s.filter_width * s.input_channels;
    for (int32_t i = 0; i < weights; ++i) conv.weights.push_back(random.Between(0, 1) ? 1 : -1);
    for (int32_t c = 0; c < s.output_channels; ++c) {
      conv.to.push_back({random.Between(1 << 30, INT32_MAX), random.Between(9, 12),
                         random.Between(-20000, 20000)});
    }
    ProgramBuilder builder;
    const auto source = static_cast<uint16_t>(builder.Input(input));
    const Link link = {source, 1, static_cast<uint32_t>(s.stride_height), -s.pad_top,
                       s.filter_height - 1 - s.pad_top};
    const Window window = {s.filter_height, s.filter_width, s.stride_height, s.stride_width, 1, 1,
                           s.pad_top,       s.pad_left};
    const BinaryConvolutionParams params = {window,
                                            conv.range.input_zero_point,
                                            conv.range.output_zero_point,
                                            conv.range.output_min,
                                            conv.range.output_max,
                                            builder.Data(PackWeights(conv)),
                                            builder.Data(conv.to)};
    const int32_t words =
        s.words() * (s.filter_height * s.input_width + 2 * s.filter_height * s.filter_width);
    builder.SetScratch(static_cast<uint32_t>(4 * words) +
                       static_cast<uint32_t>(s.filter_height) * input.row_bytes());
    const Shape output = {static_cast<uint32_t>(s.output_height),
                          static_cast<uint32_t>(s.output_width),
                          static_cast<uint32_t>(s.output_channels)};
    ASSERT_EQ(RunNode(&builder, Kernel::kBinaryConvolution, output, {link}, params, {conv.input}),
              ReferenceBinaryConv(conv))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
