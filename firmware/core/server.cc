#include "core/server.h"

#include <cstring>

#include "core/image.h"
#include "core/model_check.h"
#include "core/sha256.h"

namespace tinyseg {
namespace {

ByteView Text(const char* text) {
  return {reinterpret_cast<const uint8_t*>(text), std::strlen(text)};
}

uint8_t ReplyType(Request request) { return static_cast<uint8_t>(request) | kReplyBit; }

uint8_t ReplyType(const Frame& request) { return request.type | kReplyBit; }

}  // namespace

Status Server::Start() {
  started_ = model_.content.size > 0 ? CheckModel(model_) : Status{};
  if (started_.ok()) started_ = engine_.Start();
  SendLog(started_);
  return started_;
}

void Server::Feed(uint8_t byte) {
  switch (decoder_.Feed(byte)) {
    case FrameDecoder::Event::kNone:
      break;
    case FrameDecoder::Event::kFrame:
      Answer(decoder_.frame());
      break;
    case FrameDecoder::Event::kError:
      SendError(decoder_.error(), 0, kNoSequence);
      break;
  }
}

void Server::Answer(const Frame& request) {
  switch (static_cast<Request>(request.type)) {
    case Request::kPing: {
      FrameEncoder reply(sink_, ReplyType(request), request.sequence);
      reply.Add(request.body);
      reply.Finish();
      return;
    }
    case Request::kInfo:
      return AnswerInfo(request.sequence);
    case Request::kRunTensor:
    case Request::kRunImage:
      return AnswerRun(request);
    case Request::kProfile:
      return AnswerProfile(request.sequence);
  }
  SendError({Code::kUnknownRequest, request.type, "no such request"}, request.type,
            request.sequence);
}

void Server::AnswerInfo(uint8_t sequence) {
  const ArenaReport arena = engine_.arena();
  FrameEncoder reply(sink_, ReplyType(Request::kInfo), sequence);
  reply.AddNumber(kProtocolVersion, 1);
  reply.AddNumber(static_cast<uint8_t>(started_.code), 1);
  reply.AddNumber(static_cast<uint8_t>(model_.input_type), 1);
  reply.AddNumber(static_cast<uint8_t>(model_.output_type), 1);
  reply.AddNumber(started_.detail, 4);
  reply.AddNumber(clock_.hz, 4);
  reply.AddNumber(arena.size, 4);
  reply.AddNumber(arena.used, 4);
  reply.AddNumber(stack_.size(), 4);
  reply.AddNumber(StackUsed(stack_), 4);
  reply.AddNumber(model_.input_elements, 4);
  reply.AddNumber(model_.output_elements, 4);
  reply.AddNumber(model_.content.size, 4);
  reply.AddNumber(model_.crc32, 4);
  reply.Add({model_.sha256, kSha256Size});
  const char* const texts[] = {clock_.board, model_.name, started_.text};
  for (const char* text : texts) {
    ByteView view = Text(text);
    if (view.size > 255) view.size = 255;  // Its length is one byte.
    reply.AddNumber(view.size, 1);
    reply.Add(view);
  }
  reply.Finish();
}

Status Server::LoadInput(const Frame& request) {
  const MutableBytes input = engine_.input();
  if (request.type == static_cast<uint8_t>(Request::kRunImage)) {
    return PixelsToTensor(model_, request.body, input);
  }
  if (request.body.size != input.size) {
    return {Code::kWrongLength, static_cast<uint32_t>(input.size), "input tensor has another size"};
  }
  std::memmove(input.data, request.body.data, input.size);
  return {};
}

void Server::AnswerRun(const Frame& request) {
  const bool image = request.type == static_cast<uint8_t>(Request::kRunImage);
  Status status = started_;
  if (status.ok()) status = LoadInput(request);
  uint64_t ticks = 0;
  if (status.ok()) {
    clock_.reset();
    status = engine_.Run();
    if (status.ok() && image && model_.look_again != nullptr) {
      status = model_.look_again(engine_, model_, request.body);
    }
    ticks = clock_.ticks();
    // The likelier cause, if the run failed too.
    if (StackOverflowed(stack_)) {
      status = {Code::kStackOverflow, stack_.size(), "stack is too small; raise __stack_size"};
    }
  }
  if (!status.ok()) return SendError(status, request.type, request.sequence);

  FrameEncoder reply(sink_, ReplyType(request), request.sequence);
  reply.AddNumber(ticks, 8);
  const MutableBytes output = engine_.output();
  if (!image) {
    reply.Add(output);
  } else {
    if (model_.point != nullptr) ApplyPoint(*model_.point, output.data);
    for (uint32_t i = 0; i < MaskSize(model_); ++i) reply.AddNumber(MaskByte(model_, output, i), 1);
  }
  reply.Finish();
}

void Server::AnswerProfile(uint8_t sequence) {
  FrameEncoder reply(sink_, ReplyType(Request::kProfile), sequence);
  for (uint32_t i = 0; i < engine_.operator_count(); ++i) {
    reply.AddNumber(engine_.operator_ticks(i), 8);
  }
  reply.Finish();
}

void Server::SendError(const Status& error, uint8_t type, uint8_t sequence) {
  FrameEncoder reply(sink_, kErrorFrame, sequence);
  reply.AddNumber(static_cast<uint8_t>(error.code), 1);
  reply.AddNumber(type, 1);
  reply.AddNumber(error.detail, 4);
  reply.Add(Text(error.text));
  reply.Finish();
}

void Server::SendLog(const Status& status) {
  FrameEncoder line(sink_, kLogFrame, kNoSequence);
  line.Add(Text("tinyseg on "));
  line.Add(Text(clock_.board));
  line.Add(Text(status.ok() ? ": ready with " : ": "));
  line.Add(Text(status.ok() ? model_.name : status.text));
  if (!status.ok() && status.detail != 0) {
    char digits[10];
    size_t at = sizeof(digits);
    for (uint32_t rest = status.detail; rest > 0; rest /= 10) {
      digits[--at] = static_cast<char>('0' + rest % 10);
    }
    line.Add(Text(" ("));
    line.Add({reinterpret_cast<const uint8_t*>(digits) + at, sizeof(digits) - at});
    line.Add(Text(")"));
  }
  line.Add(Text("\r\n"));
  line.Finish();
}

}  // namespace tinyseg
