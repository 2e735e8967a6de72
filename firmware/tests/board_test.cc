// What boards implement and main loops call: both are compiled for boards only, so a change here
// would show nowhere else on this machine.
#include "core/board.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "core/device.h"

namespace tinyseg {
namespace {

template <typename Expected, typename Found>
constexpr bool kSame = std::is_same_v<Expected, Found>;

TEST(BoardTest, HasTheFunctionsOfTheMainLoop) {
  EXPECT_TRUE((kSame<const char[], decltype(board::kName)>));
  EXPECT_TRUE((kSame<void (*)(), decltype(&board::Start)>));
  EXPECT_TRUE((kSame<uint32_t (*)(), decltype(&board::ClockHz)>));
  EXPECT_TRUE((kSame<int (*)(), decltype(&board::ReadByte)>));
  EXPECT_TRUE((kSame<void (*)(uint8_t), decltype(&board::WriteByte)>));
}

TEST(BoardTest, HasTheClockOfAServer) {
  EXPECT_TRUE((kSame<decltype(Clock::reset), decltype(&board::ResetTicks)>));
  EXPECT_TRUE((kSame<decltype(Clock::ticks), decltype(&board::Ticks)>));
  EXPECT_TRUE((kSame<decltype(Clock::hz), decltype(board::ClockHz())>));
}

TEST(DeviceTest, ServesAnyEngine) {
  EXPECT_TRUE((kSame<void (*)(Engine&, const ModelDescription&, MutableBytes), decltype(&Serve)>));
}

}  // namespace
}  // namespace tinyseg
