#include "engine/engine.h"

#include <cstring>

#include "engine/check.h"

namespace tinyseg {
namespace engine {

Status Interpreter::Start(ByteView program, const KernelTable& kernels, const MutableBytes* regions,
                          uint32_t region_count) {
  program_ = nullptr;
  status_ = CheckProgram(program, kernels, regions, region_count);
  if (!status_.ok()) return status_;
  program_ = program.data;
  nodes_ = reinterpret_cast<const Node*>(program_ + header().nodes);
  kernels_ = &kernels;
  for (uint32_t i = 0; i < header().region_count; ++i) regions_[i] = regions[i].data;
  done_ = reinterpret_cast<uint16_t*>(regions_[0] + header().state);
  waiting_ = done_ + header().node_count;
  waiting_limit_ = header().state_bytes / 2 - header().node_count;
  output_ = header().output_count;
  return status_;
}

void Interpreter::Begin(const Border& border) {
  border_ = border;
  for (uint32_t i = 0; i < header().node_count; ++i) {
    done_[i] = nodes_[i].flags & kConstant ? nodes_[i].rows : 0;
  }
  waiting_count_ = 0;
  output_ = 0;
  status_ = {};
}

bool Interpreter::Step() {
  if (program_ == nullptr || !status_.ok()) return false;
  if (waiting_count_ == 0) {
    const auto* outputs = reinterpret_cast<const uint16_t*>(program_ + header().outputs);
    while (output_ < header().output_count &&
           done_[outputs[output_]] == nodes_[outputs[output_]].rows) {
      ++output_;
    }
    if (output_ >= header().output_count) return false;
    if (!Wait(outputs[output_])) return false;
  }
  for (;;) {
    const uint32_t node = waiting_[waiting_count_ - 1];
    const uint32_t missing = Missing(node);
    if (missing == node) {
      --waiting_count_;
      return Compute(node);
    }
    if (!Wait(missing)) return false;
  }
}

Status Interpreter::Run(const Border& border, const volatile bool* stop) {
  Begin(border);
  while (stop == nullptr || !*stop) {
    if (!Step()) return status_;
  }
  Fail(Code::kStopped, 0, "stopped between two rows");
  return status_;
}

uint32_t Interpreter::Missing(uint32_t index) const {
  const Node& node = nodes_[index];
  const uint32_t row = done_[index];
  const auto* links = reinterpret_cast<const Link*>(program_ + node.links);
  for (uint32_t i = 0; i < node.link_count; ++i) {
    const Link& link = links[i];
    int32_t last = static_cast<int32_t>(row * link.step) + link.high;
    if (last < 0) continue;
    if (link.divisor != 1) last = static_cast<int32_t>(static_cast<uint32_t>(last) / link.divisor);
    const int32_t rows = nodes_[link.source].rows;
    if (last >= rows) last = rows - 1;
    if (done_[link.source] <= last) return link.source;
  }
  return index;
}

bool Interpreter::Wait(uint32_t node) {
  if (waiting_count_ == waiting_limit_) {
    return Fail(Code::kBadProgram, node, "too many nodes wait; compile the network again");
  }
  waiting_[waiting_count_++] = static_cast<uint16_t>(node);
  return true;
}

bool Interpreter::Compute(uint32_t index) {
  const Node& node = nodes_[index];
  const uint32_t row = done_[index];
  const Rows rows(program_, nodes_, regions_);
  uint8_t* const to = rows.row(node, row);
  if (node.flags & kInput) {
    if (border_.pull == nullptr || !border_.pull(border_.user, index, row, to)) {
      return Fail(Code::kBorderFailed, row, "a row of the input could not be read");
    }
  } else {
    if (border_.watch != nullptr) border_.watch(border_.user, node.op, true);
    kernels_->functions[node.kernel](rows, node, row, reinterpret_cast<int8_t*>(to));
    if (border_.watch != nullptr) border_.watch(border_.user, node.op, false);
  }
  done_[index] = static_cast<uint16_t>(row + 1);
  last_ = index;
  return (node.flags & kOutput) == 0 || Push(index, row, to);
}

bool Interpreter::Push(uint32_t node, uint32_t row, const uint8_t* from) {
  const auto* outputs = reinterpret_cast<const uint16_t*>(program_ + header().outputs);
  for (uint32_t i = 0; i < header().output_count; ++i) {
    if (outputs[i] != node) continue;
    if (border_.push == nullptr || !border_.push(border_.user, i, row, from)) {
      return Fail(Code::kBorderFailed, row, "a row of the output could not be written");
    }
  }
  return true;
}

bool Interpreter::Fail(Code code, uint32_t detail, const char* text) {
  status_ = {code, detail, text};
  return false;
}

}  // namespace engine
}  // namespace tinyseg
