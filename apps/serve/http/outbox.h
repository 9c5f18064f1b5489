// Where the threads that make an answer and the one that sends it meet.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace nolens::serve {

/// The bytes of one answer on their way to one client. Owned by the exchange and the connection
/// together; whichever goes first, the other may still call everything.
class Outbox {
 public:
  /// \param limit  bytes that may wait before another piece means that the client does not read
  /// \param wake   tells the connection to look; called with a lock held, so it may only post
  Outbox(std::size_t limit, std::function<void()> wake);

  // For the maker of the answer, on any thread.

  /// \param status  of the answer, with its first bytes; 0 = unchanged
  /// \param is_last  the answer ends with these bytes
  /// \return false if the client is gone; it is from now on if too much waits
  bool push(std::string bytes, int status, bool is_last);
  /// The answer will never be complete: the connection is to be cut.
  void cut();
  [[nodiscard]] bool is_abandoned() const;
  void on_abandon(std::function<void()> callback);

  // For the connection.

  struct Piece {
    std::string bytes;     ///< "" = nothing to send now
    bool is_last = false;  ///< nothing comes after these bytes
    bool is_cut = false;   ///< close the connection
  };
  [[nodiscard]] Piece take();
  /// `count` bytes of those taken are the system's now.
  void sent(std::size_t count);
  /// The whole answer is with the maker's last byte in the queue.
  [[nodiscard]] bool is_complete() const;
  [[nodiscard]] int status() const;
  /// The client is gone: calls the callbacks. Does nothing after finish().
  void abandon();
  /// All is sent; nobody will be called any more.
  void finish();

 private:
  void abandon_locked(std::vector<std::function<void()>>& callbacks);

  mutable std::mutex mutex_;
  std::size_t limit_;
  std::function<void()> wake_;  // empty once the connection is done with this answer
  std::string queue_;
  std::size_t unsent_ = 0;  // bytes in the queue and taken but not sent
  int status_ = 0;
  bool is_complete_ = false;
  bool is_cut_ = false;
  bool is_abandoned_ = false;
  bool is_finished_ = false;
  std::vector<std::function<void()>> callbacks_;
};

}  // namespace nolens::serve
