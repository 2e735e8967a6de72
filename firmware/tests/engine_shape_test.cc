// Kernels that move bytes.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/engine_program.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {
namespace {

using Content = std::vector<int8_t>;

// A tensor's bytes with its shape.
struct Tensor {
  Shape shape;
  Content bytes;

  Tensor(const Shape& of, Random* random) : shape(of), bytes(random->Bytes(of.bytes())) {}

  // Appends an element.
  void Copy(uint32_t y, uint32_t x, uint32_t c, Content* to) const {
    const size_t at = ((y * shape.width + x) * shape.channels + c) * shape.element;
    to->insert(to->end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
               bytes.begin() + static_cast<std::ptrdiff_t>(at + shape.element));
  }
};

template <typename Function>
void ForEach(const Shape& shape, Function function) {
  for (uint32_t y = 0; y < shape.rows; ++y) {
    for (uint32_t x = 0; x < shape.width; ++x) {
      for (uint32_t c = 0; c < shape.channels; ++c) function(y, x, c);
    }
  }
}

TEST(EngineCopyTest, Pads) {
  Random random(1);
  const Tensor from({3, 4, 2}, &random);
  const Shape shape = {6, 7, 5};
  ProgramBuilder builder;
  const uint32_t input = builder.Input(from.shape);
  const std::vector<Link> links = {{static_cast<uint16_t>(input), 1, 1, -1, -1}};
  const CopyParams params = {1, -7, {{0, 0, 2, 1, 4, 2, 1}}};
  Content expected;
  ForEach(shape, [&](uint32_t y, uint32_t x, uint32_t c) {
    if (y >= 1 && y < 4 && x >= 2 && x < 6 && c >= 1 && c < 3) {
      from.Copy(y - 1, x - 2, c - 1, &expected);
    } else {
      expected.push_back(-7);
    }
  });
  EXPECT_EQ(RunNode(&builder, Kernel::kCopyRows, shape, links, params, {from.bytes}), expected);
}

TEST(EngineCopyTest, SlicesWithSteps) {
  Random random(2);
  for (const uint32_t element : {1u, 2u, 4u}) {
    const Tensor from({7, 9, 4, element}, &random);
    const Shape shape = {3, 4, 2, element};
    ProgramBuilder builder;
    const uint32_t input = builder.Input(from.shape);
    const std::vector<Link> links = {{static_cast<uint16_t>(input), 1, 2, 1, 1}};
    const CopyParams params = {static_cast<int32_t>(element), 0, {{1, 1, 0, 0, 4, 2, 2}}};
    Content expected;
    ForEach(shape, [&](uint32_t y, uint32_t x, uint32_t c) {
      from.Copy(1 + 2 * y, 1 + 2 * x, 1 + c, &expected);
    });
    EXPECT_EQ(RunNode(&builder, Kernel::kCopyRows, shape, links, params, {from.bytes}), expected);
  }
}

struct TwoParts {
  int32_t element, fill;
  CopyPart parts[2];
};

TEST(EngineCopyTest, ConcatenatesChannelsAndColumns) {
  Random random(3);
  const Tensor first({3, 4, 2}, &random);
  const Tensor second({3, 4, 3}, &random);
  ProgramBuilder builder;
  const std::vector<Link> links = {SameOf(builder.Input(first.shape)),
                                   SameOf(builder.Input(second.shape))};
  const TwoParts params = {1, 0, {{0, 0, 0, 0, 4, 2, 1}, {0, 0, 0, 2, 4, 3, 1}}};
  const Shape shape = {3, 4, 5};
  Content expected;
  ForEach(shape, [&](uint32_t y, uint32_t x, uint32_t c) {
    if (c < 2) {
      first.Copy(y, x, c, &expected);
    } else {
      second.Copy(y, x, c - 2, &expected);
    }
  });
  EXPECT_EQ(RunNode(&builder, Kernel::kCopyRows, shape, links, params, {first.bytes, second.bytes}),
            expected);
}

TEST(EngineCopyTest, ConcatenatesRows) {
  Random random(4);
  const Tensor first({2, 4, 2}, &random);
  const Tensor second({3, 4, 2}, &random);
  ProgramBuilder builder;
  const auto a = static_cast<uint16_t>(builder.Input(first.shape));
  const auto b = static_cast<uint16_t>(builder.Input(second.shape));
  const std::vector<Link> links = {{a, 1, 1, 0, 0}, {b, 1, 1, -2, -2}};
  const TwoParts params = {1, 0, {{0, 0, 0, 0, 4, 2, 1}, {0, 0, 0, 0, 4, 2, 1}}};
  Content expected = first.bytes;
  expected.insert(expected.end(), second.bytes.begin(), second.bytes.end());
  EXPECT_EQ(
      RunNode(&builder, Kernel::kCopyRows, {5, 4, 2}, links, params, {first.bytes, second.bytes}),
      expected);
}

TEST(EngineResizeNearestTest, RepeatsPixels) {
  Random random(5);
  const Tensor from({3, 4, 2, 2}, &random);
  const Shape shape = {6, 12, 2, 2};
  ProgramBuilder builder;
  const uint32_t input = builder.Input(from.shape);
  std::vector<uint16_t> columns;
  for (uint32_t x = 0; x < shape.width; ++x) columns.push_back(static_cast<uint16_t>(x / 3));
  const ResizeNearestParams params = {builder.Data(columns), 2};
  Content expected;
  ForEach(shape,
          [&](uint32_t y, uint32_t x, uint32_t c) { from.Copy(y / 2, x / 3, c, &expected); });
  EXPECT_EQ(RunNode(&builder, Kernel::kResizeNearest, shape,
                    {{static_cast<uint16_t>(input), 2, 1, 0, 0}}, params, {from.bytes}),
            expected);
}

// Rows of any other length: r needs the rows that hold its bytes.
TEST(EngineReshapeTest, KeepsBytes) {
  Random random(6);
  const Tensor from({6, 5, 4}, &random);
  for (const Shape& shape : {Shape{4, 10, 3}, Shape{1, 1, 120}, Shape{60, 1, 2}, Shape{6, 20, 1}}) {
    ProgramBuilder builder;
    const auto input = static_cast<uint16_t>(builder.Input(from.shape));
    const auto bytes = static_cast<int32_t>(shape.row_bytes());
    const Link link = {input, static_cast<uint16_t>(from.shape.row_bytes()), shape.row_bytes(), 0,
                       bytes - 1};
    EXPECT_EQ(RunNode(&builder, Kernel::kReshape, shape, {link}, uint32_t{0}, {from.bytes}),
              from.bytes);
  }
}

TEST(EngineTransposeTest, PermutesAxes) {
  Random random(7);
  for (const uint32_t element : {1u, 4u}) {
    const Tensor from({3, 4, 5, element}, &random);
    const uint32_t sizes[3] = {3, 4, 5};
    const int32_t strides[3] = {20, 5, 1};
    uint32_t axes[3] = {0, 1, 2};
    do {
      const Shape shape = {sizes[axes[0]], sizes[axes[1]], sizes[axes[2]], element};
      const TransposeParams params = {static_cast<int32_t>(element),
                                      1,
                                      {strides[axes[0]], strides[axes[1]], strides[axes[2]], 0}};
      Content expected;
      ForEach(shape, [&](uint32_t y, uint32_t x, uint32_t c) {
        uint32_t at[3];
        at[axes[0]] = y;
        at[axes[1]] = x;
        at[axes[2]] = c;
        from.Copy(at[0], at[1], at[2], &expected);
      });
      ProgramBuilder builder;
      const Link link = WholeOf(builder.Input(from.shape), 3);
      EXPECT_EQ(RunNode(&builder, Kernel::kTranspose, shape, {link}, params, {from.bytes}),
                expected);
    } while (std::next_permutation(axes, axes + 3));
  }
}

// (2, 3, 4, 5) to (2, 4, 3, 5), where the first two axes are rows.
TEST(EngineTransposeTest, TakesRowsOfTwoAxes) {
  Random random(8);
  const Tensor from({6, 4, 5}, &random);
  const Shape shape = {8, 3, 5};
  const TransposeParams params = {1, 4, {5, 20, 1, 60}};
  Content expected;
  ForEach(shape, [&](uint32_t y, uint32_t x, uint32_t c) {
    from.Copy(y / 4 * 3 + x, y % 4, c, &expected);
  });
  ProgramBuilder builder;
  const Link link = WholeOf(builder.Input(from.shape), 6);
  EXPECT_EQ(RunNode(&builder, Kernel::kTranspose, shape, {link}, params, {from.bytes}), expected);
}

TEST(EngineBlockTest, MovesDepthToSpaceAndBack) {
  Random random(9);
  const Shape deep = {3, 4, 18};
  const Shape wide = {9, 12, 2};
  const Tensor from(deep, &random);
  const BlockParams params = {3, 1};
  Content expected;
  ForEach(wide, [&](uint32_t y, uint32_t x, uint32_t c) {
    from.Copy(y / 3, x / 3, (y % 3 * 3 + x % 3) * 2 + c, &expected);
  });
  ProgramBuilder builder;
  const auto input = static_cast<uint16_t>(builder.Input(deep));
  EXPECT_EQ(
      RunNode(&builder, Kernel::kDepthToSpace, wide, {{input, 3, 1, 0, 0}}, params, {from.bytes}),
      expected);
  ProgramBuilder back;
  const auto source = static_cast<uint16_t>(back.Input(wide));
  EXPECT_EQ(RunNode(&back, Kernel::kSpaceToDepth, deep, {{source, 1, 3, 0, 2}}, params, {expected}),
            from.bytes);
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
