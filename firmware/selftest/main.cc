// Firmware that answers the protocol without a network: see selftest_engine.h.
#include "core/device.h"
#include "selftest/selftest_engine.h"

namespace {

__attribute__((section(".arena")))
uint8_t receive_buffer[tinyseg::FrameBufferSize(32 * 32 * 64, tinyseg::ElementType::kInt8)];

}  // namespace

int main() {
  tinyseg::SelftestEngine engine;
  tinyseg::Serve(engine, tinyseg::kSelftestModel, {receive_buffer, sizeof(receive_buffer)});
}
