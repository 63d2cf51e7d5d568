// What the softmax step does to every pair of a row of the batch: loops that vectorise.

#ifndef HYPERML_TF_KERNELS_SOFTMAX_LOOPS_H_
#define HYPERML_TF_KERNELS_SOFTMAX_LOOPS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "vector_math.h"

namespace hyperml {

// The score of a candidate that is left out.
constexpr float kMasked = -1e30f;

// How the score measures: by the inner product; by d^2 in flat space, or in curved.
enum class By { kDot, kFlat, kCurved };

// d^2 and its slope in q = gap/(ab). With t = cq, asinh(sqrt(t)) = log(1 + 2(t + p))/2,
// p = sqrt(t + t^2): nothing is subtracted, so that small t lose no digits.
template <By kBy>
inline float SquaredDistance(float q, float c, float* slope) {
  if constexpr (kBy == By::kFlat) {
    *slope = 4;
    return 4 * q;
  }
  const float t = c * q, p = std::max(std::sqrt(t + t * t), 1e-18f);
  const float asinh = 0.5f * LogOnePlus(2 * (t + p));
  *slope = 4 * asinh / p;
  return 4 / c * asinh * asinh;
}

// What a row's candidates are: numbers of the loops below, [n] each.
struct Row {
  int64_t n;
  const int32_t* candidate;
  int32_t masked;  // the positive
  const float *shift, *by_b;
  float by_a, c, by_temperature;
};

// Scores over tau of inner products; the largest.
inline float ScoresOfProducts(const Row& row, const float* __restrict product,
                       float* __restrict score) {
  const int32_t* __restrict candidate = row.candidate;
  const float* __restrict shift = row.shift;
  const float by_temperature = row.by_temperature;
  const int32_t masked = row.masked;
  float top = kMasked;
#pragma omp simd reduction(max : top)
  for (int64_t j = 0; j < row.n; ++j) {
    const float s = (shift[j] + product[j]) * by_temperature;
    score[j] = candidate[j] == masked ? kMasked : s;
    top = std::max(top, score[j]);
  }
  return top;
}

// Scores over tau of gaps |x-y|^2, and d d^2/d gap; the largest score.
template <By kBy>
float ScoresOfGaps(const Row& row, const float* __restrict gap, float* __restrict score,
                   float* __restrict slope) {
  const int32_t* __restrict candidate = row.candidate;
  const float* __restrict shift = row.shift;
  const float* __restrict by_b = row.by_b;
  const float by_a = row.by_a, c = row.c, by_temperature = row.by_temperature;
  const int32_t masked = row.masked;
  float top = kMasked;
#pragma omp simd reduction(max : top)
  for (int64_t j = 0; j < row.n; ++j) {
    const float by_ab = by_a * by_b[j];
    float of_q;
    const float squared = SquaredDistance<kBy>(gap[j] * by_ab, c, &of_q);
    const float s = (shift[j] - squared) * by_temperature;
    score[j] = candidate[j] == masked ? kMasked : s;
    slope[j] = of_q * by_ab;
    top = std::max(top, score[j]);
  }
  return top;
}

// Shares of scores, but for their sum, which is returned.
inline float Shares(int64_t n, float highest, float* __restrict score) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; ++j) {
    score[j] = ExpOfNegative(score[j] - highest);
    sum += score[j];
  }
  return sum;
}

// Weights of differences of points, twice `each` share times its slope, into `weight`;
// what a row and the columns have of them, and of them times their gaps.
struct RowSums {
  float weight, bend;
};

inline RowSums WeightsOfGaps(int64_t n, float each, const float* __restrict share,
                             const float* __restrict slope, const float* __restrict gap,
                             float* __restrict weight, float* __restrict column,
                             float* __restrict column_bend) {
  float sum = 0, sum_bend = 0;
#pragma omp simd reduction(+ : sum, sum_bend)
  for (int64_t j = 0; j < n; ++j) {
    const float m = 2 * each * share[j] * slope[j], bend = m * gap[j];
    weight[j] = m;
    sum += m;
    sum_bend += bend;
    column[j] += m;
    column_bend[j] += bend;
  }
  return {sum, sum_bend};
}

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SOFTMAX_LOOPS_H_
