// Runs a program row by row.
#ifndef TINYSEG_ENGINE_ENGINE_H_
#define TINYSEG_ENGINE_ENGINE_H_

#include "core/bytes.h"
#include "core/status.h"
#include "engine/kernel.h"

namespace tinyseg {
namespace engine {

// Where rows come from and go to. The functions return false to end the inference with an error.
struct Border {
  void* user;
  // Writes row `row` of input `input` to `to`.
  bool (*pull)(void* user, uint32_t input, uint32_t row, uint8_t* to);
  // Takes row `row` of output `output`.
  bool (*push)(void* user, uint32_t output, uint32_t row, const uint8_t* from);
  // Null, or called around each node's row: begin is true before.
  void (*watch)(void* user, uint32_t op, bool begin);
};

class Interpreter {
 public:
  // Checks the program: checksum, version, offsets, kernels, and that `regions` are as large as it
  // asks for. Each region is aligned to 16 bytes. Nothing is kept of a program that is refused.
  Status Start(ByteView program, const KernelTable& kernels, const MutableBytes* regions,
               uint32_t region_count);

  // Begins an inference. Start() has succeeded.
  void Begin(const Border& border);

  // Computes one row of one node. Returns false when all is done, or after an error.
  bool Step();

  // Runs a whole inference; `*stop`, if given and set from elsewhere, ends it between two rows.
  Status Run(const Border& border, const volatile bool* stop = nullptr);

  // How the last Step() or Run() went.
  const Status& status() const { return status_; }

 private:
  // Documented in engine.cc.
  Status status_;
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_ENGINE_H_
