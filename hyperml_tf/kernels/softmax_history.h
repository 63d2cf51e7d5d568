// Which of the users' training items enter a step, as layers/history.py has it.

#ifndef HYPERML_TF_KERNELS_SOFTMAX_HISTORY_H_
#define HYPERML_TF_KERNELS_SOFTMAX_HISTORY_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "softmax.h"

namespace hyperml {

// Wellons' lowbias32.
inline uint32_t Mixed(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  return x ^ (x >> 16);
}

// The items kept for each pair of a step, and what each weighs in its user's row.
class History {
 public:
  explicit History(const SoftmaxSettings& settings) : settings_(settings) {}

  void Keep(const SoftmaxBatch& batch, int64_t step) {
    item_.clear();
    split_.assign(1, 0);
    weight_.resize(batch.size);
    const uint32_t of_step =
        Mixed(static_cast<uint32_t>(step) + Mixed(settings_.history_seed));
    for (int64_t i = 0; i < batch.size; ++i) {
      const int64_t* split = batch.known_split + batch.user[i];
      const double others = std::max<int64_t>(split[1] - split[0] - 1, 1);
      const double keep = std::min(1 - double{settings_.history_dropout},
                                   settings_.history_items / others);
      const auto below = static_cast<uint64_t>(std::ceil(keep * 4294967296.0));
      const uint32_t of_user = Mixed(static_cast<uint32_t>(batch.user[i]) + of_step);
      for (int64_t k = split[0]; k < split[1]; ++k) {
        const int32_t item = batch.known_item[k];
        const uint32_t bits = Mixed(static_cast<uint32_t>(item) + of_user);
        if (bits < below && item != batch.pos_item[i]) item_.push_back(item);
      }
      split_.push_back(item_.size());
      weight_[i] = static_cast<float>(settings_.history / (keep * std::sqrt(others)));
    }
  }

  int64_t size() const { return item_.size(); }
  const int32_t* begin(int64_t pair) const { return item_.data() + split_[pair]; }
  const int32_t* end(int64_t pair) const { return item_.data() + split_[pair + 1]; }
  float weight(int64_t pair) const { return weight_[pair]; }

 private:
  const SoftmaxSettings settings_;
  std::vector<int32_t> item_;
  std::vector<int64_t> split_;
  std::vector<float> weight_;
};

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SOFTMAX_HISTORY_H_
