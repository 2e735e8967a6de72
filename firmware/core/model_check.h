// Is the model in flash the one that was built in?
#ifndef TINYSEG_CORE_MODEL_CHECK_H_
#define TINYSEG_CORE_MODEL_CHECK_H_

#include "core/engine.h"

namespace tinyseg {

// Checks alignment, the flatbuffer's identifier, CRC-32 and SHA-256 of a description's content.
Status CheckModel(const ModelDescription& model);

}  // namespace tinyseg

#endif  // TINYSEG_CORE_MODEL_CHECK_H_
