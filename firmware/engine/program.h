// A compiled network as it lies in flash: numbers and offsets only, no pointers.
//
// tinyseg/engine/blob.py writes it. A program is a header, then in any order: nodes, links, slots,
// parameters, weights and tables. Offsets count bytes from the header and are multiples of 4.
#ifndef TINYSEG_ENGINE_PROGRAM_H_
#define TINYSEG_ENGINE_PROGRAM_H_

#include <cstdint>

namespace tinyseg {
namespace engine {

constexpr uint32_t kMagic = 0x31455354;  // "TSE1".
constexpr uint32_t kVersion = 1;
constexpr uint32_t kMaxRegions = 8;

struct Header {
  uint32_t magic;
  uint32_t version;
  uint32_t bytes;  // Of the whole program, this header included.
  uint32_t crc32;  // Of all bytes behind this field.
  uint16_t node_count;
  uint16_t region_count;
  uint16_t input_count;  // The first nodes are the inputs.
  uint16_t output_count;
  uint32_t nodes;    // Offset of Node[node_count], sources before those that read them.
  uint32_t outputs;  // Offset of uint16_t[output_count]: node indices, in the file's order.
  uint32_t unit;     // Bytes of one step of a slot's number; a power of two, 4 at least.
  // Bytes of each memory region that the caller provides, and where regions start in the numbers
  // of slots: slot s is in the last region whose start is not above s * unit.
  uint32_t region_bytes[kMaxRegions];
  uint32_t region_start[kMaxRegions];
  // In the first region, for the kernels' own use while they compute a row.
  uint32_t scratch;  // Offset in that region.
  uint32_t scratch_bytes;
  // In the first region: uint16_t rows done of each node, then a stack of uint16_t node indices:
  // those that wait, and the one that is computed.
  uint32_t state;
  uint32_t state_bytes;
};

// How rows of a source are needed: row r of the node needs rows
// floor((r * step + low) / divisor) to floor((r * step + high) / divisor), both included, as far
// as the source has them. All divisors are positive.
struct Link {
  uint16_t source;  // Node index, less than the node's own.
  uint16_t divisor;
  uint32_t step;
  int32_t low;
  int32_t high;
};

enum Flags : uint8_t {
  kConstant = 1,  // Rows lie one after another in the program, at offset `slots`.
  kInput = 2,     // Rows come from the caller.
  kOutput = 4,    // Rows go to the caller.
};

// A node computes rows of one tensor from rows of others, the lowest row first.
struct Node {
  uint8_t kernel;  // Of enum class Kernel.
  uint8_t flags;
  uint16_t link_count;
  uint32_t links;   // Offset of Link[link_count].
  uint32_t params;  // Offset of the kernel's parameters.
  uint32_t slots;   // Offset of uint16_t[period]: where row r lies is slots[r % period].
  uint16_t period;
  uint16_t rows;
  uint16_t width;
  uint16_t op;  // Number of the .tflite operator whose ticks it counts for.
  uint32_t channels;
  uint32_t row_bytes;  // width * channels * bytes of an element.
};

static_assert(sizeof(Node) == 32, "as tinyseg/engine/blob.py packs it");
static_assert(sizeof(Link) == 16, "as tinyseg/engine/blob.py packs it");

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_PROGRAM_H_
