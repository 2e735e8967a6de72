#include "core/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/wire.h"

namespace tinyseg {
namespace {

template <typename T>
constexpr ElementType TypeOf() {
  return sizeof(T) == 1   ? ElementType::kInt8
         : sizeof(T) == 2 ? ElementType::kInt16
         : T{1} / 2 > 0   ? ElementType::kFloat32
                          : ElementType::kInt32;
}

template <typename T>
class ImageTest : public ::testing::Test {
 protected:
  ImageTest() {
    for (int i = 0; i < 3 * 256; ++i) {
      table_[i] = static_cast<T>(sizeof(T) == 1 ? i * (1 + i / 256) - 128 : 100 * i - 9999);
    }
  }

  ModelDescription Model(uint32_t inputs, uint32_t channels, uint32_t outputs) const {
    ModelDescription model = {};
    model.input_type = model.output_type = TypeOf<T>();
    model.input_elements = inputs;
    model.input_channels = channels;
    model.output_elements = outputs;
    model.input_table = table_;
    model.mask_threshold = &threshold_;
    return model;
  }

  Status Convert(const ModelDescription& model, const Bytes& pixels, std::vector<T>* tensor) {
    tensor->assign(model.input_elements, T{77});
    return PixelsToTensor(model, ViewOf(pixels),
                          {reinterpret_cast<uint8_t*>(tensor->data()), tensor->size() * sizeof(T)});
  }

  static ByteView View(const std::vector<T>& tensor) {
    return {reinterpret_cast<const uint8_t*>(tensor.data()), tensor.size() * sizeof(T)};
  }

