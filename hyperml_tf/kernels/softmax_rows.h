// Rows of a table in a step: gathered, as points, their gradients summed, moved.

#ifndef HYPERML_TF_KERNELS_SOFTMAX_ROWS_H_
#define HYPERML_TF_KERNELS_SOFTMAX_ROWS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "product.h"
#include "softmax.h"
#include "softmax_history.h"

namespace hyperml {

// As in geometry/poincare.py.
constexpr float kRimMargin = 1e-5f;

inline float DotOf(const float* x, const float* y, int dim) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int j = 0; j < dim; ++j) sum += x[j] * y[j];
  return sum;
}

inline float SquaredGap(const float* x, const float* y, int dim) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int j = 0; j < dim; ++j) sum += (x[j] - y[j]) * (x[j] - y[j]);
  return sum;
}

// The rows of a step of one table, as points; `gradient` is of the points.
class StepRows {
 public:
  StepRows(const SoftmaxSettings& settings, int64_t most)
      : settings_(settings), dim_(settings.dim), stride_(Padded(settings.dim)) {
    Reserve(most);
  }

  void Reserve(int64_t most) {
    if (most <= static_cast<int64_t>(ids_.size())) return;
    ids_.resize(most);
    row_.resize(most);
    points_.resize(most * stride_);
    gradients_.resize(most * stride_);
    for (auto* each : {&scale_, &bend_, &squared_, &complement_, &inside_}) {
      each->resize(most);
    }
  }

  void Clear() { size_ = 0; }

