// LRML's relation of a pair, r = aM with a = softmax(z), z = (u⊙v)K, and its gradients.
//
// K is kept transposed, [N, D] like M, so that every loop runs over D; both are padded
// with zero rows to a multiple of kBlock memory slots.

#ifndef HYPERML_TF_KERNELS_RELATION_H_
#define HYPERML_TF_KERNELS_RELATION_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace hyperml {

// exp(x) of x <= 0 in a form that vectorises, as std::exp does not: 2^k exp(x - k ln 2)
// by the series, whose rest is below 6e-9. Below -87, where floats end, exp(-87).
inline float ExpOfNegative(float x) {
  x = std::max(x, -87.f);  // in this order: keeps NaN
  const float k = std::rint(x * 1.44269504f);
  const float r = x - k * 0.693147181f;
  float sum = 1.f / 5040;
  for (float term : {1.f / 720, 1.f / 120, 1.f / 24, 1.f / 6, 1.f / 2, 1.f, 1.f}) {
    sum = sum * r + term;
  }
  const int32_t bits = (static_cast<int32_t>(k) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return power * sum;
}

// kDim > 0 fixes D at compile time.
template <int kDim>
class Relation {
 public:
  Relation(int dim, int memory_size)
      : dim_(dim),
        slots_(memory_size),
        padded_((memory_size + kBlock - 1) / kBlock * kBlock),
        keys_(padded_ * dim),
        memory_(padded_ * dim),
        keys_gradient_(padded_ * dim),
        memory_gradient_(padded_ * dim),
        weights_(padded_),
        by_slot_(padded_),
        product_(dim),
        moved_(dim),
        back_(dim) {}

  // Takes a step's K [D, N] and M [N, D]; gradients are zero again.
  void Begin(const float* keys, const float* memory) {
    for (int j = 0; j < dim(); ++j) {
      for (int n = 0; n < slots_; ++n) keys_[n * dim() + j] = keys[j * slots_ + n];
    }
    std::copy_n(memory, slots_ * dim(), memory_.data());
    std::fill(keys_gradient_.begin(), keys_gradient_.end(), 0.f);
    std::fill(memory_gradient_.begin(), memory_gradient_.end(), 0.f);
  }

  // w = u + r of the pair (u, v), until the next call.
  const float* Moved(const float* u, const float* v) {
    float *product = product_.data(), *moved = moved_.data();
#pragma omp simd
    for (int j = 0; j < dim(); ++j) product[j] = u[j] * v[j];
    Products(keys_.data(), product, weights_.data());
    Softmax(weights_.data());
    std::copy_n(u, dim(), moved);
    AddCombination(memory_.data(), weights_.data(), moved);
    return moved;
  }

  // Backward through the last pair (u, v). Adds to the gradients of K and M, and to
  // that of v; `gu` has the gradient g of w, and gets that of u. With h = K g_z,
  //   g_M = aᵀg,  g_a = Mg,  g_z = a⊙(g_a - <a, g_a>),  g_K = (u⊙v) g_zᵀ,
  //   g_u = g + v⊙h,  g_v = u⊙h.
  void AddGradients(const float* u, const float* v, float* gu, float* gv) {
    float *by_slot = by_slot_.data(), *back = back_.data();
    const float* weights = weights_.data();
    AddOuter(weights, gu, memory_gradient_.data());
    Products(memory_.data(), gu, by_slot);
    float mean = 0;
#pragma omp simd reduction(+ : mean)
    for (int n = 0; n < padded_; ++n) mean += weights[n] * by_slot[n];
#pragma omp simd
    for (int n = 0; n < padded_; ++n) by_slot[n] = weights[n] * (by_slot[n] - mean);
    AddOuter(by_slot, product_.data(), keys_gradient_.data());
    std::fill_n(back, dim(), 0.f);
    AddCombination(keys_.data(), by_slot, back);
#pragma omp simd
    for (int j = 0; j < dim(); ++j) {
      gu[j] += v[j] * back[j];
      gv[j] += u[j] * back[j];
    }
  }

  // The step's gradients: of K, [D, N] again and in the place of K, and of M.
  const float* KeysGradient() {
    for (int j = 0; j < dim(); ++j) {
      for (int n = 0; n < slots_; ++n) {
        keys_[j * slots_ + n] = keys_gradient_[n * dim() + j];
      }
    }
    return keys_.data();
  }
  const float* MemoryGradient() const { return memory_gradient_.data(); }

 private:
  // Slots taken at once: loads of the vector are shared, sums do not wait.
  static constexpr int kBlock = 4;

  int dim() const { return kDim ? kDim : dim_; }

  // z_n = <row n, x>.
  void Products(const float* __restrict rows, const float* __restrict x,
                float* __restrict z) const {
    for (int n = 0; n < padded_; n += kBlock, rows += kBlock * dim()) {
      const float *row_1 = rows + dim(), *row_2 = row_1 + dim(), *row_3 = row_2 + dim();
      float z_0 = 0, z_1 = 0, z_2 = 0, z_3 = 0;
#pragma omp simd reduction(+ : z_0, z_1, z_2, z_3)
      for (int j = 0; j < dim(); ++j) {
        z_0 += rows[j] * x[j];
        z_1 += row_1[j] * x[j];
        z_2 += row_2[j] * x[j];
        z_3 += row_3[j] * x[j];
      }
      z[n] = z_0, z[n + 1] = z_1, z[n + 2] = z_2, z[n + 3] = z_3;
    }
  }

  // sum += Σ z_n row n.
  void AddCombination(const float* __restrict rows, const float* __restrict z,
                      float* __restrict sum) const {
    for (int n = 0; n < padded_; n += kBlock, rows += kBlock * dim()) {
      const float *row_1 = rows + dim(), *row_2 = row_1 + dim(), *row_3 = row_2 + dim();
      const float z_0 = z[n], z_1 = z[n + 1], z_2 = z[n + 2], z_3 = z[n + 3];
#pragma omp simd
      for (int j = 0; j < dim(); ++j) {
        sum[j] += (z_0 * rows[j] + z_1 * row_1[j]) + (z_2 * row_2[j] + z_3 * row_3[j]);
      }
    }
  }

  // Row n += z_n x.
  void AddOuter(const float* __restrict z, const float* __restrict x,
                float* __restrict rows) const {
    for (int n = 0; n < slots_; ++n, rows += dim()) {
      const float by = z[n];
#pragma omp simd
      for (int j = 0; j < dim(); ++j) rows[j] += by * x[j];
    }
  }

  // In place; padding gets the weight 0.
  void Softmax(float* z) const {
    float largest = z[0], sum = 0;
#pragma omp simd reduction(max : largest)
    for (int n = 0; n < slots_; ++n) largest = std::max(largest, z[n]);
#pragma omp simd reduction(+ : sum)
    for (int n = 0; n < slots_; ++n) {
      z[n] = ExpOfNegative(z[n] - largest);
      sum += z[n];
    }
#pragma omp simd
    for (int n = 0; n < slots_; ++n) z[n] /= sum;
    std::fill(z + slots_, z + padded_, 0.f);
  }

  const int dim_, slots_, padded_;
  std::vector<float> keys_, memory_, keys_gradient_, memory_gradient_;
  std::vector<float> weights_, by_slot_;       // [N]
  std::vector<float> product_, moved_, back_;  // [D]
};

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_RELATION_H_
