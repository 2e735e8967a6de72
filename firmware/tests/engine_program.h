// Builds programs for tests and runs them, each memory region and program an allocation of its
// own, so that AddressSanitizer sees a step beyond one.
#ifndef TINYSEG_TESTS_ENGINE_PROGRAM_H_
#define TINYSEG_TESTS_ENGINE_PROGRAM_H_

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/crc32.h"
#include "engine/engine.h"
#include "engine/kernels/host/host.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {

// Memory of exactly so many bytes, aligned to 16.
class Memory {
 public:
  explicit Memory(size_t size) : size_(size), data_(std::aligned_alloc(16, RoundUp(size))) {
    std::memset(data_.get(), 0xA5, RoundUp(size));
  }

  uint8_t* data() const { return static_cast<uint8_t*>(data_.get()); }
  MutableBytes bytes() const { return {data(), size_}; }

 private:
  struct Free {
    void operator()(void* data) const { std::free(data); }
  };
  static size_t RoundUp(size_t size) { return (size + 15) / 16 * 16; }

  size_t size_;
  std::unique_ptr<void, Free> data_;
};

// A source that is needed as a whole.
inline Link WholeOf(uint32_t source, uint32_t rows) {
  return {static_cast<uint16_t>(source), 1, 0, 0, static_cast<int32_t>(rows) - 1};
}

// A source of which row r is needed for row r.
inline Link SameOf(uint32_t source) { return {static_cast<uint16_t>(source), 1, 1, 0, 0}; }

struct Shape {
  uint32_t rows, width, channels;
  uint32_t element = 1;

  uint32_t row_bytes() const { return width * channels * element; }
  uint32_t bytes() const { return rows * row_bytes(); }
};

class ProgramBuilder {
 public:
  ProgramBuilder() : bytes_(sizeof(Header)) {}

  // Puts bytes into the program and returns their offset.
  uint32_t Data(const void* data, size_t size) {
    const auto offset = static_cast<uint32_t>(bytes_.size());
    const auto* from = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
    return offset;
  }
  template <typename T>
  uint32_t Data(const std::vector<T>& values) {
    return Data(values.data(), values.size() * sizeof(T));
  }

  uint32_t Input(const Shape& shape) {
    ++inputs_;
    return Append(shape, kInput);
  }

  uint32_t Constant(const Shape& shape, const std::vector<int8_t>& content) {
    const uint32_t index = Append(shape, kConstant);
    nodes_[index].slots = Data(content);
    return index;
  }

  template <typename Params>
  uint32_t Compute(Kernel kernel, const Shape& shape, const std::vector<Link>& links,
                   const Params& params) {
    const uint32_t index = Append(shape, 0);
    Node& node = nodes_[index];
    node.kernel = static_cast<uint8_t>(kernel);
    node.link_count = static_cast<uint16_t>(links.size());
    node.links = Data(links);
    node.params = Data(&params, sizeof(params));
    return index;
  }

  // Keeps only so many rows of a node, one behind another.
  void SetRing(uint32_t node, uint32_t period) { periods_[node] = period; }
  // Puts a node's rows into a region.
  void SetRegion(uint32_t node, uint32_t region) { regions_[node] = region; }
  void SetOutput(uint32_t node) {
    nodes_[node].flags |= kOutput;
    outputs_.push_back(static_cast<uint16_t>(node));
  }
  void SetScratch(uint32_t bytes) { scratch_ = bytes; }

