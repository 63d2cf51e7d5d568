// Rows of D numbers: arithmetic on one, and the set of those in a batch.
// kDim > 0 fixes D at compile time.

#ifndef HYPERML_TF_KERNELS_ROWS_H_
#define HYPERML_TF_KERNELS_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ball.h"
#include "masks.h"

namespace hyperml {
namespace {

constexpr int kFloatsPerLine = 16;

inline void Prefetch(const float* row, int dim) {
  for (int j = 0; j < dim; j += kFloatsPerLine) __builtin_prefetch(row + j, 1);
}

template <int kDim>
inline float Dot(const float* x, const float* y, int dim) {
  const int size = kDim ? kDim : dim;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int j = 0; j < size; ++j) sum += x[j] * y[j];
  return sum;
}

template <int kDim>
inline float SquaredDistance(const float* x, const float* y, int dim) {
  const int size = kDim ? kDim : dim;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int j = 0; j < size; ++j) sum += Square(x[j] - y[j]);
  return sum;
}

// The distinct rows of one table in a batch, in order of first appearance, and the
// sum of each one's gradients.
class RowSet {
 public:
  RowSet(int64_t most, int dim) : dim_(dim), ids_(most), gradients_(most * dim) {
    int bits = 1;
    while ((int64_t{1} << bits) < 2 * most) ++bits;
    shift_ = 32 - bits;
    cells_.resize(size_t{1} << bits);
  }

  void Clear() {
    std::fill(cells_.begin(), cells_.end(), Cell{-1, 0});
    size_ = 0;
  }

  // The gradient of row `id`; `first` says that nothing was added to it yet.
  float* Gradient(int32_t id, bool* first) { return gradient(Place(id, first)); }

  // The place of row `id`; `first` says that it is new.
  int32_t Place(int32_t id, bool* first) {
    size_t at = Home(id);
    while (cells_[at].id != id && cells_[at].id >= 0) at = Next(at);
    *first = cells_[at].id < 0;
    if (*first) {
      cells_[at] = {id, size_};
      ids_[size_++] = id;
    }
    return cells_[at].place;
  }

  bool Has(int32_t id) const {
    size_t at = Home(id);
    while (cells_[at].id != id && cells_[at].id >= 0) at = Next(at);
    return cells_[at].id == id;
  }

  int32_t size() const { return size_; }
  int32_t id(int32_t place) const { return ids_[place]; }
  float* gradient(int32_t place) { return &gradients_[int64_t{place} * dim_]; }

 private:
  struct Cell {
    int32_t id, place;
  };

  size_t Home(int32_t id) const {
    return (static_cast<uint32_t>(id) * kGolden32) >> shift_;
  }
  size_t Next(size_t at) const { return (at + 1) & (cells_.size() - 1); }

  int dim_, shift_;
  int32_t size_ = 0;
  std::vector<Cell> cells_;  // open addressing, at most half full
  std::vector<int32_t> ids_;
  std::vector<float> gradients_;
};

// Which gradients of a batch are whose: the distinct rows of one table, in order of
// first appearance, and the numbers of each one's gradients, in order of appearance.
class RowLists {
 public:
  // At most `most` rows; gradients have numbers below `gradients`.
  RowLists(int64_t most, int64_t gradients)
      : rows_(most, 0), first_(most), last_(most), next_(gradients) {}

  void Clear() { rows_.Clear(); }

  // Row `id` has the gradient with this number.
  void Add(int32_t id, int32_t gradient) {
    bool fresh;
    const int32_t place = rows_.Place(id, &fresh);
    next_[gradient] = -1;
    if (fresh) {
      first_[place] = gradient;
    } else {
      next_[last_[place]] = gradient;
    }
    last_[place] = gradient;
  }

  bool Has(int32_t id) const { return rows_.Has(id); }
  int32_t size() const { return rows_.size(); }
  int32_t id(int32_t place) const { return rows_.id(place); }
  int32_t first(int32_t place) const { return first_[place]; }
  // The next gradient of the same row; negative after the last.
  int32_t next(int32_t gradient) const { return next_[gradient]; }

 private:
  RowSet rows_;
  std::vector<int32_t> first_, last_, next_;
};

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_ROWS_H_
