// The optimizers, row by row.

#ifndef HYPERML_TF_KERNELS_UPDATER_H_
#define HYPERML_TF_KERNELS_UPDATER_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ball.h"
#include "rows.h"
#include "step.h"

namespace hyperml {
namespace {

// Rows and slots are fetched so many rows early, see trainer.h. A row has been read for
// its gradient, but a batch may have pushed it out of the cache since.
constexpr int kRowsAhead = 8;

// Moves rows by the optimizer, and brings them back to where the model's rows lie.
template <int kDim>
class Updater {
 public:
  explicit Updater(const Settings& settings)
      : settings_(settings), none_(settings.dim) {}

  // Moves the rows that have a gradient; dense Adam moves the others too.
  void Update(const Table& table, RowSet& rows, int64_t step, float rate) {
    const int slots = SlotsOf(settings_.optimizer);
    rate = Corrected(rate, step);
    for (int32_t i = 0; i < rows.size(); ++i) {
      const int64_t later = int64_t{rows.id(std::min(i + kRowsAhead, rows.size() - 1))};
      Prefetch(table.rows + later * dim(), dim());
      for (int k = 0; k < slots; ++k) Prefetch(table.slots[k] + later * dim(), dim());
      const int64_t offset = int64_t{rows.id(i)} * dim();
      float* x = table.rows + offset;
      float* gradient = rows.gradient(i);
      if (settings_.model == Model::kHyperML && settings_.rescale) {
        // Eq. 14.
        const float a = std::max(1 - settings_.c * Dot<kDim>(x, x, dim()), kBallMargin);
        const float scale = Square(a / 2);
#pragma omp simd
        for (int j = 0; j < dim(); ++j) gradient[j] *= scale;
      }
      Move(x, gradient, table.slots[0] + offset, table.slots[1] + offset, rate);
      Retract(x);
    }
    if (settings_.optimizer != Optimizer::kAdamDense) return;
    for (int64_t id = 0; id < table.size; ++id) {
      if (rows.Has(id)) continue;
      const int64_t offset = id * dim();
      float* x = table.rows + offset;
      Move(x, none_.data(), table.slots[0] + offset, table.slots[1] + offset, rate);
      Retract(x);
    }
  }

  // Moves the rows at places [begin, end) of a set by the sums of their gradients, of
  // which `gradients` has D numbers each; the sums take the place of the first.
  void UpdateSome(const Table& table, const RowLists& rows, float* gradients,
                  int32_t begin, int32_t end, int64_t step, float rate) {
    const int slots = SlotsOf(settings_.optimizer);
    rate = Corrected(rate, step);
    for (int32_t i = begin; i < end; ++i) {
      const int64_t later = int64_t{rows.id(std::min(i + kRowsAhead, end - 1))};
      Prefetch(table.rows + later * dim(), dim());
      for (int k = 0; k < slots; ++k) Prefetch(table.slots[k] + later * dim(), dim());
      float* gradient = gradients + int64_t{rows.first(i)} * dim();
      for (int32_t g = rows.next(rows.first(i)); g >= 0; g = rows.next(g)) {
        const float* more = gradients + int64_t{g} * dim();
#pragma omp simd
        for (int j = 0; j < dim(); ++j) gradient[j] += more[j];
      }
      MoveRow(table, rows.id(i), gradient, rate);
    }
  }

  // Moves the rows of [begin, end) that have no gradient, as dense Adam does.
  void UpdateOthers(const Table& table, const RowLists& rows, int64_t begin, int64_t end,
                    int64_t step, float rate) {
    rate = Corrected(rate, step);
    for (int64_t id = begin; id < end; ++id) {
      if (rows.Has(id)) continue;
      const int64_t offset = id * dim();
      float* x = table.rows + offset;
      Move(x, none_.data(), table.slots[0] + offset, table.slots[1] + offset, rate);
      Retract(x);
    }
  }

  // Moves all of a dense variable of N D numbers, D at a time.
  void UpdateAll(const Table& table, const float* gradient, int64_t step, float rate) {
    rate = Corrected(rate, step);
    for (int64_t i = 0; i < int64_t{settings_.memory_size} * dim(); i += dim()) {
      Move(table.rows + i, gradient + i, table.slots[0] + i, table.slots[1] + i, rate);
    }
  }

 private:
  int dim() const { return kDim ? kDim : settings_.dim; }

  // Moves one row by its gradient, Riemannian where the model's rows lie in the ball.
  // `Update` does the same in its own words: another text there would let the compiler
  // order its sums otherwise, and move the last bits of every run.
  void MoveRow(const Table& table, int64_t id, float* gradient, float rate) {
    const int64_t offset = id * dim();
    float* x = table.rows + offset;
    if (settings_.model == Model::kHyperML && settings_.rescale) {
      // Eq. 14.
      const float a = std::max(1 - settings_.c * Dot<kDim>(x, x, dim()), kBallMargin);
      const float scale = Square(a / 2);
#pragma omp simd
      for (int j = 0; j < dim(); ++j) gradient[j] *= scale;
    }
    Move(x, gradient, table.slots[0] + offset, table.slots[1] + offset, rate);
    Retract(x);
  }

  // Adam's bias correction.
  float Corrected(float rate, int64_t step) const {
    if (SlotsOf(settings_.optimizer) == 2) {
      rate *= std::sqrt(1 - std::pow(double{settings_.beta_2}, step + 1)) /
              (1 - std::pow(double{settings_.beta_1}, step + 1));
    }
    return rate;
  }

  void Move(float* __restrict x, const float* __restrict gradient,
            float* __restrict first, float* __restrict second, float rate) {
    const float epsilon = settings_.epsilon;
    switch (settings_.optimizer) {
      case Optimizer::kAdam:
      case Optimizer::kAdamDense: {
        const float beta_1 = settings_.beta_1, beta_2 = settings_.beta_2;
        const float rest_1 = 1 - beta_1, rest_2 = 1 - beta_2;
#pragma omp simd
        for (int j = 0; j < dim(); ++j) {
          const float m = beta_1 * first[j] + rest_1 * gradient[j];
          const float v = beta_2 * second[j] + rest_2 * Square(gradient[j]);
          first[j] = m;
          second[j] = v;
          x[j] -= rate * m / (std::sqrt(v) + epsilon);
        }
        return;
      }
      case Optimizer::kAdagrad:
#pragma omp simd
        for (int j = 0; j < dim(); ++j) {
          first[j] += Square(gradient[j]);
          x[j] -= rate * gradient[j] / std::sqrt(first[j] + epsilon);
        }
        return;
      case Optimizer::kSgd:
#pragma omp simd
        for (int j = 0; j < dim(); ++j) x[j] -= rate * gradient[j];
    }
  }

  // Brings a moved row back to where the model's rows lie.
  void Retract(float* x) {
    const bool ball = settings_.model == Model::kHyperML;
    if (!ball && settings_.model != Model::kCML) return;
    const float limit = ball ? 1 - kBallMargin : 1.f;
    const float s = (ball ? settings_.c : 1.f) * Dot<kDim>(x, x, dim());
    if (s > limit * limit) {
      const float scale = limit / std::sqrt(s);
#pragma omp simd
      for (int j = 0; j < dim(); ++j) x[j] *= scale;
    }
  }

  const Settings settings_;
  const std::vector<float> none_;  // a gradient of zeros
};

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_UPDATER_H_
