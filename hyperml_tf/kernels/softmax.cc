// The loss and its gradient in blocks of rows of the Gram matrix that stay in cache.

#include "softmax.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "product.h"
#include "softmax_history.h"
#include "softmax_loops.h"
#include "softmax_rows.h"

namespace hyperml {
namespace {

// As in geometry/gram.py.
constexpr float kNearRim = 0.05f, kClose = 1e-3f;

// Rows of a block: [64, 512] floats are 128 KB, in the second cache.
constexpr int64_t kBlock = 64;

class Trainer final : public SoftmaxTrainer {
 public:
  explicit Trainer(const SoftmaxSettings& settings)
      : settings_(settings),
        history_(settings),
        users_(settings, settings.batch_size),
        items_(settings, 2 * settings.batch_size) {}

  SoftmaxTerms Step(const SoftmaxTable& users, const SoftmaxTable& items,
                    const SoftmaxBatch& batch, int64_t step, float rate) override {
    if (!settings_.distance) return StepBy<By::kDot>(users, items, batch, step, rate);
    if (settings_.c == 0) return StepBy<By::kFlat>(users, items, batch, step, rate);
    return StepBy<By::kCurved>(users, items, batch, step, rate);
  }

 private:
  template <By kBy>
  SoftmaxTerms StepBy(const SoftmaxTable& users, const SoftmaxTable& items,
                      const SoftmaxBatch& batch, int64_t step, float rate) {
    const int64_t size = batch.size, n = batch.candidates;
    Gather(users, items, batch, step);
    const int64_t stride = users_.stride(), columns = Padded(n);
    std::fill_n(items_.gradient(size), n * stride, 0.f);
    double loss = 0;
    for (int64_t start = 0; start < size; start += kBlock) {
      const int64_t rows = std::min(kBlock, size - start);
      float *block = block_.data(), *here = users_.point(start);
      Product<false>({here, stride, 1}, transposed_.data(), columns, rows, settings_.dim,
                     columns, block, columns);
      for (int64_t r = 0; r < rows; ++r) {
        loss += Weights<kBy>(batch, start + r, &own_[r], &to_pos_[r], block + r * columns);
      }
      Product<false>({block, columns, 1}, items_.point(size), stride, rows, n, stride,
                     users_.gradient(start), stride);
      Product<true>({block, 1, columns}, here, stride, n, rows, stride,
                    items_.gradient(size), stride);
      for (int64_t r = 0; r < rows; ++r) {
        float* gradient = users_.gradient(start + r);
        AddTimes(own_[r], users_.point(start + r), gradient);
        AddTimes(to_pos_[r], items_.point(start + r), gradient);
      }
    }
    for (int64_t j = 0; kBy != By::kDot && j < n; ++j) {
      const int64_t i = size + j;
      const float bend = settings_.c * items_.inside()[i] * by_b_[j];
      AddTimes(-column_[j] - bend * column_bend_[j], items_.point(i), items_.gradient(i));
    }
    if (settings_.mask_known) ForgetPlaces(batch);
    return Move(users, items, batch, loss / size, step, rate);
  }

  // The rows of the step as points, and what else the rows of the block need.
  void Gather(const SoftmaxTable& users, const SoftmaxTable& items,
              const SoftmaxBatch& batch, int64_t step) {
    const int64_t size = batch.size, n = batch.candidates;
    items_.Reserve(size + n);
    users_.Clear();
    items_.Clear();
    if (settings_.history != 0) {
      history_.Keep(batch, step);
      users_.AddWith(users, batch.user, size, history_, items);
    } else {
      users_.Add(users, batch.user, size);
    }
    items_.Add(items, batch.pos_item, size);
    items_.Add(items, batch.candidate, n);  // behind the positives
    block_.resize(kBlock * Padded(n));
    Transpose(size, n);
    for (auto* row : {&score_, &gap_, &slope_, &shift_, &by_b_}) row->resize(n);
    column_.assign(n, 0.f);
    column_bend_.assign(n, 0.f);
    least_ = 1;
    for (int64_t j = 0; j < n; ++j) {
      const float b = items_.complement()[size + j];
      shift_[j] = batch.shift ? batch.shift[batch.candidate[j]] : 0.f;
      by_b_[j] = 1 / b;
      least_ = std::min(least_, b);
    }
    if (settings_.mask_known) FindPlaces(batch, items.size);
  }

