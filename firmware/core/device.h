// The main loop of all firmware.
#ifndef TINYSEG_CORE_DEVICE_H_
#define TINYSEG_CORE_DEVICE_H_

#include "core/server.h"

namespace tinyseg {

// Starts board and engine, then answers requests for ever.
[[noreturn]] void Serve(Engine& engine, const ModelDescription& model, MutableBytes buffer);

}  // namespace tinyseg

#endif  // TINYSEG_CORE_DEVICE_H_
