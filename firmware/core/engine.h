// What runs a network. The server knows this interface only.
#ifndef TINYSEG_CORE_ENGINE_H_
#define TINYSEG_CORE_ENGINE_H_

#include "core/bytes.h"
#include "core/operating_point.h"
#include "core/status.h"

namespace tinyseg {

enum class ElementType : uint8_t { kInt8 = 1, kInt16 = 2, kFloat32 = 3, kInt32 = 4 };

constexpr size_t ElementSize(ElementType type) {
  return type == ElementType::kInt8 ? 1 : type == ElementType::kInt16 ? 2 : 4;
}

class Engine;

// What the network is: generated from the model, `tinyseg export-c` writes one.
struct ModelDescription {
  const char* name;
  ByteView content;       // The .tflite file; empty for engines without one.
  uint32_t crc32;         // Of the content.
  const uint8_t* sha256;  // Of the content, 32 bytes.
  ElementType input_type;
  uint32_t input_elements;
  uint32_t input_channels;
  ElementType output_type;
  uint32_t output_elements;
  const void* input_table;     // The input element of each pixel value 0..255, of each table.
  const void* mask_threshold;  // Output elements above this one are foreground.
  // What decides on an int8 output instead; null where the threshold alone does.
  const OperatingPoint* point = nullptr;
  uint32_t input_tables = 1;    // One for all channels, or one for each.
  bool channels_first = false;  // Whether the input is one channel after the other.
  // Runs the mirror image of the pixels that just ran, and makes the output the mean of both; null
  // where images are seen once. See core/mirror.h.
  Status (*look_again)(Engine& engine, const ModelDescription& model, ByteView pixels) = nullptr;
};

// Bytes of tensor arena.
struct ArenaReport {
  uint32_t size = 0;
  uint32_t used = 0;
};

class Engine {
 public:
  // Prepares the network. Called once, before all else.
  virtual Status Start() = 0;
  // The input tensor; its former content is lost with each Run().
  virtual MutableBytes input() = 0;
  virtual Status Run() = 0;
  // The output tensor, which may be changed until the next Run().
  virtual MutableBytes output() = 0;
  virtual ArenaReport arena() const = 0;
  // Of the last Run(), in order of execution.
  virtual uint32_t operator_count() const = 0;
  virtual uint64_t operator_ticks(uint32_t index) const = 0;

 protected:
  ~Engine() = default;
};

}  // namespace tinyseg

#endif  // TINYSEG_CORE_ENGINE_H_
