// Programs with changed tables, whose checksum holds.
#ifndef TINYSEG_TESTS_ENGINE_MUTATION_H_
#define TINYSEG_TESTS_ENGINE_MUTATION_H_

#include "tests/engine_program.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {

// A network of an input, a constant, two poolings and a minimum, in rings of two regions.
inline std::vector<uint8_t> SmallProgram() {
  const Shape shape = {5, 3, 4};
  const PoolParams pool = {{3, 1, 1, 1, 1, 1, 1, 0}, -128, 127};
  ElementwiseParams minimum = {};
  minimum.first = minimum.second = {4, 1, 0, {}};
  minimum.sign = -1;
  const auto three = [](uint32_t source) {
    return Link{static_cast<uint16_t>(source), 1, 1, -1, 1};
  };
  ProgramBuilder builder;
  const uint32_t input = builder.Input(shape);
  const uint32_t constant = builder.Constant(shape, std::vector<int8_t>(shape.bytes(), 9));
  const uint32_t first = builder.Compute(Kernel::kMaxPool, shape, {three(input)}, pool);
  const uint32_t second = builder.Compute(Kernel::kMaxPool, shape, {three(first)}, pool);
  const uint32_t last =
      builder.Compute(Kernel::kMinMax, shape, {SameOf(second), SameOf(constant)}, minimum);
  builder.SetRing(input, 3);
  builder.SetRegion(first, 1);
  builder.SetRing(first, 4);
  builder.SetScratch(32);
  builder.SetOutput(last);
  builder.SetOutput(input);
  return builder.Build();
}

// Bytes of a program that may be changed.
struct Field {
  uint32_t begin, size;
};

// The header, the outputs, the nodes' order and memory. What tells a kernel its shape is left out:
// only the checksum stands for it.
inline std::vector<Field> FieldsOf(const std::vector<uint8_t>& program) {
  const auto header = *reinterpret_cast<const Header*>(program.data());
  std::vector<Field> fields = {{0, sizeof(Header)}, {header.outputs, 2u * header.output_count}};
  for (uint32_t i = 0; i < header.node_count; ++i) {
    const uint32_t at = header.nodes + i * static_cast<uint32_t>(sizeof(Node));
    const auto node = *reinterpret_cast<const Node*>(program.data() + at);
    fields.push_back({at + static_cast<uint32_t>(offsetof(Node, flags)), 1});
    fields.push_back({at + static_cast<uint32_t>(offsetof(Node, slots)), 4});
    fields.push_back({at + static_cast<uint32_t>(offsetof(Node, period)), 2});
    fields.push_back({at + static_cast<uint32_t>(offsetof(Node, op)), 2});
    if (node.period > 0) fields.push_back({node.slots, 2u * node.period});
    if (node.link_count == 0) continue;
    fields.push_back({at + static_cast<uint32_t>(offsetof(Node, links)), 4});
    // All of a link but its source.
    fields.push_back({node.links + 2, static_cast<uint32_t>(sizeof(Link)) - 2});
  }
  return fields;
}

// Runs a program with memory as large as it asks for, but for absurd sizes. Returns whether it was
// taken.
inline bool RunMutated(const std::vector<uint8_t>& program) {
  const auto& header = *reinterpret_cast<const Header*>(program.data());
  for (const uint32_t bytes : header.region_bytes) {
    if (bytes > 1 << 20) return false;
  }
  Machine machine(program);
  if (!machine.Start().ok()) return false;
  Random random(0);
  machine.Begin({});
  // Any number of inputs and outputs, of any shape.
  Border border = {&machine, nullptr, nullptr, nullptr};
  border.pull = [](void* user, uint32_t input, uint32_t row, uint8_t* to) {
    std::memset(to, static_cast<int>(row), static_cast<Machine*>(user)->node(input).row_bytes);
    return true;
  };
  border.push = [](void*, uint32_t, uint32_t, const uint8_t*) { return true; };
  machine.interpreter.Begin(border);
  for (int steps = 0; steps < 1000 && machine.interpreter.Step(); ++steps) {
  }
  return true;
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_TESTS_ENGINE_MUTATION_H_
