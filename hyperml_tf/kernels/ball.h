// The Poincare ball by scalars: points of rows, distances and distortions of pairs, as
// in geometry/poincare.py, and their gradients.

#ifndef HYPERML_TF_KERNELS_BALL_H_
#define HYPERML_TF_KERNELS_BALL_H_

#include <algorithm>
#include <cmath>

#include "step.h"

namespace hyperml {
namespace {

// As in geometry/poincare.py: how far inside the rim a projected point lies, and the
// floor under 1 - c|x|^2.
constexpr float kBallMargin = 1e-5f;
// Below, series leave 2e-8; above, closed forms lose no more than two bits.
constexpr float kSeriesBelow = 0.1f;

inline float Square(float x) { return x * x; }

// f(s) and f'(s).
struct Smooth {
  float value, slope;
};

// The tail of the series 1 + k0 s + k1 s^2 + ..., divided by s; and its derivative.
template <int kTerms>
inline float Polynomial(const float (&k)[kTerms], float s) {
  float sum = 0;
  for (int i = kTerms - 1; i >= 0; --i) sum = sum * s + k[i];
  return sum;
}

template <int kTerms>
inline float PolynomialSlope(const float (&k)[kTerms], float s) {
  float sum = 0;
  for (int i = kTerms - 1; i >= 0; --i) sum = sum * s + (i + 1) * k[i];
  return sum;
}

// A(s) = asinh(sqrt(s))/sqrt(s). From A + 2sA' = 1/sqrt(1+s) comes the slope.
inline Smooth Asinhc(float s) {
  if (s < kSeriesBelow) {
    constexpr float k[] = {-1.f / 6,    3.f / 40,     -5.f / 112,
                           35.f / 1152, -63.f / 2816, 231.f / 13312};
    return {Polynomial(k, s) * s + 1, PolynomialSlope(k, s)};
  }
  const float root = std::sqrt(s), hypotenuse = std::sqrt(1 + s);
  const float value = std::log(root + hypotenuse) / root;
  return {value, (1 / hypotenuse - value) / (2 * s)};
}

// T(s) = tanh(sqrt(s))/sqrt(s). From T + 2sT' = 1 - tanh^2 comes the slope.
inline Smooth Tanhc(float s) {
  if (s < kSeriesBelow) {
    constexpr float k[] = {-1.f / 3,    2.f / 15,            -17.f / 315,
                           62.f / 2835, -1382.f / 155925.f, 21844.f / 6081075.f};
    return {Polynomial(k, s) * s + 1, PolynomialSlope(k, s)};
  }
  const float root = std::sqrt(s), hyperbolic = std::tanh(root);
  const float value = hyperbolic / root;
  return {value, (1 - Square(hyperbolic) - value) / (2 * s)};
}

// A row as a point: point = scale * row, and back from the gradient g of the point,
// gradient of the row = scale * g + bend * <g, row> * row.
struct PointMap {
  float scale, bend;
};

// `squared` is the row's squared norm.
inline PointMap ToPoint(const Settings& settings, float squared) {
  const float c = settings.c, limit = 1 - kBallMargin;
  const float s = c * squared;
  PointMap map{1, 0};
  if (settings.model == Model::kHyperTS) {
    const Smooth t = Tanhc(s);
    map = {t.value, 2 * c * t.slope};
  } else if (settings.model != Model::kHyperML) {
    return map;
  }
  // The projection leaves only the row's direction, whatever came before it.
  if (s * Square(map.scale) > limit * limit) {
    map.scale = limit / std::sqrt(s);
    map.bend = -map.scale / squared;
  }
  return map;
}

struct Pair {
  float squared_distance, distortion;
  float a, b, ab, q;
  float a_value, a_slope;  // A(cq) and A'(cq)
  float root_slope;        // 1/sqrt(1+cq)
};

// Everything of Eqs 10 and 12 for points of squared norms xx, yy and gap |x-y|^2:
//   q = gap/(ab),  d^2 = 4 q A(cq)^2,  distortion = 2 A(cq)/sqrt(ab) - 1.
inline Pair MakePair(float c, float xx, float yy, float gap) {
  Pair r;
  r.a = std::max(1 - c * xx, kBallMargin);
  r.b = std::max(1 - c * yy, kBallMargin);
  r.ab = r.a * r.b;
  r.q = gap / r.ab;
  const float s = c * r.q;
  const Smooth asinhc = Asinhc(s);
  r.a_value = asinhc.value;
  r.a_slope = asinhc.slope;
  r.root_slope = 1 / std::sqrt(1 + s);
  r.squared_distance = 4 * r.q * Square(asinhc.value);
  r.distortion = 2 * asinhc.value / std::sqrt(r.ab) - 1;
  return r;
}

// Adds the gradient of weight * d^2 + gamma * distortion to coefficients of x, y and
// of x - y. With d(d^2)/dq = 4A(A + 2sA') = 4A/sqrt(1+s).
inline void AddPairGradient(const Pair& r, float c, float weight, float gamma,
                            float* x, float* y, float* gap) {
  const float root = 1 / std::sqrt(r.ab);
  const float by_q = weight * 4 * r.a_value * r.root_slope +
                     gamma * 2 * c * r.a_slope * root;
  // ab enters by q = gap/(ab) and by the distortion's own root.
  const float by_ab = -(by_q * r.q + gamma * r.a_value * root) / r.ab;
  *gap += 2 * by_q / r.ab;
  *x += -2 * c * r.b * by_ab;
  *y += -2 * c * r.a * by_ab;
}

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_BALL_H_
