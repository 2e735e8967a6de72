#include <gtest/gtest.h>

#include "tests/engine_program.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {
namespace {

using Content = std::vector<int8_t>;

// Two operands, of which the second may have one row, one column, or one channel.
struct Pair {
  Shape output;
  Shape shapes[2];
  Content content[2];
  ElementwiseParams params = {};
};

Operand OperandOf(const Shape& shape, int32_t zero, const Factor& factor) {
  const auto channels = static_cast<int32_t>(shape.channels);
  return {shape.width > 1 ? channels : 0, shape.channels > 1 ? 1 : 0, zero, factor};
}

Pair RandomPair(Random* random, int32_t left_shift) {
  Pair pair;
  const auto size = [&](int32_t most) { return static_cast<uint32_t>(random->Between(1, most)); };
  pair.output = {size(4), size(9), size(9)};
  const auto kept = [&](uint32_t of) { return random->Between(0, 2) == 0 ? 1u : of; };
  pair.shapes[0] = pair.output;
  pair.shapes[1] = {kept(pair.output.rows), kept(pair.output.width), kept(pair.output.channels)};
  if (random->Between(0, 1)) std::swap(pair.shapes[0], pair.shapes[1]);
  for (int i = 0; i < 2; ++i) pair.content[i] = random->Bytes(pair.shapes[i].bytes());
  const auto zero = [&] { return random->OneOf<int32_t>({-128, 127, 0, -3}); };
  ElementwiseParams& params = pair.params;
  params.first = OperandOf(pair.shapes[0], zero(), random->FactorOf(random->Between(-9, 0)));
  params.second = OperandOf(pair.shapes[1], zero(), random->FactorOf(random->Between(-9, 0)));
  params.left_shift = left_shift;
  params.output_zero = zero();
  params.least = random->Between(0, 1) ? -128 : random->Between(-128, 0);
  params.most = random->Between(0, 1) ? 127 : random->Between(1, 127);
  return pair;
}

Content RunPair(const Pair& pair, Kernel kernel) {
  ProgramBuilder builder;
  std::vector<Link> links;
  for (const Shape& shape : pair.shapes) {
    Link link = SameOf(builder.Input(shape));
    if (shape.rows == 1) link.step = 0;
    links.push_back(link);
  }
  return RunNode(&builder, kernel, pair.output, links, pair.params,
                 {pair.content[0], pair.content[1]});
}

int64_t Value(const Pair& pair, int which, uint32_t y, uint32_t x, uint32_t c) {
  const Shape& shape = pair.shapes[which];
  const uint32_t at =
      ((shape.rows > 1 ? y : 0) * shape.width + (shape.width > 1 ? x : 0)) * shape.channels +
      (shape.channels > 1 ? c : 0);
  return pair.content[which][at];
}

// Calls a function of both values for each element of the output.
template <typename Function>
Content Reference(const Pair& pair, Function function) {
  Content output;
  for (uint32_t y = 0; y < pair.output.rows; ++y) {
    for (uint32_t x = 0; x < pair.output.width; ++x) {
      for (uint32_t c = 0; c < pair.output.channels; ++c) {
        output.push_back(function(Value(pair, 0, y, x, c), Value(pair, 1, y, x, c)));
      }
    }
  }
  return output;
}

int64_t Scaled(int64_t value, const Operand& operand, int32_t left_shift) {
  return Requantized((value - operand.zero) * (int64_t{1} << left_shift), operand.factor);
}

int8_t Finished(int64_t value, const ElementwiseParams& params) {
  return Clamped(Requantized(value, params.factor) + params.output_zero, params.least, params.most);
}

class EngineElementwiseTest : public testing::TestWithParam<uint32_t> {
 protected:
  Random random{GetParam()};
};

TEST_P(EngineElementwiseTest, Adds) {
  Pair pair = RandomPair(&random, 20);
  pair.params.factor = random.FactorOf(random.Between(-22, -17));
  const ElementwiseParams& p = pair.params;
  const Content expected = Reference(pair, [&](int64_t a, int64_t b) {
    return Finished(Scaled(a, p.first, 20) + Scaled(b, p.second, 20), p);
  });
  EXPECT_EQ(RunPair(pair, Kernel::kAdd), expected);
}

TEST_P(EngineElementwiseTest, Subtracts) {
  Pair pair = RandomPair(&random, 20);
  pair.params.factor = random.FactorOf(random.Between(-22, -17));
  // Ties between two numbers come often with such a multiplier.
  pair.params.second.factor.multiplier = (1 << 30) + (1 << 10);
  const ElementwiseParams& p = pair.params;
  const Content expected = Reference(pair, [&](int64_t a, int64_t b) {
    return Finished(Scaled(a, p.first, 20) - Scaled(b, p.second, 20), p);
  });
  Pair negative = pair;
  negative.params.second.factor.multiplier *= -1;
  EXPECT_EQ(RunPair(negative, Kernel::kAdd), expected);
}

TEST_P(EngineElementwiseTest, Multiplies) {
  Pair pair = RandomPair(&random, 0);
  pair.params.factor = random.FactorOf(random.Between(-9, 1));
  const ElementwiseParams& p = pair.params;
  const Content expected = Reference(pair, [&](int64_t a, int64_t b) {
    return Finished((a - p.first.zero) * (b - p.second.zero), p);
  });
  EXPECT_EQ(RunPair(pair, Kernel::kMultiply), expected);
}

TEST_P(EngineElementwiseTest, SquaresDifferences) {
  Pair pair = RandomPair(&random, 7);
  pair.params.factor = random.FactorOf(random.Between(-24, -17));
  const ElementwiseParams& p = pair.params;
  const Content expected = Reference(pair, [&](int64_t a, int64_t b) {
    const int64_t difference = Scaled(a, p.first, 7) - Scaled(b, p.second, 7);
    return Finished(difference * difference, p);
  });
  EXPECT_EQ(RunPair(pair, Kernel::kSquaredDifference), expected);
}

TEST_P(EngineElementwiseTest, TakesTheLeastAndTheMost) {
  Pair pair = RandomPair(&random, 0);
  pair.params.sign = 1;
  EXPECT_EQ(RunPair(pair, Kernel::kMinMax), Reference(pair, [](int64_t a, int64_t b) {
              return static_cast<int8_t>(std::max(a, b));
            }));
  pair.params.sign = -1;
  EXPECT_EQ(RunPair(pair, Kernel::kMinMax), Reference(pair, [](int64_t a, int64_t b) {
              return static_cast<int8_t>(std::min(a, b));
            }));
}

INSTANTIATE_TEST_SUITE_P(Seeds, EngineElementwiseTest, testing::Range(0u, 60u));

TEST(EngineTableTest, LooksUpEachValue) {
  Random random(3);
  const Shape shape = {3, 5, 4};
  const Content values = random.Bytes(shape.bytes());
  for (const int32_t per_channel : {0, 1}) {
    const Content table = random.Bytes(256 * shape.channels);
    ProgramBuilder builder;
    const std::vector<Link> links = {SameOf(builder.Input(shape))};
    const TableParams params = {builder.Data(table), per_channel};
    Content expected;
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t channel = per_channel ? i % shape.channels : 0;
      expected.push_back(table[channel * 256 + static_cast<size_t>(values[i] + 128)]);
    }
    EXPECT_EQ(RunNode(&builder, Kernel::kTable, shape, links, params, {values}), expected);
  }
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
