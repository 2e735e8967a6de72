// What a kernel is given: its node, its parameters, rows of its sources, a row to write.
#ifndef TINYSEG_ENGINE_KERNEL_H_
#define TINYSEG_ENGINE_KERNEL_H_

#include "engine/program.h"

namespace tinyseg {
namespace engine {

// The numbers are part of the program's format.
enum class Kernel : uint8_t {
  kCopyRows = 0,     // PAD, SLICE, CONCATENATION along rows, columns or channels.
  kConvolution = 1,  // CONV_2D, FULLY_CONNECTED.
  kDepthwise = 2,    // DEPTHWISE_CONV_2D.
  kTransposed = 3,   // TRANSPOSE_CONV.
  kTable = 4,        // Any function of one int8 value, or of it and its channel.
  kAdd = 5,          // ADD, SUB.
  kMultiply = 6,     // MUL.
  kMaxPool = 7,
  kAveragePool = 8,
  kResizeNearest = 9,
  kResizeBilinear = 10,
  kReshape = 11,  // RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes in other rows.
  kTranspose = 12,
  kSoftmax = 13,
  kMean = 14,            // MEAN, SUM over rows and columns, or over channels.
  kMatrixMultiply = 15,  // BATCH_MATMUL.
  kDepthToSpace = 16,
  kSpaceToDepth = 17,
  kBinaryConvolution = 18,
  kMinMax = 19,  // MINIMUM, MAXIMUM.
  kSquaredDifference = 20,
  kPackedConvolution = 21,  // Weights of few bits.
  kPackedTransposed = 22,
  // kernels/dsp.
  kDspNarrow = 24,  // Rows of less than four pixels.
  kDspAveragePool = 25,
  kDspPackedConvolution = 26,
  kDspConvolution = 32,
  kDspTransposed = 33,
  kDspDepthwise = 34,
  kDspDepthwise3x3 = 35,  // Windows of 3x3 that step by one pixel.
  kDspDepthwise3x3By2 = 36,
  kDspDepthwise2x2 = 37,
  kDspDepthwise1x1 = 38,
  kDspMultiply = 39,
  kDspAdd = 40,
  kDspMaxPool = 41,
  kDspTable = 42,
  kDspResizeNearest = 43,
  kDspGate = 44,
  kDspPixelTable = 45,
  kDspDot = 46,
  // kernels/mve.
  kMveConvolution = 48,
  kMveTransposed = 49,
  kMveDepthwise = 50,
  kMveTable = 51,
  kMveAdd = 52,
  kMveMultiply = 53,
  kMveMaxPool = 54,
  kMveResizeNearest = 55,
  kMveCopyRows = 56,
  kMveAveragePool = 57,
  kMveDepthwiseAny = 58,   // Where vectors do not follow each other by 16 bytes,
  kMveDepthwiseMany = 59,  // and of windows of more than nine taps.
  kMvePackedConvolution = 60,
};
constexpr uint32_t kKernelCount = 64;

// Gives rows of a node's sources. Kernels reach all memory through it.
class Rows {
 public:
  Rows(const uint8_t* program, const Node* nodes, uint8_t* const* regions)
      : program_(program), nodes_(nodes), regions_(regions) {}

  const Header& header() const { return *reinterpret_cast<const Header*>(program_); }
  const Node& node(uint32_t index) const { return nodes_[index]; }
  const Link* links(const Node& node) const {
    return reinterpret_cast<const Link*>(program_ + node.links);
  }
  const Node& source(const Node& node, uint32_t link) const {
    return nodes_[links(node)[link].source];
  }

  // Bytes of the program at an offset: parameters, weights, tables.
  template <typename T>
  const T* at(uint32_t offset) const {
    return reinterpret_cast<const T*>(program_ + offset);
  }
  template <typename T>
  const T& params(const Node& node) const {
    return *at<T>(node.params);
  }

  // Where row `row` of a node lies. The row must be there: the link's rule says which are. Kernels
  // ask for few rows, and there are many kernels: one copy of it is enough.
  __attribute__((noinline)) uint8_t* row(const Node& node, uint32_t row) const {
    if (node.flags & kConstant) {
      return const_cast<uint8_t*>(program_) + node.slots + row * node.row_bytes;
    }
    if (row >= node.period) row %= node.period;
    const uint32_t place = at<uint16_t>(node.slots)[row] * header().unit;
    uint32_t region = header().region_count - 1u;
    while (place < header().region_start[region]) --region;
    return regions_[region] + (place - header().region_start[region]);
  }

  // Row `row` of the node's source number `link`.
  const int8_t* input(const Node& node, uint32_t link, uint32_t row) const {
    return reinterpret_cast<const int8_t*>(this->row(source(node, link), row));
  }

  uint8_t* scratch() const { return regions_[0] + header().scratch; }

 private:
  const uint8_t* const program_;
  const Node* const nodes_;
  uint8_t* const* const regions_;
};

// Computes row `row` of a node into `output`.
using KernelFunction = void (*)(const Rows& rows, const Node& node, uint32_t row, int8_t* output);

// The kernels that are linked; null for those that a network does without. Firmware has a table
// with its network's kernels only, the host library one with all.
struct KernelTable {
  KernelFunction functions[kKernelCount];
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNEL_H_
