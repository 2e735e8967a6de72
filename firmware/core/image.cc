#include "core/image.h"

#include <cstring>

namespace tinyseg {
namespace {

template <typename T>
T Load(const void* values, size_t index) {
  T value;
  std::memcpy(&value, static_cast<const uint8_t*>(values) + index * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
bool Above(const ModelDescription& model, ByteView tensor, uint32_t index) {
  return Load<T>(tensor.data, index) > Load<T>(model.mask_threshold, 0);
}

}  // namespace

Status PixelsToTensor(const ModelDescription& model, ByteView pixels, MutableBytes tensor) {
  const uint32_t positions = model.input_elements / model.input_channels;
  if (pixels.size != model.input_elements && pixels.size != positions) {
    return {Code::kWrongLength, model.input_elements, "image has another number of pixels"};
  }
  const size_t width = ElementSize(model.input_type);
  const bool first = model.channels_first;
  const bool grey = pixels.size != model.input_elements;
  const uint8_t* table = static_cast<const uint8_t*>(model.input_table);
  const size_t rows = first ? model.input_channels : positions;
  const size_t columns = first ? positions : model.input_channels;
  // From the end, for both may begin at the same place.
  size_t index = model.input_elements;
  for (size_t row = rows; row-- > 0;) {
    for (size_t column = columns; column-- > 0;) {
      --index;
      const uint8_t pixel = pixels.data[!grey ? index : first ? column : row];
      const size_t channel = model.input_tables == 1 ? 0 : first ? row : column;
      std::memcpy(tensor.data + index * width, table + (256 * channel + pixel) * width, width);
    }
  }
  return {};
}

bool IsForeground(const ModelDescription& model, ByteView tensor, uint32_t index) {
  if (model.point != nullptr) return tensor.data[index] != 0;
  switch (model.output_type) {
    case ElementType::kInt8:
      return Above<int8_t>(model, tensor, index);
    case ElementType::kInt16:
      return Above<int16_t>(model, tensor, index);
    case ElementType::kFloat32:
      return Above<float>(model, tensor, index);
    case ElementType::kInt32:
      return Above<int32_t>(model, tensor, index);
  }
  return false;
}

uint8_t MaskByte(const ModelDescription& model, ByteView tensor, uint32_t byte) {
  uint8_t bits = 0;
  for (uint32_t bit = 0; bit < 8; ++bit) {
    const uint32_t index = 8 * byte + bit;
    if (index < model.output_elements && IsForeground(model, tensor, index)) {
      bits = static_cast<uint8_t>(bits | 0x80 >> bit);
    }
  }
  return bits;
}

}  // namespace tinyseg
