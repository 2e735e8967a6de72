// Checks that a program can be run without reaching beyond it and its memory.
#ifndef TINYSEG_ENGINE_CHECK_H_
#define TINYSEG_ENGINE_CHECK_H_

#include "core/bytes.h"
#include "core/status.h"
#include "engine/kernel.h"

namespace tinyseg {
namespace engine {

// What kernels find at the offsets in their parameters is not checked: the checksum stands for it.
Status CheckProgram(ByteView program, const KernelTable& kernels, const MutableBytes* regions,
                    uint32_t region_count);

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_CHECK_H_
