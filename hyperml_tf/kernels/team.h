// Threads that share the work of a step: tasks that whoever is free takes.

#ifndef HYPERML_TF_KERNELS_TEAM_H_
#define HYPERML_TF_KERNELS_TEAM_H_

#include <atomic>
#include <cstdint>
#include <thread>

namespace hyperml {

// One thread leads: it runs one set of tasks after the other, and goes on to the next
// when all are done. Others help from any moment on, or never; nothing waits for them
// but for the tasks that they have taken. A set takes some microseconds, so they do not
// sleep between sets.
class Team {
 public:
  // `workers` counts the leader.
  explicit Team(int workers) : workers_(workers) {}

  int workers() const { return workers_; }

  // Calls work(worker, task) for every task < tasks < 2^20, and returns when all are
  // done. The leader is worker 0. Only the leader may call this.
  template <typename Work>
  void Run(int64_t tasks, const Work& work) {
    if (workers_ == 1 || tasks == 1) {
      for (int64_t task = 0; task < tasks; ++task) work(0, task);
      return;
    }
    call_ = [](const void* context, int worker, int64_t task) {
      (*static_cast<const Work*>(context))(worker, task);
    };
    context_ = &work;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t set = (state_.load(std::memory_order_relaxed) >> kSetShift) + 1;
    state_.store(set << kSetShift | uint64_t(tasks) << kBits, std::memory_order_release);
    while (TakeOne(0)) {
    }
    for (int waited = 0; done_.load(std::memory_order_acquire) < tasks; ++waited) {
      if (waited > kSpins) std::this_thread::yield();
    }
  }

  // Helps as `worker` until the leader ends.
  void Help(int worker) {
    int waited = 0;
    while (!ended_.load(std::memory_order_acquire)) {
      if (TakeOne(worker)) {
        waited = 0;
      } else if (++waited > kSpins) {
        std::this_thread::yield();
      }
    }
  }

  void End() { ended_.store(true, std::memory_order_release); }

 private:
  static constexpr int kBits = 20, kSetShift = 2 * kBits, kSpins = 2000;
  static constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;

  bool TakeOne(int worker) {
    // Number of the set, its tasks and the next of them, in one word: who takes a task
    // takes one of the set that it has seen.
    uint64_t state = state_.load(std::memory_order_acquire);
    while ((state & kMask) < (state >> kBits & kMask)) {
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
        call_(context_, worker, state & kMask);
        done_.fetch_add(1, std::memory_order_release);
        return true;
      }
    }
    return false;
  }

  const int workers_;
  void (*call_)(const void*, int, int64_t) = nullptr;
  const void* context_ = nullptr;
  std::atomic<uint64_t> state_{0};
  std::atomic<int64_t> done_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_TEAM_H_
