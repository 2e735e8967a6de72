// From pixels to the input tensor, from the output tensor to a mask, in integers only.
#ifndef TINYSEG_CORE_IMAGE_H_
#define TINYSEG_CORE_IMAGE_H_

#include "core/engine.h"

namespace tinyseg {

// Looks up each 8-bit pixel in the model's table, which holds normalisation and quantization.
//
// `pixels` has one value per input element, in the order of the tensor, or one per pixel: grey,
// repeated to all channels.
// They may lie where the tensor begins.
Status PixelsToTensor(const ModelDescription& model, ByteView pixels, MutableBytes tensor);

// Whether output element `index` is foreground: above the threshold, or not 0 of what
// ApplyPoint() made of the output of a model with an operating point.
bool IsForeground(const ModelDescription& model, ByteView tensor, uint32_t index);

// Returns mask bits 8*byte .. 8*byte+7, the first in the highest bit, as numpy.packbits does.
// Bits beyond the last element are zero.
uint8_t MaskByte(const ModelDescription& model, ByteView tensor, uint32_t byte);

// Bytes of a whole mask.
constexpr uint32_t MaskSize(const ModelDescription& model) {
  return (model.output_elements + 7) / 8;
}

}  // namespace tinyseg

#endif  // TINYSEG_CORE_IMAGE_H_
