// What the RP2350's boot ROM looks for in the first 4 KB of flash: a block that says what program
// this is (RP2350 datasheet, Bootrom, Minimum viable image metadata). It names no entry, so the ROM
// takes stack and entry from the vector table, which is where flash starts.
#include <cstdint>

namespace {

constexpr uint32_t kBlockStart = 0xFFFFDED3;
constexpr uint32_t kBlockEnd = 0xAB123579;

// An item: type, length in words, value.
constexpr uint32_t kImageType = 0x42;
constexpr uint32_t kExecutable = 1u << 0;
constexpr uint32_t kSecure = 2u << 4;
constexpr uint32_t kArm = 0u << 8;
constexpr uint32_t kRp2350 = 1u << 12;
constexpr uint32_t kLast = 0xFF;  // Its length is that of all items before.
constexpr uint32_t Item(uint32_t type, uint32_t words, uint32_t value) {
  return value << 16 | words << 8 | type;
}

__attribute__((section(".boot_header"), used)) constexpr uint32_t kImageDefinition[] = {
    kBlockStart, Item(kImageType, 1, kExecutable | kSecure | kArm | kRp2350), Item(kLast, 1, 0),
    0,  // To the next block; there is only this one.
    kBlockEnd,
};

}  // namespace
