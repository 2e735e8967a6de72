// The RP2040's second boot stage: the chip's boot ROM copies the first 256 bytes of flash to RAM,
// checks their checksum and runs them (RP2040 datasheet, Bootrom, Flash second stage). This one
// makes flash readable as memory and starts the program.
//
// It is put together here, by the compiler, because the checksum has to be part of it.
#include <array>
#include <cstddef>
#include <cstdint>

namespace {

// RP2040 datasheet, SSI: the controller of the flash.
constexpr uint32_t kSsi = 0x18000000;
constexpr uint32_t kControl0 = kSsi + 0x00;
constexpr uint32_t kControl1 = kSsi + 0x04;
constexpr uint32_t kEnable = kSsi + 0x08;
constexpr uint32_t kBaud = kSsi + 0x14;
constexpr uint32_t kSpiControl0 = kSsi + 0xF4;

// The command 03h, which any flash knows: 8 bits of command, 24 of address, 32 of data, one each
// clock of 125 MHz / 4; the Pico's W25Q16JV takes 50 MHz.
constexpr uint32_t kClockDivider = 4;
constexpr uint32_t kRead32Bits = 31u << 16 | 3u << 8;             // DFS_32; TMOD: "EEPROM read".
constexpr uint32_t kCommand03 = 0x03u << 24 | 2u << 8 | 6u << 2;  // XIP_CMD, INST_L, ADDR_L.

// Where sections.ld puts the program's vector table.
constexpr uint32_t kVectorTable = 0x10000400;

// A register and what is written to it; register 0 ends the list and has the vector table.
struct Write {
  uint32_t address;
  uint32_t value;
};
constexpr Write kWrites[] = {
    {kEnable, 0},   {kBaud, kClockDivider}, {kControl0, kRead32Bits}, {kSpiControl0, kCommand03},
    {kControl1, 0}, {kEnable, 1},           {0, kVectorTable},
};

// Arm v6-M Architecture Reference Manual, A6.7.
constexpr uint16_t kCode[] = {
    0xA004,          //       adr r0, writes
    0xC806,          // next: ldm r0!, {r1, r2}
    0x2900,          //       cmp r1, #0
    0xD001,          //       beq done
    0x600A,          //       str r2, [r1]
    0xE7FA,          //       b next
    0xCA03,          // done: ldm r2!, {r0, r1}    The program's stack and entry.
    0xF380, 0x8808,  //       msr msp, r0
    0x4708,          //       bx r1
};                   // writes:
static_assert(sizeof(kCode) == 20, "the list has to follow, at a multiple of four");

constexpr size_t kSize = 256;
constexpr size_t kChecksumAt = kSize - 4;
using Image = std::array<uint8_t, kSize>;

constexpr void Put(Image* image, size_t at, uint32_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) (*image)[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

// RP2040 datasheet, Checksum: CRC-32 with the polynomial 0x04C11DB7, from the highest bit on,
// and not inverted after.
constexpr uint32_t Checksum(const Image& image) {
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 0; i < kChecksumAt; ++i) {
    crc ^= static_cast<uint32_t>(image[i]) << 24;
    for (int bit = 0; bit < 8; ++bit) crc = crc << 1 ^ ((crc >> 31) != 0 ? 0x04C11DB7u : 0u);
  }
  return crc;
}

constexpr Image Assemble() {
  static_assert(sizeof(kCode) + sizeof(kWrites) <= kChecksumAt, "the second stage is too long");
  Image image = {};
  size_t at = 0;
  for (const uint16_t instruction : kCode) {
    Put(&image, at, instruction, 2);
    at += 2;
  }
  for (const Write& write : kWrites) {
    Put(&image, at, write.address, 4);
    Put(&image, at + 4, write.value, 4);
    at += 8;
  }
  Put(&image, kChecksumAt, Checksum(image), 4);
  return image;
}

__attribute__((section(".boot2"), used)) constexpr Image kBoot2 = Assemble();

}  // namespace