  // The candidates' points, [D, n]; columns from n on are 0.
  void Transpose(int64_t first, int64_t n) {
    const int64_t columns = Padded(n);
    transposed_.assign(settings_.dim * columns, 0.f);
    for (int64_t j = 0; j < n; ++j) {
      const float* point = items_.point(first + j);
      for (int k = 0; k < settings_.dim; ++k) transposed_[k * columns + j] = point[k];
    }
  }

  // The loss of row i. Its inner products `block` [n] become weights: the gradient of
  // the user's point is their product with the candidates, plus `own` times the point
  // and `to_pos` times the positive's. The positive's gradient is written.
  template <By kBy>
  float Weights(const SoftmaxBatch& batch, int64_t i, float* own, float* to_pos,
                float* __restrict block) {
    const int64_t n = batch.candidates;
    const float top = Scores<kBy>(batch, i, block);
    const float by_temperature = 1 / settings_.temperature, c = settings_.c;
    const int dim = settings_.dim;
    const float *u = users_.point(i), *p = items_.point(i);
    const float a = users_.complement()[i], b = items_.complement()[i];
    float pos = batch.shift ? batch.shift[batch.pos_item[i]] : 0.f;
    float pos_gap = 0, pos_slope = 0;
    if constexpr (kBy == By::kDot) {
      pos += DotOf(u, p, dim);
    } else {
      // Of a given pair, coordinate by coordinate: no digits cancel.
      pos_gap = SquaredGap(u, p, dim);
      pos -= SquaredDistance<kBy>(pos_gap / (a * b), c, &pos_slope);
      pos_slope /= a * b;
    }
    pos *= by_temperature;
    const float highest = std::max(top, pos);
    const float others = Shares(n, highest, score_.data());
    const float sum = std::exp(pos - highest) + others;
    const float each = by_temperature / (sum * batch.size);
    const float by_pos = -each * others;  // d loss/d score: (share - 1)/(tau B)
    float* gp = items_.gradient(i);
    if constexpr (kBy == By::kDot) {
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) block[j] = each * score_[j];
      *own = 0;
      *to_pos = by_pos;
      for (int j = 0; j < dim; ++j) gp[j] = by_pos * u[j];
    } else {
      const RowSums row =
          WeightsOfGaps(n, each, score_.data(), slope_.data(), gap_.data(), block,
                        column_.data(), column_bend_.data());
      const float m = -2 * by_pos * pos_slope, bend = m * pos_gap;
      *own = m - row.weight + c * users_.inside()[i] * (bend - row.bend) / a;
      *to_pos = -m;
      const float pos_own = m + c * items_.inside()[i] * bend / b;
      for (int j = 0; j < dim; ++j) gp[j] = pos_own * p[j] - m * u[j];
    }
    return std::log(sum) + highest - pos;
  }

