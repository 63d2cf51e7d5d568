// log(1 + z) and exp(x) as polynomials that a compiler vectorises: no call, no branch.

#ifndef HYPERML_TF_KERNELS_VECTOR_MATH_H_
#define HYPERML_TF_KERNELS_VECTOR_MATH_H_

#include <cmath>
#include <cstdint>
#include <cstring>

namespace hyperml {

inline float AsFloat(int32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline int32_t AsBits(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// log(1 + z) for 0 <= z < 1e38, to 1e-7 of its value: below sqrt(2) - 1 the polynomial
// is in z itself, so that no digit of a small z is lost in 1 + z. Cephes (Moshier).
inline float LogOnePlus(float z) {
  const float u = 1 + z;
  // u = 2^k m with m in [sqrt(1/2), sqrt(2)).
  const int32_t shifted = AsBits(u) - 0x3f3504f3;
  const int32_t k = shifted >> 23;
  const float m = AsFloat((shifted & 0x7fffff) + 0x3f3504f3);
  const float f = k == 0 ? z : m - 1, ff = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return k * 0.69314718056f + (f + ff * (p * f - 0.5f));
}

// exp(x) for x <= 0, 1e-38 where it would be less. Cephes (Moshier).
inline float ExpOfNegative(float x) {
  x = x < -87.f ? -87.f : x;
  const float k = std::floor(x * 1.44269504089f + 0.5f);
  const float f = x - k * 0.69314718056f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  const float value = p * f * f + f + 1;
  return value * AsFloat((static_cast<int32_t>(k) + 127) << 23);
}

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_VECTOR_MATH_H_
