#include "core/model_check.h"

#include <cstring>

#include "core/crc32.h"
#include "core/sha256.h"

namespace tinyseg {
namespace {

constexpr uintptr_t kAlignment = 16;  // What the schema asks of constant data.

}  // namespace

Status CheckModel(const ModelDescription& model) {
  const ByteView content = model.content;
  const uint32_t crc = Crc32Of(content);
  if (crc != model.crc32) {
    return {Code::kModelDamaged, crc, "model's CRC-32 differs; flash the firmware again"};
  }
  uint8_t digest[kSha256Size];
  Sha256(content, digest);
  if (std::memcmp(digest, model.sha256, kSha256Size) != 0) {
    return {Code::kModelDamaged, crc, "model's SHA-256 differs; flash the firmware again"};
  }
  if (content.size < 8 || std::memcmp(content.data + 4, "TFL3", 4) != 0) {
    return {Code::kModelMismatch, static_cast<uint32_t>(content.size),
            "content is no .tflite file; export it again"};
  }
  if (reinterpret_cast<uintptr_t>(content.data) % kAlignment != 0) {
    return {Code::kModelMismatch, kAlignment, "model is not aligned to 16 bytes; export it again"};
  }
  return {};
}

}  // namespace tinyseg