  // Fills score_, and gap_ and slope_ of distances; an upper bound of the scores.
  template <By kBy>
  float Scores(const SoftmaxBatch& batch, int64_t i, const float* __restrict block) {
    const int64_t n = batch.candidates;
    const float xx = users_.squared()[i], a = users_.complement()[i];
    const Row row{n,      batch.candidate, batch.pos_item[i], shift_.data(), by_b_.data(),
                  1 / a, settings_.c,     1 / settings_.temperature};
    float top;
    if constexpr (kBy == By::kDot) {
      top = ScoresOfProducts(row, block, score_.data());
    } else {
      const float* __restrict yy = items_.squared() + batch.size;
      float* __restrict gap = gap_.data();
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) {
        gap[j] = std::max(xx + yy[j] - 2 * block[j], 0.f);
      }
      if (settings_.c > 0 && a * least_ < kNearRim) ByCoordinates(batch, i);
      top = ScoresOfGaps<kBy>(row, gap, score_.data(), slope_.data());
    }
    if (settings_.mask_known) {
      const int64_t* split = batch.known_split + batch.user[i];
      for (int64_t k = split[0]; k < split[1]; ++k) {
        const int32_t item = batch.known_item[k];
        for (int32_t at = place_of_[item]; at >= 0; at = next_[at]) score_[at] = kMasked;
      }
    }
    return top;
  }

  // Gaps of row i that the Gram matrix has lost, see geometry/gram.py.
  void ByCoordinates(const SoftmaxBatch& batch, int64_t i) {
    const float a = users_.complement()[i], xx = users_.squared()[i];
    for (int64_t j = 0; j < batch.candidates; ++j) {
      const int64_t at = batch.size + j;
      if (gap_[j] < kClose * (xx + items_.squared()[at]) &&
          a * items_.complement()[at] < kNearRim) {
        gap_[j] = SquaredGap(users_.point(i), items_.point(at), settings_.dim);
      }
    }
  }

  // Where among the candidates an item is: place_of_, then next_, then -1.
  void FindPlaces(const SoftmaxBatch& batch, int64_t items) {
    if (static_cast<int64_t>(place_of_.size()) != items) place_of_.assign(items, -1);
    next_.resize(batch.candidates);
    for (int64_t j = 0; j < batch.candidates; ++j) {
      int32_t& place = place_of_[batch.candidate[j]];
      next_[j] = place;
      place = static_cast<int32_t>(j);
    }
  }

  void ForgetPlaces(const SoftmaxBatch& batch) {
    for (int64_t j = 0; j < batch.candidates; ++j) place_of_[batch.candidate[j]] = -1;
  }

  void AddTimes(float factor, const float* x, float* sum) const {
#pragma omp simd
    for (int j = 0; j < settings_.dim; ++j) sum[j] += factor * x[j];
  }

  // Lazy Adam on the rows of the step.
  SoftmaxTerms Move(const SoftmaxTable& users, const SoftmaxTable& items,
                    const SoftmaxBatch& batch, double loss, int64_t step, float rate) {
    const int64_t size = batch.size, n = batch.candidates;
    const float l2 = settings_.l2;
    double total = loss;
    if (l2 != 0) {
      total += l2 * (users_.SquaredRows(0, size) + items_.SquaredRows(0, size)) / size;
      total += l2 * items_.SquaredRows(size, size + n) / n;
    }
    rate *= std::sqrt(1 - std::pow(double{settings_.beta_2}, step + 1)) /
            (1 - std::pow(double{settings_.beta_1}, step + 1));
    users_.ToRows(size, 2 * l2 / size, 0);
    items_.ToRows(size, 2 * l2 / size, 2 * l2 / n);
    items_.Sum(items);
    if (settings_.history != 0) items_.AddHistories(users_, history_);
    users_.Sum(users);
    users_.MoveAll(users, rate);
    items_.MoveAll(items, rate);
    return {static_cast<float>(total), static_cast<float>(loss)};
  }

  const SoftmaxSettings settings_;
  History history_;
  StepRows users_, items_;
  std::vector<float> block_, transposed_, score_, gap_, slope_, shift_, by_b_, column_, column_bend_;
  std::vector<int32_t> place_of_, next_;
  float own_[kBlock], to_pos_[kBlock];
  float least_;  // of the candidates' complements
};

}  // namespace

std::unique_ptr<SoftmaxTrainer> NewSoftmaxTrainer(const SoftmaxSettings& settings) {
  return std::make_unique<Trainer>(settings);
}

}  // namespace hyperml
