// A byte queue whose storage comes from a per-thread free list of equal chunks, so that whoever is
// idle holds nothing. Grows beyond one chunk only for longer messages.
// Thread rule: one core.
#pragma once
#include <cstddef>
#include <memory>
#include <string_view>

namespace shoal::io {

class Buffer {
 public:
  static constexpr std::size_t kChunk = 16 << 10;
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::string_view data() const { return {storage_ + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  // At least `n` free bytes behind the data; moves or grows, so views into data() die.
  char* prepare(std::size_t n);
  std::size_t room() const { return capacity_ - end_; }
  void commit(std::size_t n) { end_ += n; }
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Gives the storage back if there is no data.
  void release();

 private:
  char* storage_ = nullptr;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace shoal::io
