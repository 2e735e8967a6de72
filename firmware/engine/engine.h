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
  // asks for. Each region is aligned to 16 bytes, the program to 4. All three, and the kernels,
  // must stay where they are. Nothing is kept of a program that is refused.
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

  // Gives rows of the nodes as they are in memory.
  Rows rows() const { return Rows(program_, nodes_, regions_); }
  uint32_t done(uint32_t node) const { return done_[node]; }
  // The node of which the last Step() has computed a row.
  uint32_t last() const { return last_; }

 private:
  const Header& header() const { return *reinterpret_cast<const Header*>(program_); }

  // Returns a source that must compute a row before the node can; the node itself if none.
  uint32_t Missing(uint32_t node) const;
  bool Wait(uint32_t node);
  bool Compute(uint32_t node);
  bool Push(uint32_t node, uint32_t row, const uint8_t* from);
  bool Fail(Code code, uint32_t detail, const char* text);

  const uint8_t* program_ = nullptr;
  const Node* nodes_ = nullptr;
  const KernelTable* kernels_ = nullptr;
  uint8_t* regions_[kMaxRegions] = {};
  Border border_ = {};
  // In the first region: rows that each node has computed, then the nodes that wait for others.
  uint16_t* done_ = nullptr;
  uint16_t* waiting_ = nullptr;
  uint32_t waiting_count_ = 0;
  uint32_t waiting_limit_ = 0;
  uint32_t output_ = 0;  // The one that is being completed.
  uint32_t last_ = 0;
  Status status_;
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_ENGINE_H_