  void Add(const SoftmaxTable& table, const int32_t* ids, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (i + 8 < count) Prefetch(table.rows + int64_t{ids[i + 8]} * dim_);
      AddOne(table.rows + int64_t{ids[i]} * dim_, ids[i]);
    }
  }

  // As `Add`, of rows to which the weighted sums of the items' rows are added.
  void AddWith(const SoftmaxTable& table, const int32_t* ids, int64_t count,
               const History& history, const SoftmaxTable& items) {
    summed_.resize(count * dim_);
    for (int64_t i = 0; i < count; ++i) {
      float* __restrict sum = &summed_[i * dim_];
      std::fill_n(sum, dim_, 0.f);
      for (const int32_t* item = history.begin(i); item != history.end(i); ++item) {
        if (item + 8 < history.end(count - 1)) {
          Prefetch(items.rows + int64_t{item[8]} * dim_);
        }
        const float* __restrict row = items.rows + int64_t{*item} * dim_;
#pragma omp simd
        for (int j = 0; j < dim_; ++j) sum[j] += row[j];
      }
      const float* __restrict own = table.rows + int64_t{ids[i]} * dim_;
      const float weight = history.weight(i);
#pragma omp simd
      for (int j = 0; j < dim_; ++j) sum[j] = own[j] + weight * sum[j];
      AddOne(sum, ids[i]);
    }
  }

  // Rows of buffers are so far apart; the columns from D on are 0.
  int64_t stride() const { return stride_; }
  float* point(int64_t i) { return &points_[i * stride_]; }
  float* gradient(int64_t i) { return &gradients_[i * stride_]; }
  const float* squared() const { return squared_.data(); }        // |x|^2
  const float* complement() const { return complement_.data(); }  // 1 - c|x|^2, floored
  const float* inside() const { return inside_.data(); }  // 0 where the floor binds

  // Sum of |row|^2 of rows first ... last-1.
  double SquaredRows(int64_t first, int64_t last) const {
    double sum = 0;
    for (int64_t i = first; i < last; ++i) {
      const float scale = scale_[i];
      sum += scale > 0 ? squared_[i] / (scale * scale) : 0.f;
    }
    return sum;
  }

  // From gradients of points to those of rows, `penalty` times the row added.
  void ToRows(int64_t first_many, float penalty_first, float penalty_rest) {
    for (int64_t i = 0; i < size_; ++i) {
      ToRow(i, i < first_many ? penalty_first : penalty_rest);
    }
  }

  // Sums the gradients of repeated rows.
  void Sum(const SoftmaxTable& table) {
    if (static_cast<int64_t>(place_of_.size()) != table.size) {
      place_of_.assign(table.size, -1);
    }
    distinct_.clear();
    for (int64_t i = 0; i < size_; ++i) {
      int32_t& place = place_of_[ids_[i]];
      if (place < 0) {
        place = static_cast<int32_t>(i);
        distinct_.push_back(place);
      } else {
        AddTimes(1, gradient(i), gradient(place));
      }
    }
  }

  // Adds to these sums what reaches the items of histories from the users' rows.
  void AddHistories(const StepRows& users, const History& history) {
    Reserve(size_ + history.size());
    for (int64_t i = 0; i < users.size_; ++i) {
      const float* from = &users.gradients_[i * stride_];
      for (const int32_t* item = history.begin(i); item != history.end(i); ++item) {
        int32_t& place = place_of_[*item];
        if (place < 0) {
          place = static_cast<int32_t>(size_++);
          ids_[place] = *item;
          std::fill_n(gradient(place), stride_, 0.f);
          distinct_.push_back(place);
        }
        AddTimes(history.weight(i), from, gradient(place));
      }
    }
  }

  // One lazy Adam step of each row, at the corrected `rate`.
  void MoveAll(const SoftmaxTable& table, float rate) {
    for (size_t k = 0; k < distinct_.size(); ++k) {
      const size_t later = std::min(k + 8, distinct_.size() - 1);
      const int64_t ahead = int64_t{ids_[distinct_[later]]} * dim_;
      Prefetch(table.first + ahead);
      Prefetch(table.second + ahead);
      const int32_t place = distinct_[k], id = ids_[place];
      place_of_[id] = -1;
      Move(table, int64_t{id} * dim_, gradient(place), rate);
    }
  }

 private:
  void Prefetch(const float* row) const {
    for (int j = 0; j < dim_; j += 16) __builtin_prefetch(row + j, 1);
  }

  // Inlined, the compiler sums in another order than that of the recorded runs.
  __attribute__((noinline)) void ToRow(int64_t i, float penalty) {
    const float* row = row_[i];
    float* gradient = this->gradient(i);
    const float scale = scale_[i];
    const float along = bend_[i] != 0 ? bend_[i] * DotOf(gradient, row, dim_) : 0.f;
    const float add = along + penalty;
#pragma omp simd
    for (int j = 0; j < dim_; ++j) gradient[j] = scale * gradient[j] + add * row[j];
  }

  void AddOne(const float* row, int32_t id) {
    const float squared = DotOf(row, row, dim_), c = settings_.c;
    float scale = 1, bend = 0;
    if (settings_.place == Place::kSphere) {
      const float inverse = squared > 0 ? 1 / std::sqrt(squared) : 1.f;
      scale = settings_.radius * inverse;
      bend = squared > 0 ? -scale * inverse * inverse : 0.f;
    } else if (settings_.place == Place::kClipped) {
      scale = settings_.radius;
    } else {
      const float s = c * squared, limit = 1 - kRimMargin;
      if (settings_.place == Place::kTangent && s > 0) {
        if (s < 0.01f) {  // the series of tanh(sqrt(s))/sqrt(s) and of its slope
          scale = 1 + s * (-1.f / 3 + s * (2.f / 15 - s * (17.f / 315)));
          bend = 2 * c * (-1.f / 3 + s * (4.f / 15 - s * (17.f / 105)));
        } else {
          const float root = std::sqrt(s), bent = std::tanh(root);
          scale = bent / root;
          bend = c * (1 - bent * bent - scale) / s;
        }
      }
      // The projection leaves only the row's direction.
      if (s * scale * scale > limit * limit) {
        scale = limit / std::sqrt(s);
        bend = -scale / squared;
      }
    }
    row_[size_] = row;
    float* x = point(size_);
#pragma omp simd
    for (int j = 0; j < dim_; ++j) x[j] = scale * row[j];
    ids_[size_] = id;
    scale_[size_] = scale;
    bend_[size_] = bend;
    squared_[size_] = scale * scale * squared;
    const float complement = 1 - c * squared_[size_];
    complement_[size_] = std::max(complement, kRimMargin);
    inside_[size_] = complement > kRimMargin ? 1.f : 0.f;
    ++size_;
  }

  void AddTimes(float factor, const float* __restrict x, float* __restrict sum) const {
#pragma omp simd
    for (int j = 0; j < dim_; ++j) sum[j] += factor * x[j];
  }

  void Move(const SoftmaxTable& table, int64_t offset, float* gradient, float rate) {
    float* __restrict x = table.rows + offset;
    float* __restrict first = table.first + offset;
    float* __restrict second = table.second + offset;
    if (settings_.place == Place::kBall && settings_.rescale) {
      const float a = std::max(1 - settings_.c * DotOf(x, x, dim_), kRimMargin);
      for (int j = 0; j < dim_; ++j) gradient[j] *= a * a / 4;  // Eq. 14
    }
    const float beta_1 = settings_.beta_1, beta_2 = settings_.beta_2;
    const float rest_1 = 1 - beta_1, rest_2 = 1 - beta_2, epsilon = settings_.epsilon;
#pragma omp simd
    for (int j = 0; j < dim_; ++j) {
      const float m = beta_1 * first[j] + rest_1 * gradient[j];
      const float v = beta_2 * second[j] + rest_2 * gradient[j] * gradient[j];
      first[j] = m;
      second[j] = v;
      x[j] -= rate * m / (std::sqrt(v) + epsilon);
    }
    if (settings_.place != Place::kBall && settings_.place != Place::kClipped) return;
    const bool ball = settings_.place == Place::kBall;
    const float limit = ball ? 1 - kRimMargin : 1.f;
    const float s = (ball ? settings_.c : 1.f) * DotOf(x, x, dim_);
    if (s > limit * limit) {
      const float scale = limit / std::sqrt(s);
      for (int j = 0; j < dim_; ++j) x[j] *= scale;
    }
  }

  const SoftmaxSettings settings_;
  const int dim_;
  const int64_t stride_;
  int64_t size_ = 0;
  std::vector<int32_t> ids_;
  std::vector<const float*> row_;  // in the table, or in summed_
  std::vector<float> points_, gradients_, summed_;
  std::vector<float> scale_, bend_, squared_, complement_, inside_;
  std::vector<int32_t> place_of_, distinct_;  // -1, or the first place of a row
};

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SOFTMAX_ROWS_H_
