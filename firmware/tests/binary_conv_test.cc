#include "ops/binary_conv.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "tests/reference_binary_conv.h"

namespace tinyseg {
namespace {

// An output equals its sum, shifted by a bias in units of the sum.
Requantization Identity(int32_t bias) { return {1 << 30, 11, bias * 4096}; }

struct Geometry {
  int32_t height;
  int32_t width;
  int32_t channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t outputs;
  int32_t stride_height = 1;
  int32_t stride_width = 1;
  bool same = true;
};

// Output size and padding as TensorFlow has them.
void SetAxis(int32_t input, int32_t filter, int32_t stride, bool same, int32_t* output,
             int32_t* pad) {
  *output = same ? (input + stride - 1) / stride : (input - filter) / stride + 1;
  const int32_t total = std::max((*output - 1) * stride + filter - input, 0);
  *pad = same ? total / 2 : 0;
}

BinaryConvShape ShapeOf(const Geometry& g) {
  BinaryConvShape shape = {};
  shape.input_height = g.height;
  shape.input_width = g.width;
  shape.input_channels = g.channels;
  shape.output_channels = g.outputs;
  shape.filter_height = g.filter_height;
  shape.filter_width = g.filter_width;
  shape.stride_height = g.stride_height;
  shape.stride_width = g.stride_width;
  SetAxis(g.height, g.filter_height, g.stride_height, g.same, &shape.output_height, &shape.pad_top);
  SetAxis(g.width, g.filter_width, g.stride_width, g.same, &shape.output_width, &shape.pad_left);
  return shape;
}

int32_t Products(const BinaryConvShape& shape) {
  return shape.filter_height * shape.filter_width * shape.input_channels;
}

// Random values, with factors that spread the outputs over int8.
ConvCase RandomCase(const Geometry& geometry, uint32_t seed) {
  std::mt19937 random(seed);
  ConvCase conv;
  conv.shape = ShapeOf(geometry);
  const BinaryConvShape& s = conv.shape;
  conv.range.input_zero_point = static_cast<int32_t>(random() % 21) - 10;
  conv.range.output_zero_point = static_cast<int32_t>(random() % 41) - 20;
  conv.input.resize(static_cast<size_t>(s.input_height * s.input_width * s.input_channels));
  for (int8_t& value : conv.input) {
    value = static_cast<int8_t>(static_cast<int32_t>(random() % 256) - 128);
  }
  conv.weights.resize(static_cast<size_t>(s.output_channels * Products(s)));
  for (int8_t& weight : conv.weights) weight = random() % 2 == 0 ? 1 : -1;
  int32_t shift = 8;
  while (1 << (2 * (shift - 8)) < Products(s)) ++shift;
  for (int32_t c = 0; c < s.output_channels; ++c) {
    conv.to.push_back({static_cast<int32_t>(0x40000000u + random() % 0x40000000u), shift,
                       static_cast<int32_t>(random() % 32768) - 16384});
  }
  return conv;
}

void ExpectEqualsReference(const ConvCase& conv) {
  EXPECT_EQ(RunKernel(conv), ReferenceBinaryConv(conv));
}

TEST(BinaryConvTest, GivesTheGoldenOutputs) {
  // 1x2 image of three channels, signs + - + and - - +, padded to a 1x3 filter on either side.
  ConvCase conv;
  conv.shape = ShapeOf({1, 2, 3, 1, 3, 1});
  conv.input = {5, -1, 0, -9, -128, 127};
  conv.weights = {+1, +1, +1, -1, +1, +1, -1, -1, +1};
  // Left: middle taps of the first, right taps of the second: (-1 -1 +1) + (+1 +1 +1) = 2.
  // Right: left taps of the first, middle taps of the second: (+1 -1 +1) + (+1 -1 +1) = 2.
  conv.to = {Identity(0)};
  EXPECT_EQ(RunKernel(conv), (std::vector<int8_t>{2, 2}));
  conv.weights = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
  EXPECT_EQ(RunKernel(conv), (std::vector<int8_t>{0, 0}));
  conv.weights = {+1, +1, +1, +1, +1, +1, -1, +1, +1};
  EXPECT_EQ(RunKernel(conv), (std::vector<int8_t>{2, 0}));
}

TEST(BinaryConvTest, CountsInputsOfTheZeroPointAsPlusOne) {
  ConvCase conv;
  conv.shape = ShapeOf({1, 3, 1, 1, 1, 1});
  conv.range.input_zero_point = -7;
  conv.input = {-8, -7, -6};
  conv.weights = {1};
  conv.to = {Identity(0)};
  EXPECT_EQ(RunKernel(conv), (std::vector<int8_t>{-1, 1, 1}));
}

std::string NameOf(const ::testing::TestParamInfo<Geometry>& info) {
  const Geometry& g = info.param;
  const auto size = [](int32_t height, int32_t width) {
    return std::to_string(height) + "x" + std::to_string(width);
  };
  return size(g.height, g.width) + "x" + std::to_string(g.channels) + "_filter" +
         size(g.filter_height, g.filter_width) + "x" + std::to_string(g.outputs) + "_stride" +
         size(g.stride_height, g.stride_width) + (g.same ? "_same" : "_valid");
}

class BinaryConvShapeTest : public ::testing::TestWithParam<Geometry> {};

TEST_P(BinaryConvShapeTest, EqualsTheReference) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    const ConvCase conv = RandomCase(GetParam(), seed);
    const std::vector<int8_t> expected = ReferenceBinaryConv(conv);
    // Else this compares little more than clamps.
    EXPECT_GT(std::set<int8_t>(expected.begin(), expected.end()).size(),
              expected.size() > 1 ? 1u : 0u);
    EXPECT_EQ(RunKernel(conv), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Pointwise, BinaryConvShapeTest,
                         ::testing::Values(Geometry{1, 1, 1, 1, 1, 1}, Geometry{4, 4, 31, 1, 1, 5},
                                           Geometry{4, 4, 32, 1, 1, 5}, Geometry{4, 4, 33, 1, 1, 5},
                                           Geometry{3, 5, 64, 1, 1, 7}, Geometry{2, 2, 95, 1, 1, 3},
                                           Geometry{5, 4, 16, 1, 1, 4, 2, 2}),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(SamePadding, BinaryConvShapeTest,
                         ::testing::Values(Geometry{5, 5, 3, 3, 3, 4}, Geometry{8, 6, 40, 3, 3, 6},
                                           Geometry{6, 6, 64, 3, 3, 8}, Geometry{7, 7, 32, 5, 5, 3},
                                           Geometry{5, 9, 7, 5, 3, 2}, Geometry{9, 5, 7, 1, 7, 2},
                                           Geometry{2, 2, 32, 5, 5, 3}, Geometry{1, 1, 32, 3, 3, 3},
                                           Geometry{4, 4, 8, 2, 2, 3}),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(
    Strides, BinaryConvShapeTest,
    ::testing::Values(Geometry{8, 8, 16, 3, 3, 4, 2, 2}, Geometry{7, 7, 16, 3, 3, 4, 2, 2},
                      Geometry{9, 8, 16, 3, 3, 4, 3, 1}, Geometry{8, 9, 16, 3, 3, 4, 1, 3},
                      Geometry{9, 9, 16, 2, 2, 4, 4, 4}, Geometry{8, 8, 33, 5, 5, 4, 2, 2, false}),
    NameOf);
INSTANTIATE_TEST_SUITE_P(ValidPadding, BinaryConvShapeTest,
                         ::testing::Values(Geometry{5, 5, 3, 3, 3, 4, 1, 1, false},
                                           Geometry{3, 3, 40, 3, 3, 6, 1, 1, false},
                                           Geometry{6, 7, 64, 5, 5, 2, 1, 1, false},
                                           Geometry{7, 9, 32, 3, 5, 3, 2, 3, false}),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(MoreWordsThanOneCountHolds, BinaryConvShapeTest,
                         ::testing::Values(Geometry{3, 3, 128, 3, 3, 3},
                                           Geometry{3, 3, 256, 3, 3, 3},
                                           Geometry{4, 4, 70, 5, 5, 3},
                                           Geometry{3, 3, 512, 3, 3, 2},
                                           Geometry{2, 2, 970, 1, 1, 3}),
                         NameOf);

TEST(BinaryConvTest, EqualsTheReferenceOnRandomShapes) {
  std::mt19937 random(5);
  const auto pick = [&random](int32_t least, int32_t most) {
    return least + static_cast<int32_t>(random() % static_cast<uint32_t>(most - least + 1));
  };
  for (uint32_t round = 0; round < 300; ++round) {
    Geometry g = {pick(1, 9), pick(1, 9), pick(1, 100), pick(1, 5),     pick(1, 5),
                  pick(1, 6), pick(1, 3), pick(1, 3),   pick(0, 1) == 1};
    g.filter_height = g.same ? g.filter_height : std::min(g.filter_height, g.height);
    g.filter_width = g.same ? g.filter_width : std::min(g.filter_width, g.width);
    const ConvCase conv = RandomCase(g, round);
    ASSERT_EQ(RunKernel(conv), ReferenceBinaryConv(conv)) << round;
  }
}

// Counts in bytes would wrap first where all bits differ, or none.
TEST(BinaryConvTest, CountsAnyNumberOfWords) {
  for (int32_t words = 1; words <= 130; ++words) {
    for (const int8_t weight : {1, -1}) {
      ConvCase conv;
      conv.shape = ShapeOf({1, 1, 32 * words, 1, 1, 1});
      conv.input.assign(static_cast<size_t>(32 * words), 1);
      conv.weights.assign(static_cast<size_t>(32 * words), weight);
      conv.to = {Identity(-32 * words * weight)};
      ASSERT_EQ(RunKernel(conv), std::vector<int8_t>{0}) << words;
      // Three taps, of which two are padding.
      conv.shape = ShapeOf({1, 1, 32 * words, 1, 3, 1});
      conv.weights.assign(static_cast<size_t>(3 * 32 * words), weight);
      ASSERT_EQ(RunKernel(conv), std::vector<int8_t>{0}) << words;
    }
  }
}

TEST(BinaryConvTest, AddsNothingForPadding) {
  for (const int8_t weight : {1, -1}) {
    ConvCase conv;
    conv.shape = ShapeOf({3, 3, 5, 3, 3, 1});
    conv.input.assign(45, 1);
    conv.weights.assign(45, weight);
    conv.to = {Identity(0)};
    std::vector<int8_t> expected;
    for (const int positions : {4, 6, 4, 6, 9, 6, 4, 6, 4}) {
      expected.push_back(static_cast<int8_t>(5 * positions * weight));
    }
    EXPECT_EQ(RunKernel(conv), expected);
  }
}

TEST(BinaryConvTest, GivesOnlyTheBiasWhereAFieldLiesOutsideTheImage) {
  ConvCase conv;
  conv.shape = ShapeOf({1, 1, 40, 1, 1, 1});
  conv.shape.pad_left = 1;
  conv.shape.output_width = 3;
  conv.input.assign(40, 1);
  conv.weights.assign(40, 1);
  conv.to = {Identity(7)};
  EXPECT_EQ(RunKernel(conv), (std::vector<int8_t>{7, 47, 7}));
}

TEST(BinaryConvTest, ClampsToTheFusedActivation) {
  ConvCase conv = RandomCase({6, 6, 32, 3, 3, 8}, 6);
  conv.range.output_min = conv.range.output_zero_point;  // ReLU.
  conv.range.output_max = conv.range.output_zero_point + 10;
  const std::vector<int8_t> output = RunKernel(conv);
  EXPECT_EQ(*std::min_element(output.begin(), output.end()), conv.range.output_min);
  EXPECT_EQ(*std::max_element(output.begin(), output.end()), conv.range.output_max);
  ExpectEqualsReference(conv);
}

TEST(BinaryConvTest, SaturatesInsteadOfWrapping) {
  ConvCase conv;
  conv.shape = ShapeOf({1, 1, 300, 1, 1, 2});
  conv.input.assign(300, 1);
  conv.weights.assign(600, 1);
  std::fill(conv.weights.begin() + 300, conv.weights.end(), static_cast<int8_t>(-1));
  conv.to = {Identity(0), Identity(0)};
  EXPECT_EQ(RunKernel(conv), (std::vector<int8_t>{127, -128}));
}

struct Rounding {
  const char* name;
  int32_t sign;
  int32_t bias;  // 4096 is one.
  int8_t expected;
};

class BinaryConvRoundingTest : public ::testing::TestWithParam<Rounding> {};

TEST_P(BinaryConvRoundingTest, RoundsHalfUp) {
  ConvCase conv;
  conv.shape = ShapeOf({1, 1, 1, 1, 1, 1});
  conv.input = {1};
  conv.weights = {static_cast<int8_t>(GetParam().sign)};
  conv.to = {{1 << 30, 11, GetParam().bias}};
  EXPECT_EQ(RunKernel(conv), std::vector<int8_t>{GetParam().expected});
  ExpectEqualsReference(conv);
}

INSTANTIATE_TEST_SUITE_P(Halves, BinaryConvRoundingTest,
                         ::testing::Values(Rounding{"PositiveHalf", 1, 2048, 2},
                                           Rounding{"BelowPositiveHalf", 1, 2047, 1},
                                           Rounding{"PlusHalf", 1, -2048, 1},
                                           Rounding{"BelowPlusHalf", 1, -2049, 0},
                                           Rounding{"MinusHalf", -1, 2048, 0},
                                           Rounding{"BelowMinusHalf", -1, 2047, -1},
                                           Rounding{"NegativeHalf", -1, -2048, -1},
                                           Rounding{"BelowNegativeHalf", -1, -2049, -2}),
                         [](const auto& info) { return info.param.name; });

TEST(BinaryConvTest, RequantizesExtremesAsTheReference) {
  ConvCase conv;
  conv.shape = ShapeOf({1, 1, 1, 1, 1, 1});
  conv.input = {1};
  for (const int8_t weight : {1, -1}) {
    conv.weights = {weight};
    for (const int32_t multiplier : {0, 1, 1 << 30, 0x7FFFFFFF}) {
      for (int32_t shift = 1; shift <= 30; ++shift) {
        for (const int32_t bias : {-0x7FFFEFFF, -(1 << 20), -1, 0, 1, 1 << 20, 0x7FFFEFFF}) {
          for (const int32_t zero_point : {-128, 0, 127}) {
            conv.to = {{multiplier, shift, bias}};
            conv.range.output_zero_point = zero_point;
            ASSERT_EQ(RunKernel(conv), ReferenceBinaryConv(conv))
                << multiplier << " " << shift << " " << bias << " " << zero_point;
          }
        }
      }
    }
  }
}

TEST(BinaryConvTest, KeepsTheLargestSumsExact) {
  // The contract's limit: sums below 2^18.
  ConvCase conv;
  conv.shape = ShapeOf({1, 1, (1 << 18) - 1, 1, 1, 1});
  conv.input.assign((1 << 18) - 1, 1);
  for (const int8_t weight : {1, -1}) {
    conv.weights.assign(conv.input.size(), weight);
    conv.to = {Identity(0)};
    conv.to[0].bias = -weight * ((1 << 18) - 2) * 4096;
    EXPECT_EQ(RunKernel(conv), std::vector<int8_t>{weight});
  }
}

TEST(BinaryConvShapeSizesTest, RoundsChannelsUpToWords) {
  const BinaryConvShape shape = ShapeOf({4, 5, 33, 3, 2, 7});
  EXPECT_EQ(shape.words(), 2);
  EXPECT_EQ(shape.filter_words(), 12);
  EXPECT_EQ(shape.scratch_words(), 4u * 5 * 2 + 2 * 12);
}

}  // namespace
}  // namespace tinyseg
