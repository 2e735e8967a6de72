// Memory that kernels keep from row to row, a thread for itself.
#ifndef TINYSEG_ENGINE_KERNELS_HOST_MEMORY_H_
#define TINYSEG_ENGINE_KERNELS_HOST_MEMORY_H_

#include <cstddef>
#include <vector>

namespace tinyseg {
namespace engine {
namespace host {

// Returns memory for `count` values, zeros or what was there before. Each `Use` has its own.
template <class Use, class Value>
Value* Kept(size_t count) {
  thread_local std::vector<Value> memory;
  if (memory.size() < count) memory.resize(count);
  return memory.data();
}

}  // namespace host
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_HOST_MEMORY_H_
