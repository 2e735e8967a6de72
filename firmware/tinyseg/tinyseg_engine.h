// Runs a program on the engine of firmware/engine.
#ifndef TINYSEG_TINYSEG_TINYSEG_ENGINE_H_
#define TINYSEG_TINYSEG_TINYSEG_ENGINE_H_

#include "core/engine.h"
#include "core/mirror.h"
#include "engine/engine.h"

namespace tinyseg {

class TinysegEngine final : public Engine {
 public:
  // What the network takes of the board's memory.
  struct Memory {
    const MutableBytes* regions;  // As the program asks for them.
    uint32_t region_count;
    MutableBytes input;   // Of the input tensor; it may lie where requests are received.
    MutableBytes output;  // Of the output tensor.
    uint64_t* ticks;      // One number an operator.
    uint32_t operator_count;
  };

  TinysegEngine(ByteView program, const engine::KernelTable& kernels, const Memory& memory)
      : program_(program), kernels_(kernels), memory_(memory) {}

  Status Start() override;
  MutableBytes input() override { return memory_.input; }
  Status Run() override;
  // Runs the mirror image of the input of the last Run(), which is still there, and makes the
  // output, int8, the mean of both. Ticks go on.
  Status RunMirrored(MirroredRows input, MirroredRows output);
  MutableBytes output() override { return memory_.output; }
  // All regions together: the plan is exact, so that what is there is in use.
  ArenaReport arena() const override;
  uint32_t operator_count() const override { return memory_.operator_count; }
  uint64_t operator_ticks(uint32_t index) const override { return memory_.ticks[index]; }

 private:
  static bool Pull(void* user, uint32_t input, uint32_t row, uint8_t* to);
  static bool Push(void* user, uint32_t output, uint32_t row, const uint8_t* from);
  static bool PullMirrored(void* user, uint32_t input, uint32_t row, uint8_t* to);
  static bool PushMirrored(void* user, uint32_t output, uint32_t row, const uint8_t* from);
  static void Watch(void* user, uint32_t op, bool begin);

  const ByteView program_;
  const engine::KernelTable& kernels_;
  const Memory memory_;
  engine::Interpreter interpreter_;
  uint32_t input_row_ = 0;   // Bytes.
  uint32_t output_row_ = 0;  // Bytes.
  MirroredRows mirrored_input_ = {};
  MirroredRows mirrored_output_ = {};
  uint64_t start_ = 0;
};

}  // namespace tinyseg

#endif  // TINYSEG_TINYSEG_TINYSEG_ENGINE_H_
