// Runs programs, one after another, with all kernels of a class of cores: how tests/engine compares
// kernels on emulated boards. The emulator loads them to kRequests; a serial port would be slow.
//
// Numbers are of 32 bits and little-endian. A request is the bytes of a program, the program, the
// bytes of all inputs, the inputs, each aligned to 16 bytes; a program of no bytes ends them. The
// answer, on the serial port, is a status code, its detail, ticks of the inference, whether
// anything was written beyond the program's memory, the bytes of all outputs, the ticks of each
// operator, the outputs.
#include <cstring>

#include "core/board.h"
#include "engine/engine.h"
#include "kernel_table.h"

namespace {

using tinyseg::engine::Node;
using tinyseg::engine::Rows;

constexpr size_t kMost = 3 << 20;
constexpr size_t kGuard = 64;
constexpr uint8_t kFill = 0xA5;
constexpr uint32_t kOperators = 128;  // More are not told apart.

__attribute__((section(".arena"))) alignas(16) uint8_t memory[kMost];
__attribute__((section(".arena"))) uint8_t output[kMost];
tinyseg::engine::Interpreter interpreter;

// Walks over the requests.
class Reader {
 public:
  explicit Reader(const uint8_t* at) : at_(at) {}

  tinyseg::ByteView Next() {
    const tinyseg::ByteView found = {at_ + kAligned, tinyseg::ReadLittleEndian(at_, 4)};
    at_ = found.data + (found.size + kAligned - 1) / kAligned * kAligned;
    return found;
  }

 private:
  static constexpr size_t kAligned = 16;
  const uint8_t* at_;
};

void WriteNumber(uint32_t value) {
  for (int i = 0; i < 4; ++i) tinyseg::board::WriteByte(static_cast<uint8_t>(value >> 8 * i));
}

// Where a row of an input or output lies among all of them, in their order.
struct Places {
  uint32_t first[16];

  void Set(uint32_t index, const Node& node, uint32_t* size) {
    first[index] = *size;
    *size += node.rows * node.row_bytes;
  }
};
Places inputs, outputs;

bool Pull(void* input, uint32_t index, uint32_t row, uint8_t* to) {
  const uint32_t bytes = interpreter.rows().node(index).row_bytes;
  std::memcpy(to, static_cast<const uint8_t*>(input) + inputs.first[index] + row * bytes, bytes);
  return true;
}

bool Push(void*, uint32_t index, uint32_t row, const uint8_t* from) {
  const Rows rows = interpreter.rows();
  const uint16_t* found = rows.at<uint16_t>(rows.header().outputs);
  const uint32_t bytes = rows.node(found[index]).row_bytes;
  std::memcpy(output + outputs.first[index] + row * bytes, from, bytes);
  return true;
}

// As firmware counts them, so that an inference takes as long there.
struct Clock {
  uint64_t start;
  uint64_t ticks[kOperators];
};
Clock clock;

void Watch(void*, uint32_t op, bool begin) {
  if (begin) {
    clock.start = tinyseg::board::Ticks();
  } else if (op < kOperators) {
    clock.ticks[op] += tinyseg::board::Ticks() - clock.start;
  }
}

uint32_t Place() {
  const Rows rows = interpreter.rows();
  uint32_t size = 0;
  for (uint32_t i = 0; i < rows.header().input_count; ++i) inputs.Set(i, rows.node(i), &size);
  size = 0;
  const uint16_t* found = rows.at<uint16_t>(rows.header().outputs);
  for (uint32_t i = 0; i < rows.header().output_count; ++i) {
    outputs.Set(i, rows.node(found[i]), &size);
  }
  return size;
}

void Answer(tinyseg::ByteView program, tinyseg::ByteView input) {
  uint8_t* const region = memory + kGuard;
  uint32_t used = reinterpret_cast<const tinyseg::engine::Header*>(program.data)->region_bytes[0];
  if (used > kMost - 2 * kGuard) used = kMost - 2 * kGuard;
  std::memset(memory, kFill, used + 2 * kGuard);
  const tinyseg::MutableBytes regions[] = {{region, used}};
  tinyseg::Status status = interpreter.Start(program, kKernels, regions, 1);
  uint32_t size = status.ok() ? Place() : 0;
  std::memset(&clock, 0, sizeof(clock));
  tinyseg::board::ResetTicks();
  if (status.ok()) status = interpreter.Run({const_cast<uint8_t*>(input.data), Pull, Push, Watch});
  const uint64_t ticks = tinyseg::board::Ticks();
  WriteNumber(static_cast<uint32_t>(status.code));
  WriteNumber(status.detail);
  WriteNumber(static_cast<uint32_t>(ticks));
  uint32_t damaged = 0;
  for (size_t i = 0; i < kGuard; ++i) {
    damaged += memory[i] != kFill || region[used + i] != kFill;
  }
  WriteNumber(damaged);
  WriteNumber(size);
  for (const uint64_t its : clock.ticks) WriteNumber(static_cast<uint32_t>(its));
  for (uint32_t i = 0; i < size; ++i) tinyseg::board::WriteByte(output[i]);
}

}  // namespace

int main() {
  tinyseg::board::Start();
  Reader reader(reinterpret_cast<const uint8_t*>(kRequests));
  for (;;) {
    const tinyseg::ByteView program = reader.Next();
    if (program.size == 0) break;
    Answer(program, reader.Next());
  }
  for (;;) {
  }
}
