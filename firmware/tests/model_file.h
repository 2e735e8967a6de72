// A model's content and description that pass core/model_check, to be damaged by tests.
#ifndef TINYSEG_TESTS_MODEL_FILE_H_
#define TINYSEG_TESTS_MODEL_FILE_H_

#include <cstring>

#include "core/crc32.h"
#include "core/engine.h"
#include "core/sha256.h"

namespace tinyseg {

class ModelFile {
 public:
  static constexpr size_t kSize = 100;

  ModelFile() {
    for (size_t i = 0; i < kSize; ++i) content()[i] = static_cast<uint8_t>(3 * i);
    std::memcpy(content() + 4, "TFL3", 4);
    Seal();
  }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  uint8_t* content() { return memory_ + offset_; }
  uint8_t* digest() { return digest_; }

  // Moves the content, by less than 16 bytes.
  void MoveTo(size_t offset) {
    std::memmove(memory_ + offset, content(), kSize);
    offset_ = offset;
  }
  void Resize(size_t size) { size_ = size; }
  // Makes both checksums fit.
  void Seal() {
    crc_ = Crc32Of({content(), size_});
    Sha256({content(), size_}, digest_);
  }

  // Writes content and checksums into a description.
  void Describe(ModelDescription* model) {
    model->content = {content(), size_};
    model->crc32 = crc_;
    model->sha256 = digest_;
  }

 private:
  alignas(16) uint8_t memory_[kSize + 16] = {};
  uint8_t digest_[kSha256Size] = {};
  size_t offset_ = 0;
  size_t size_ = kSize;
  uint32_t crc_ = 0;
};

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_MODEL_FILE_H_
