#include "engine/host.h"

#include <cstring>
#include <new>

#include "engine/engine.h"
#include "engine/kernels/host/host.h"

using tinyseg::MutableBytes;
using tinyseg::Status;
using tinyseg::engine::Border;
using tinyseg::engine::Header;
using tinyseg::engine::Interpreter;
using tinyseg::engine::kMaxRegions;
using tinyseg::engine::Node;

struct tinyseg_engine {
  Interpreter interpreter;
  const uint8_t* program;
};

namespace {

using Trace = void (*)(void* user, uint32_t node, uint32_t row, const uint8_t* bytes);

void Give(const Status& from, tinyseg_engine_status* to) {
  *to = {static_cast<uint32_t>(from.code), from.detail, from.text};
}

// Whole arrays as a border.
struct Arrays {
  const Header& header;
  const Node* nodes;
  const uint16_t* outputs;
  const uint8_t* const* from;
  uint8_t* const* to;
  uint64_t image;

  Arrays(const uint8_t* program, const uint8_t* const* inputs, uint8_t* const* targets)
      : header(*reinterpret_cast<const Header*>(program)),
        nodes(reinterpret_cast<const Node*>(program + header.nodes)),
        outputs(reinterpret_cast<const uint16_t*>(program + header.outputs)),
        from(inputs),
        to(targets),
        image(0) {}

  uint64_t Offset(const Node& node, uint32_t row) const {
    return (image * node.rows + row) * node.row_bytes;
  }

  static bool Pull(void* user, uint32_t input, uint32_t row, uint8_t* to) {
    const auto& arrays = *static_cast<const Arrays*>(user);
    const Node& node = arrays.nodes[input];
    std::memcpy(to, arrays.from[input] + arrays.Offset(node, row), node.row_bytes);
    return true;
  }

  static bool Push(void* user, uint32_t output, uint32_t row, const uint8_t* from) {
    const auto& arrays = *static_cast<const Arrays*>(user);
    const Node& node = arrays.nodes[arrays.outputs[output]];
    std::memcpy(arrays.to[output] + arrays.Offset(node, row), from, node.row_bytes);
    return true;
  }
};

// Steps through an inference and shows what each step has computed.
void RunTraced(tinyseg_engine* engine, const Border& border, Trace trace, void* user) {
  Interpreter& interpreter = engine->interpreter;
  const auto& header = *reinterpret_cast<const Header*>(engine->program);
  const auto* nodes = reinterpret_cast<const Node*>(engine->program + header.nodes);
  interpreter.Begin(border);
  while (interpreter.Step()) {
    const uint32_t node = interpreter.last();
    const uint32_t row = interpreter.done(node) - 1;
    trace(user, node, row, interpreter.rows().row(nodes[node], row));
  }
}

}  // namespace

extern "C" {

uint32_t tinyseg_engine_bytes() { return sizeof(tinyseg_engine); }

void tinyseg_engine_start(tinyseg_engine* engine, const uint8_t* program, uint64_t program_bytes,
                          uint8_t* const* regions, const uint64_t* region_bytes,
                          uint32_t region_count, tinyseg_engine_status* status) {
  new (engine) tinyseg_engine{{}, program};
  MutableBytes memory[kMaxRegions] = {};
  if (region_count > kMaxRegions) region_count = kMaxRegions;
  for (uint32_t i = 0; i < region_count; ++i)
    memory[i] = {regions[i], static_cast<size_t>(region_bytes[i])};
  Give(engine->interpreter.Start({program, static_cast<size_t>(program_bytes)},
                                 tinyseg::engine::host::All(), memory, region_count),
       status);
}

void tinyseg_engine_run(tinyseg_engine* engine, const uint8_t* const* inputs,
                        uint8_t* const* outputs, uint64_t images, tinyseg_engine_status* status) {
  Arrays arrays(engine->program, inputs, outputs);
  const Border border = {&arrays, Arrays::Pull, Arrays::Push, nullptr};
  Status result;
  for (; arrays.image < images && result.ok(); ++arrays.image) {
    result = engine->interpreter.Run(border);
  }
  Give(result, status);
}

void tinyseg_engine_trace(tinyseg_engine* engine, const uint8_t* const* inputs,
                          uint8_t* const* outputs, Trace trace, void* user,
                          tinyseg_engine_status* status) {
  Arrays arrays(engine->program, inputs, outputs);
  RunTraced(engine, {&arrays, Arrays::Pull, Arrays::Push, nullptr}, trace, user);
  Give(engine->interpreter.status(), status);
}

}  // extern "C"
