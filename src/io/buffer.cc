// The free list behind Buffer.
#include "io/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace shoal::io {
namespace {

constexpr std::size_t kKeptChunks = 256;
struct Chunks {
  std::vector<char*> free;
  ~Chunks() {
    for (char* c : free) std::free(c);
  }
};
thread_local Chunks chunks;

char* take_chunk() {
  if (chunks.free.empty()) return static_cast<char*>(std::malloc(Buffer::kChunk));
  char* c = chunks.free.back();
  chunks.free.pop_back();
  return c;
}

void give_back(char* storage, std::size_t capacity) {
  if (!storage) return;
  if (capacity == Buffer::kChunk && chunks.free.size() < kKeptChunks)
    chunks.free.push_back(storage);
  else
    std::free(storage);
}

}  // namespace

Buffer::Buffer(Buffer&& other) noexcept
    : storage_(std::exchange(other.storage_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(storage_, other.storage_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  return *this;
}

Buffer::~Buffer() {
  give_back(storage_, capacity_);
}

char* Buffer::prepare(std::size_t n) {
  if (!storage_ && n <= kChunk) {
    storage_ = take_chunk();
    capacity_ = kChunk;
  }
  if (capacity_ - end_ >= n) return storage_ + end_;
  std::size_t size = end_ - begin_;
  if (begin_ > 0 && size + n <= capacity_) {
    std::memmove(storage_, storage_ + begin_, size);
  } else {
    std::size_t grown = std::max(capacity_ * 2, size + n);
    char* bigger = static_cast<char*>(std::malloc(grown));
    if (size) std::memcpy(bigger, storage_ + begin_, size);
    give_back(storage_, capacity_);
    storage_ = bigger;
    capacity_ = grown;
  }
  begin_ = 0;
  end_ = size;
  return storage_ + end_;
}

void Buffer::release() {
  if (!empty()) return;
  give_back(storage_, capacity_);
  storage_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace shoal::io
