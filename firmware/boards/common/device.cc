#include "core/device.h"

#include "boards/common/cortex_m.h"
#include "core/board.h"

namespace tinyseg {
namespace {

class BoardSink final : public ByteSink {
 public:
  void Write(uint8_t byte) override { board::WriteByte(byte); }
};

}  // namespace

void Serve(Engine& engine, const ModelDescription& model, MutableBytes buffer) {
  board::Start();
  board::ResetTicks();
  BoardSink sink;
  const Clock clock = {board::kName, board::ClockHz(), board::ResetTicks, board::Ticks};
  Server server(engine, model, buffer, sink, clock, BoardStack());
  server.Start();  // A failure is told with every reply.
  while (true) {
    const int byte = board::ReadByte();
    if (byte >= 0) server.Feed(static_cast<uint8_t>(byte));
  }
}

}  // namespace tinyseg
