#include <gtest/gtest.h>

#include "tests/engine_program.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {
namespace {

using Content = std::vector<int8_t>;
using Order = std::vector<std::pair<uint32_t, uint32_t>>;

// Two poolings of three rows after one another; the second has both for outputs, an addition of
// the first one's rows included.
struct Network {
  static constexpr Shape kShape = {6, 4, 3};

  ProgramBuilder builder;
  uint32_t input, first, second, sum;

  Network() {
    const PoolParams pool = {{3, 1, 1, 1, 1, 1, 1, 0}, -128, 127};
    input = builder.Input(kShape);
    first = builder.Compute(Kernel::kMaxPool, kShape, {Three(input)}, pool);
    second = builder.Compute(Kernel::kMaxPool, kShape, {Three(first)}, pool);
    ElementwiseParams params = {};
    params.first = params.second = {3, 1, 0, {}};
    params.sign = -1;
    sum = builder.Compute(Kernel::kMinMax, kShape, {SameOf(first), SameOf(second)}, params);
  }

  static Link Three(uint32_t source) { return {static_cast<uint16_t>(source), 1, 1, -1, 1}; }

  // Every value of a row is the row's number.
  static Content Numbers() {
    Content content;
    for (uint32_t y = 0; y < kShape.rows; ++y) {
      content.insert(content.end(), kShape.row_bytes(), static_cast<int8_t>(y));
    }
    return content;
  }

  static Content Shifted(int8_t by) {
    Content content = Numbers();
    for (int8_t& value : content) value = std::min<int8_t>(static_cast<int8_t>(value + by), 5);
    return content;
  }
};

Order OrderOf(Machine* machine) {
  Order order;
  machine->Begin({Network::Numbers()});
  machine->interpreter.Begin(machine->border());
  while (machine->interpreter.Step()) {
    const uint32_t node = machine->interpreter.last();
    order.emplace_back(node, machine->interpreter.done(node) - 1);
  }
  EXPECT_TRUE(machine->interpreter.status().ok());
  return order;
}

TEST(EngineInterpreterTest, PullsRowsAsTheyAreNeeded) {
  Network network;
  network.builder.SetOutput(network.second);
  Machine machine(network.builder.Build());
  ASSERT_TRUE(machine.Start().ok());
  const Order order = OrderOf(&machine);
  const Order expected = {{0, 0}, {0, 1}, {1, 0}, {0, 2}, {1, 1}, {2, 0}, {0, 3}, {1, 2}, {2, 1},
                          {0, 4}, {1, 3}, {2, 2}, {0, 5}, {1, 4}, {2, 3}, {1, 5}, {2, 4}, {2, 5}};
  EXPECT_EQ(order, expected);
  EXPECT_EQ(machine.outputs[0], Network::Shifted(2));
}

TEST(EngineInterpreterTest, KeepsRowsInRingsOfSeveralRegions) {
  Network network;
  network.builder.SetRing(network.input, 3);
  network.builder.SetRing(network.first, 4);
  network.builder.SetRing(network.second, 1);
  network.builder.SetRing(network.sum, 2);
  network.builder.SetRegion(network.first, 1);
  network.builder.SetRegion(network.second, 3);
  network.builder.SetRegion(network.sum, 1);
  network.builder.SetOutput(network.sum);
  network.builder.SetOutput(network.second);
  Machine machine(network.builder.Build());
  ASSERT_TRUE(machine.Start().ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(machine.Run({Network::Numbers()}).ok());
    EXPECT_EQ(machine.outputs[0], Network::Shifted(1));
    EXPECT_EQ(machine.outputs[1], Network::Shifted(2));
  }
}

TEST(EngineInterpreterTest, GivesInputsThatAreOutputs) {
  Network network;
  network.builder.SetOutput(network.input);
  Machine machine(network.builder.Build());
  ASSERT_TRUE(machine.Start().ok());
  ASSERT_TRUE(machine.Run({Network::Numbers()}).ok());
  EXPECT_EQ(machine.outputs[0], Network::Numbers());
}

TEST(EngineInterpreterTest, ReadsConstants) {
  ProgramBuilder builder;
  const Shape shape = {2, 2, 2};
  const uint32_t input = builder.Input(shape);
  const uint32_t constant = builder.Constant(shape, {1, 2, 3, 4, 5, 6, 7, 8});
  ElementwiseParams params = {};
  params.first = params.second = {2, 1, 0, {}};
  params.sign = 1;
  EXPECT_EQ(RunNode(&builder, Kernel::kMinMax, shape, {SameOf(input), SameOf(constant)}, params,
                    {Content{4, 4, 4, 4, 4, 4, 4, 4}}),
            (Content{4, 4, 4, 4, 5, 6, 7, 8}));
}

TEST(EngineInterpreterTest, StopsBetweenRows) {
  Network network;
  network.builder.SetOutput(network.second);
  Machine machine(network.builder.Build());
  ASSERT_TRUE(machine.Start().ok());
  const volatile bool stop = true;
  const Status status = machine.Run({Network::Numbers()}, &stop);
  EXPECT_EQ(status.code, Code::kStopped);
  EXPECT_FALSE(machine.interpreter.Step());
  EXPECT_TRUE(machine.Run({Network::Numbers()}).ok());
}

TEST(EngineInterpreterTest, EndsWhereTheBorderFails) {
  Network network;
  network.builder.SetOutput(network.second);
  Machine machine(network.builder.Build());
  ASSERT_TRUE(machine.Start().ok());
  Content content = Network::Numbers();
  content.resize(3 * Network::kShape.row_bytes());
  EXPECT_EQ(machine.Run({content}).code, Code::kBorderFailed);
  EXPECT_EQ(machine.interpreter.status().detail, 3u);
  EXPECT_EQ(machine.interpreter.Run({}).code, Code::kBorderFailed);
  Border border = machine.border();
  border.push = [](void*, uint32_t, uint32_t row, const uint8_t*) { return row < 2; };
  machine.Begin({Network::Numbers()});
  EXPECT_EQ(machine.interpreter.Run(border).code, Code::kBorderFailed);
  EXPECT_EQ(machine.interpreter.status().detail, 2u);
}

TEST(EngineInterpreterTest, TellsWhichOperatorRuns) {
  Network network;
  network.builder.SetOutput(network.first);
  Machine machine(network.builder.Build());
  ASSERT_TRUE(machine.Start().ok());
  std::vector<std::pair<uint32_t, bool>> seen;
  machine.Begin({Network::Numbers()});
  // A border has one user: the watch finds its own here.
  static std::vector<std::pair<uint32_t, bool>>* log;
  log = &seen;
  Border border = machine.border();
  border.watch = [](void*, uint32_t op, bool begin) { log->emplace_back(op, begin); };
  ASSERT_TRUE(machine.interpreter.Run(border).ok());
  ASSERT_EQ(seen.size(), 2u * Network::kShape.rows);
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].first, network.first);
    EXPECT_EQ(seen[i].second, i % 2 == 0);
  }
}

TEST(EngineInterpreterTest, DoesNothingWithoutAProgram) {
  Interpreter interpreter;
  EXPECT_FALSE(interpreter.Step());
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
