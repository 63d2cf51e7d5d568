// Matrix products in blocks that stay in registers, for operands that lie in cache.

#ifndef HYPERML_TF_KERNELS_PRODUCT_H_
#define HYPERML_TF_KERNELS_PRODUCT_H_

#include <cstdint>

namespace hyperml {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 8;
#elif defined(__AVX__)
constexpr int kLanes = 8, kTileRows = 4;
#else
constexpr int kLanes = 4, kTileRows = 4;
#endif
typedef float Lanes __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

// Columns of an operand on the right and of a result come in multiples of this.
constexpr int64_t kTileColumns = 2 * kLanes;

inline int64_t Padded(int64_t columns) {
  return (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
}

// An operand on the left: a(i, k) = data[i * row + k * column].
struct Left {
  const float* data;
  int64_t row, column;
};

template <int kRows, bool kAdd>
inline void Tile(Left a, const float* b, int64_t b_stride, int64_t depth, float* c,
                 int64_t c_stride) {
  Lanes sum[kRows][2];
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) {
      const float* from = c + i * c_stride + h * kLanes;
      sum[i][h] = kAdd ? *reinterpret_cast<const Lanes*>(from) : Lanes{};
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    const float* here = b + k * b_stride;
    const Lanes left = *reinterpret_cast<const Lanes*>(here);
    const Lanes right = *reinterpret_cast<const Lanes*>(here + kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const float factor = a.data[i * a.row + k * a.column];
      sum[i][0] += factor * left;
      sum[i][1] += factor * right;
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) {
      *reinterpret_cast<Lanes*>(c + i * c_stride + h * kLanes) = sum[i][h];
    }
  }
}

// c(i, j) = sum over k of a(i, k) b(k, j), added to c if kAdd; c [rows, columns] with
// columns a multiple of kTileColumns.
template <bool kAdd>
void Product(Left a, const float* b, int64_t b_stride, int64_t rows, int64_t depth,
             int64_t columns, float* c, int64_t c_stride) {
  for (int64_t j = 0; j < columns; j += kTileColumns) {
    int64_t i = 0;
    for (; i + kTileRows <= rows; i += kTileRows) {
      const Left tile{a.data + i * a.row, a.row, a.column};
      Tile<kTileRows, kAdd>(tile, b + j, b_stride, depth, c + i * c_stride + j, c_stride);
    }
    for (; i < rows; ++i) {
      const Left tile{a.data + i * a.row, a.row, a.column};
      Tile<1, kAdd>(tile, b + j, b_stride, depth, c + i * c_stride + j, c_stride);
    }
  }
}

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_PRODUCT_H_
