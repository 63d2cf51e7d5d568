// Dropout masks: random bits by counters, so that a mask depends on nothing else.

#ifndef HYPERML_TF_KERNELS_MASKS_H_
#define HYPERML_TF_KERNELS_MASKS_H_

#include <cstdint>

namespace hyperml {
namespace {

// SplitMix64 (Steele et al. 2014).
inline uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

constexpr uint64_t kGolden64 = 0x9E3779B97F4A7C15u;
constexpr uint32_t kGolden32 = 0x9E3779B9u;

// 32 random bits of coordinate j of the row with this key: a counter through a
// two-round multiply-xorshift hash (constants of Wellons' lowbias32).
inline uint32_t Bits(uint64_t key, uint32_t j) {
  uint32_t x = static_cast<uint32_t>(key) + j * kGolden32;
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= (x >> 15) ^ static_cast<uint32_t>(key >> 32);
  x *= 0x846CA68Bu;
  return x ^ (x >> 16);
}

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_MASKS_H_