  T table_[3 * 256];  // One for each channel, where there are several.
  T threshold_ = T{3};
};

using ElementTypes = ::testing::Types<int8_t, int16_t, float, int32_t>;
TYPED_TEST_SUITE(ImageTest, ElementTypes);

TYPED_TEST(ImageTest, LooksUpEveryPixelValue) {
  Bytes pixels;
  for (int i = 0; i < 256; ++i) pixels.push_back(static_cast<uint8_t>(i));
  std::vector<TypeParam> tensor;
  ASSERT_TRUE(this->Convert(this->Model(256, 1, 1), pixels, &tensor).ok());
  EXPECT_EQ(tensor, std::vector<TypeParam>(this->table_, this->table_ + 256));
}

TYPED_TEST(ImageTest, TakesOneValueForEachChannel) {
  const Bytes pixels = {0, 1, 2, 253, 254, 255};
  std::vector<TypeParam> tensor;
  ASSERT_TRUE(this->Convert(this->Model(6, 3, 1), pixels, &tensor).ok());
  for (size_t i = 0; i < pixels.size(); ++i) EXPECT_EQ(tensor[i], this->table_[pixels[i]]) << i;
}

TYPED_TEST(ImageTest, RepeatsGreyToAllChannels) {
  const Bytes pixels = {7, 0, 255, 128};
  std::vector<TypeParam> tensor;
  ASSERT_TRUE(this->Convert(this->Model(12, 3, 1), pixels, &tensor).ok());
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(tensor[i], this->table_[pixels[i / 3]]) << i;
}

TYPED_TEST(ImageTest, LooksUpEachChannelInItsTable) {
  const Bytes pixels = {0, 1, 2, 253, 254, 255};
  for (const bool first : {false, true}) {
    ModelDescription model = this->Model(6, 3, 1);
    model.input_tables = 3;
    model.channels_first = first;
    std::vector<TypeParam> tensor;
    ASSERT_TRUE(this->Convert(model, pixels, &tensor).ok());
    for (size_t i = 0; i < 6; ++i) {
      const size_t channel = first ? i / 2 : i % 3;
      EXPECT_EQ(tensor[i], this->table_[256 * channel + pixels[i]]) << i << first;
    }
  }
}

TYPED_TEST(ImageTest, RepeatsGreyToChannelsInEitherOrderWhereThePixelsLie) {
  const Bytes pixels = {7, 0, 255, 128};
  for (const bool first : {false, true}) {
    ModelDescription model = this->Model(12, 3, 1);
    model.input_tables = 3;
    model.channels_first = first;
    std::vector<TypeParam> tensor(12);
    std::memcpy(tensor.data(), pixels.data(), pixels.size());
    uint8_t* memory = reinterpret_cast<uint8_t*>(tensor.data());
    ASSERT_TRUE(PixelsToTensor(model, {memory, 4}, {memory, 12 * sizeof(TypeParam)}).ok());
    for (size_t i = 0; i < 12; ++i) {
      const size_t channel = first ? i / 4 : i % 3;
      const uint8_t pixel = pixels[first ? i % 4 : i / 3];
      EXPECT_EQ(tensor[i], this->table_[256 * channel + pixel]) << i << first;
    }
  }
}

TYPED_TEST(ImageTest, RefusesAnotherNumberOfPixelsAndLeavesTheTensor) {
  const ModelDescription model = this->Model(12, 3, 1);
  for (size_t count = 0; count <= 25; ++count) {
    if (count == 4 || count == 12) continue;
    std::vector<TypeParam> tensor;
    const Status status = this->Convert(model, Bytes(count, 1), &tensor);
    EXPECT_EQ(status.code, Code::kWrongLength) << count;
    EXPECT_EQ(status.detail, 12u) << count;
    EXPECT_EQ(tensor, std::vector<TypeParam>(12, TypeParam{77})) << count;
  }
}

TYPED_TEST(ImageTest, CountsOnlyValuesAboveTheThresholdAsForeground) {
  const std::vector<TypeParam> tensor = {2, 3, 4, std::numeric_limits<TypeParam>::max(),
                                         std::numeric_limits<TypeParam>::lowest()};
  const ModelDescription model = this->Model(1, 1, 5);
  const bool expected[] = {false, false, true, true, false};
  for (uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(IsForeground(model, this->View(tensor), i), expected[i]) << i;
  }
}

TYPED_TEST(ImageTest, PacksTheFirstElementIntoTheHighestBit) {
  const std::vector<TypeParam> tensor = {9, 0, 0, 0, 0, 0, 9, 9, 0, 9};
  const ModelDescription model = this->Model(1, 1, 10);
  EXPECT_EQ(MaskSize(model), 2u);
  EXPECT_EQ(MaskByte(model, this->View(tensor), 0), 0x83);
  EXPECT_EQ(MaskByte(model, this->View(tensor), 1), 0x40);
}

TYPED_TEST(ImageTest, PacksMasksOfEverySizeAsABitByBitLoopDoes) {
  std::mt19937 random(4);
  for (uint32_t elements = 1; elements <= 70; ++elements) {
    std::vector<TypeParam> tensor(elements);
    for (TypeParam& value : tensor) value = static_cast<TypeParam>(static_cast<int>(random() % 9));
    const ModelDescription model = this->Model(1, 1, elements);
    Bytes expected((elements + 7) / 8);
    for (uint32_t i = 0; i < elements; ++i) {
      if (tensor[i] > this->threshold_) {
        expected[i / 8] = static_cast<uint8_t>(expected[i / 8] + (1 << (7 - i % 8)));
      }
    }
    ASSERT_EQ(MaskSize(model), expected.size());
    for (uint32_t byte = 0; byte < MaskSize(model); ++byte) {
      ASSERT_EQ(MaskByte(model, this->View(tensor), byte), expected[byte])
          << elements << " elements, byte " << byte;
    }
  }
}

TYPED_TEST(ImageTest, ReadsAndWritesTensorsThatAreNotAligned) {
  alignas(8) uint8_t memory[1 + 4 * sizeof(TypeParam)] = {};
  const ModelDescription model = this->Model(4, 1, 4);
  const Bytes pixels = {0, 255, 1, 254};
  ASSERT_TRUE(PixelsToTensor(model, ViewOf(pixels), {memory + 1, 4 * sizeof(TypeParam)}).ok());
  // Table values are below the threshold for dark pixels, above it for bright ones.
  EXPECT_EQ(MaskByte(model, {memory + 1, 4 * sizeof(TypeParam)}, 0), 0x50);
}

TYPED_TEST(ImageTest, ComparesWithAnyThreshold) {
  const int top = sizeof(TypeParam) == 1 ? 127 : 32767;
  for (const int threshold : {-top - 1, -100, -1, 0, 1, 99, top - 1, top}) {
    this->threshold_ = static_cast<TypeParam>(threshold);
    const std::vector<int> values = {-top - 1, -101, -100, -99, -2, -1, 0, 1, 2, 98, 99, 100, top};
    const std::vector<TypeParam> tensor(values.begin(), values.end());
    const ModelDescription model = this->Model(1, 1, static_cast<uint32_t>(values.size()));
    for (uint32_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(IsForeground(model, this->View(tensor), i), values[i] > threshold)
          << values[i] << " above " << threshold;
    }
  }
}

TYPED_TEST(ImageTest, RefusesAnImageByItsText) {
  std::vector<TypeParam> tensor;
  EXPECT_STREQ(this->Convert(this->Model(12, 3, 1), Bytes(5, 1), &tensor).text,
               "image has another number of pixels");
}

TYPED_TEST(ImageTest, WritesNothingBehindTheTensor) {
  uint8_t memory[2 * sizeof(TypeParam) + 1];
  memory[2 * sizeof(TypeParam)] = 0x77;
  const Bytes pixels = {9, 200};
  ASSERT_TRUE(PixelsToTensor(this->Model(2, 1, 1), ViewOf(pixels), {memory, sizeof(memory)}).ok());
  EXPECT_EQ(memory[2 * sizeof(TypeParam)], 0x77);
}

// A network may take one type and give another.
TYPED_TEST(ImageTest, TakesInputsAndOutputsOfDifferentTypes) {
  for (const ElementType other :
       {ElementType::kInt8, ElementType::kInt16, ElementType::kFloat32, ElementType::kInt32}) {
    ModelDescription model = this->Model(4, 2, 3);
    model.output_type = other;
    std::vector<TypeParam> inputs;
    ASSERT_TRUE(this->Convert(model, {3, 250}, &inputs).ok());
    EXPECT_EQ(inputs, (std::vector<TypeParam>{this->table_[3], this->table_[3], this->table_[250],
                                              this->table_[250]}));
    model.input_type = other;
    model.output_type = TypeOf<TypeParam>();
    const std::vector<TypeParam> outputs = {2, 4, 100};
    EXPECT_EQ(MaskByte(model, this->View(outputs), 0), 0x60);
  }
}

TEST(FloatImageTest, ComparesFractions) {
  const float threshold = -0.375f;
  const float tensor[] = {-0.5f, -0.375f, std::nextafter(-0.375f, 0.0f), -0.25f, 0.125f, -1e30f};
  ModelDescription model = {};
  model.output_type = ElementType::kFloat32;
  model.output_elements = 6;
  model.mask_threshold = &threshold;
  const ByteView view = {reinterpret_cast<const uint8_t*>(tensor), sizeof(tensor)};
  EXPECT_EQ(MaskByte(model, view, 0), 0x38);
}

TEST(FloatImageTest, CountsNotANumberAsBackground) {
  const float threshold = 0;
  const float tensor = std::numeric_limits<float>::quiet_NaN();
  ModelDescription model = {};
  model.output_type = ElementType::kFloat32;
  model.output_elements = 1;
  model.mask_threshold = &threshold;
  EXPECT_FALSE(IsForeground(model, {reinterpret_cast<const uint8_t*>(&tensor), 4}, 0));
}

TEST(UnknownElementTypeTest, HasNoForeground) {
  const int8_t threshold = 0;
  const uint8_t tensor = 9;
  ModelDescription model = {};
  model.output_type = static_cast<ElementType>(0);
  model.output_elements = 1;
  model.mask_threshold = &threshold;
  EXPECT_FALSE(IsForeground(model, {&tensor, 1}, 0));
}

}  // namespace
}  // namespace tinyseg
