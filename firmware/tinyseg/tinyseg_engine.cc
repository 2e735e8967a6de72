#include "tinyseg/tinyseg_engine.h"

#include <cstring>

#include "core/board.h"

namespace tinyseg {

Status TinysegEngine::Start() {
  const Status status =
      interpreter_.Start(program_, kernels_, memory_.regions, memory_.region_count);
  if (!status.ok()) return status;
  const engine::Rows rows = interpreter_.rows();
  const engine::Node& first = rows.node(0);
  const engine::Node& last = rows.node(*rows.at<uint16_t>(rows.header().outputs));
  input_row_ = first.row_bytes;
  output_row_ = last.row_bytes;
  if (rows.header().input_count != 1 || input_row_ * first.rows != memory_.input.size) {
    return {Code::kModelMismatch, input_row_ * first.rows, "input differs in size"};
  }
  if (rows.header().output_count != 1 || output_row_ * last.rows != memory_.output.size) {
    return {Code::kModelMismatch, output_row_ * last.rows, "output differs in size"};
  }
  return {};
}

Status TinysegEngine::Run() {
  std::memset(memory_.ticks, 0, memory_.operator_count * sizeof(uint64_t));
  return interpreter_.Run({this, Pull, Push, Watch});
}

Status TinysegEngine::RunMirrored(MirroredRows input, MirroredRows output) {
  mirrored_input_ = input;
  mirrored_output_ = output;
  return interpreter_.Run({this, PullMirrored, PushMirrored, Watch});
}

ArenaReport TinysegEngine::arena() const {
  uint32_t size = 0;
  for (uint32_t i = 0; i < memory_.region_count; ++i) {
    size += static_cast<uint32_t>(memory_.regions[i].size);
  }
  return {size, size};
}

bool TinysegEngine::Pull(void* user, uint32_t, uint32_t row, uint8_t* to) {
  const TinysegEngine& self = *static_cast<TinysegEngine*>(user);
  std::memcpy(to, self.memory_.input.data + row * self.input_row_, self.input_row_);
  return true;
}

bool TinysegEngine::Push(void* user, uint32_t, uint32_t row, const uint8_t* from) {
  const TinysegEngine& self = *static_cast<TinysegEngine*>(user);
  std::memcpy(self.memory_.output.data + row * self.output_row_, from, self.output_row_);
  return true;
}

bool TinysegEngine::PullMirrored(void* user, uint32_t, uint32_t row, uint8_t* to) {
  const TinysegEngine& self = *static_cast<TinysegEngine*>(user);
  for (uint32_t i = 0; i < self.input_row_; ++i) {
    to[i] = self.memory_.input.data[self.mirrored_input_(size_t{row} * self.input_row_ + i)];
  }
  return true;
}

bool TinysegEngine::PushMirrored(void* user, uint32_t, uint32_t row, const uint8_t* from) {
  const TinysegEngine& self = *static_cast<TinysegEngine*>(user);
  for (uint32_t i = 0; i < self.output_row_; ++i) {
    uint8_t& place =
        self.memory_.output.data[self.mirrored_output_(size_t{row} * self.output_row_ + i)];
    place = MeanOf(place, from[i]);
  }
  return true;
}

void TinysegEngine::Watch(void* user, uint32_t op, bool begin) {
  TinysegEngine& self = *static_cast<TinysegEngine*>(user);
  if (begin) {
    self.start_ = board::Ticks();
  } else if (op < self.memory_.operator_count) {
    self.memory_.ticks[op] += board::Ticks() - self.start_;
  }
}

}  // namespace tinyseg
