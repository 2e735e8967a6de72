// From reset to main() on any Cortex-M: vectors, FPU, RAM contents, constructors.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "boards/common/cortex_m.h"
#include "core/stack.h"

int main();

extern "C" {

// From the linker script.
extern uint32_t __stack_bottom[];
extern uint32_t __stack_top[];
extern uint32_t __data_load[];
extern uint32_t __data_start[];
extern uint32_t __data_end[];
extern uint32_t __bss_start[];
extern uint32_t __bss_end[];
extern void (*__init_array_start[])();
extern void (*__init_array_end[])();

[[noreturn]] void ResetHandler();
void SysTickHandler();  // In ticks.cc.

// What compiled C++ asks for; nothing is ever destroyed.
void* __dso_handle = nullptr;
int __aeabi_atexit(void*, void (*)(void*), void*) { return 0; }
// There is no heap: the C library's number formatting links malloc(), which finds nothing.
void* _sbrk(ptrdiff_t) { return reinterpret_cast<void*>(-1); }

// A fault can not be recovered from: start again, so that the device answers the next request.
[[noreturn]] void FaultHandler() { tinyseg::RebootCore(); }

}  // extern "C"

namespace tinyseg {

StackRegion BoardStack() { return {__stack_bottom, __stack_top}; }

}  // namespace tinyseg

namespace {

using Handler = void (*)();

// ARMv7-M Architecture Reference Manual, B1.5.3. Interrupts of the chip stay disabled.
struct VectorTable {
  uint32_t* stack;
  Handler handlers[15];
};

__attribute__((section(".vectors"), used)) const VectorTable kVectors = {
    __stack_top,
    {
        ResetHandler,
        FaultHandler,
        FaultHandler,
        FaultHandler,
        FaultHandler,
        FaultHandler,
        FaultHandler,  // Secure fault on ARMv8-M.
        nullptr,
        nullptr,
        nullptr,
        FaultHandler,
        FaultHandler,
        nullptr,
        FaultHandler,
        SysTickHandler,
    },
};

}  // namespace

extern "C" [[noreturn]] void ResetHandler() {
  tinyseg::EnableFpu();
  tinyseg::SetVectorTable(&kVectors);
  uint32_t* stack_pointer;
  __asm volatile("mov %0, sp" : "=r"(stack_pointer));
  // Some words below stay unpainted, for PaintStack() itself uses them.
  tinyseg::PaintStack(tinyseg::BoardStack(), stack_pointer - 64);
  std::memcpy(__data_start, __data_load,
              static_cast<size_t>(reinterpret_cast<char*>(__data_end) -
                                  reinterpret_cast<char*>(__data_start)));
  std::memset(__bss_start, 0,
              static_cast<size_t>(reinterpret_cast<char*>(__bss_end) -
                                  reinterpret_cast<char*>(__bss_start)));
  for (auto constructor = __init_array_start; constructor != __init_array_end; ++constructor) {
    (*constructor)();
  }
  main();
  tinyseg::RebootCore();
}