  std::vector<uint8_t> Build() {
    Header header = {};
    header.magic = kMagic;
    header.version = kVersion;
    header.node_count = static_cast<uint16_t>(nodes_.size());
    header.input_count = static_cast<uint16_t>(inputs_);
    header.output_count = static_cast<uint16_t>(outputs_.size());
    header.unit = kUnit;
    Place(&header);
    header.outputs = Data(outputs_);
    header.nodes = Data(nodes_);
    header.bytes = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &header, sizeof(header));
    RepairChecksum(&bytes_);
    return bytes_;
  }

  static void RepairChecksum(std::vector<uint8_t>* program) {
    constexpr size_t kBegin = offsetof(Header, crc32) + 4;
    const uint32_t crc = Crc32Of({program->data() + kBegin, program->size() - kBegin});
    std::memcpy(program->data() + offsetof(Header, crc32), &crc, sizeof(crc));
  }

 private:
  static constexpr uint32_t kUnit = 16;
  static uint32_t Align(uint32_t size) { return (size + kUnit - 1) / kUnit * kUnit; }

  uint32_t Append(const Shape& shape, uint8_t flags) {
    Node node = {};
    node.flags = flags;
    node.rows = static_cast<uint16_t>(shape.rows);
    node.width = static_cast<uint16_t>(shape.width);
    node.channels = shape.channels;
    node.row_bytes = shape.row_bytes();
    node.op = static_cast<uint16_t>(nodes_.size());
    nodes_.push_back(node);
    periods_.push_back(shape.rows);
    regions_.push_back(0);
    return static_cast<uint32_t>(nodes_.size() - 1);
  }

  // Gives each row a place of its own, region by region; state and scratch come first.
  void Place(Header* header) {
    header->state_bytes = Align(2 * static_cast<uint32_t>(nodes_.size()) +
                                2 * (static_cast<uint32_t>(nodes_.size()) + 1));
    header->scratch = header->state_bytes;
    header->scratch_bytes = Align(scratch_);
    uint32_t count = 1;
    for (const uint32_t region : regions_) count = region + 1 > count ? region + 1 : count;
    header->region_count = static_cast<uint16_t>(count);
    uint32_t at = 0;
    for (uint32_t region = 0; region < count; ++region) {
      header->region_start[region] = at;
      if (region == 0) at += header->state_bytes + header->scratch_bytes;
      for (size_t i = 0; i < nodes_.size(); ++i) {
        if (regions_[i] != region || nodes_[i].flags & kConstant) continue;
        std::vector<uint16_t> slots;
        for (uint32_t row = 0; row < periods_[i]; ++row, at += Align(nodes_[i].row_bytes)) {
          slots.push_back(static_cast<uint16_t>(at / kUnit));
        }
        nodes_[i].period = static_cast<uint16_t>(periods_[i]);
        nodes_[i].slots = Data(slots);
      }
      header->region_bytes[region] = at - header->region_start[region];
    }
  }

  std::vector<uint8_t> bytes_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> periods_, regions_;
  std::vector<uint16_t> outputs_;
  uint32_t inputs_ = 0;
  uint32_t scratch_ = 0;
};

// A program with the memory it asks for, inputs as whole arrays, outputs collected.
class Machine {
 public:
  explicit Machine(const std::vector<uint8_t>& program) : program_(program.size()) {
    std::memcpy(program_.data(), program.data(), program.size());
    for (uint32_t i = 0; i < header().region_count && i < kMaxRegions; ++i) {
      memory_.emplace_back(header().region_bytes[i]);
    }
  }

  Status Start(const KernelTable& kernels = portable::kAll) {
    std::vector<MutableBytes> regions;
    for (const Memory& memory : memory_) regions.push_back(memory.bytes());
    return interpreter.Start({program_.data(), program_.bytes().size}, kernels, regions.data(),
                             static_cast<uint32_t>(regions.size()));
  }

  Status Run(const std::vector<std::vector<int8_t>>& inputs, const volatile bool* stop = nullptr) {
    Begin(inputs);
    return interpreter.Run(border(), stop);
  }

  void Begin(const std::vector<std::vector<int8_t>>& inputs) {
    inputs_ = inputs;
    outputs.assign(header().output_count, {});
  }

  Border border() { return {this, Pull, Push, nullptr}; }
  const Header& header() const { return *reinterpret_cast<const Header*>(program_.data()); }
  const Node& node(uint32_t index) const {
    return reinterpret_cast<const Node*>(program_.data() + header().nodes)[index];
  }

  Interpreter interpreter;
  std::vector<std::vector<int8_t>> outputs;

 private:
  static bool Pull(void* user, uint32_t input, uint32_t row, uint8_t* to) {
    const auto& self = *static_cast<const Machine*>(user);
    const uint32_t bytes = self.node(input).row_bytes;
    if ((row + 1) * bytes > self.inputs_[input].size()) return false;
    std::memcpy(to, self.inputs_[input].data() + row * bytes, bytes);
    return true;
  }

  static bool Push(void* user, uint32_t output, uint32_t row, const uint8_t* from) {
    auto& self = *static_cast<Machine*>(user);
    const auto* outputs =
        reinterpret_cast<const uint16_t*>(self.program_.data() + self.header().outputs);
    const uint32_t bytes = self.node(outputs[output]).row_bytes;
    std::vector<int8_t>& to = self.outputs[output];
    if (to.size() != row * bytes) return false;
    to.insert(to.end(), from, from + bytes);
    return true;
  }

  Memory program_;
  std::vector<Memory> memory_;
  std::vector<std::vector<int8_t>> inputs_;
};

// Runs one node on inputs, on portable kernels and on those for this machine; returns its rows, or
// nothing after an error or where the two make different ones.
template <typename Params>
std::vector<int8_t> RunNode(ProgramBuilder* builder, Kernel kernel, const Shape& shape,
                            const std::vector<Link>& links, const Params& params,
                            const std::vector<std::vector<int8_t>>& inputs) {
  builder->SetOutput(builder->Compute(kernel, shape, links, params));
  const std::vector<uint8_t> program = builder->Build();
  Machine portable(program), here(program);
  if (!portable.Start().ok() || !portable.Run(inputs).ok()) return {};
  if (!here.Start(host::All()).ok() || !here.Run(inputs).ok()) return {};
  if (here.outputs != portable.outputs) return {};
  return portable.outputs[0];
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_TESTS_ENGINE_PROGRAM_H_
