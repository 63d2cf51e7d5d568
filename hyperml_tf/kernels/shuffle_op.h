// HypermlShuffle: the order of an epoch.

#ifndef HYPERML_TF_KERNELS_SHUFFLE_OP_H_
#define HYPERML_TF_KERNELS_SHUFFLE_OP_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace hyperml {
namespace {

namespace tf = ::tensorflow;

// The permutation of tf.random.experimental.index_shuffle with four rounds, which
// schedules its keys anew for every index: a Simon cipher (Beaulieu et al. 2013) on
// blocks just large enough, walked until it lands in [0, max_index].
REGISTER_OP("HypermlShuffle")
    .Input("index: int64")
    .Input("key: int64")
    .Input("max_index: int64")
    .Output("shuffled: int64")
    .SetShapeFn([](tf::shape_inference::InferenceContext* context) {
      context->set_output(0, context->input(0));
      return absl::OkStatus();
    });

// Blocks of two words of W bits, in a Block of at least 2W.
template <typename Block>
class Simon {
 public:
  Simon(const uint32_t (&key)[3], int word_bits)
      : bits_(word_bits), mask_((Block{1} << word_bits) - 1) {
    for (int i = 0; i < 3; ++i) keys_[i] = key[i] & mask_;
    // The schedule's constant, with the first bit of its sequence z.
    const Block constant = (0xFFFFFFFCu ^ 1) & mask_;
    keys_[3] = constant ^ keys_[0] ^ Left(keys_[2], bits_ - 3) ^
               Left(keys_[2], bits_ - 4);
  }

  Block Encrypt(Block block) const {
    Block left = (block >> bits_) & mask_, right = block & mask_;
    for (int i = 0; i < 4; i += 2) {
      left ^= Round(right) ^ keys_[i];
      right ^= Round(left) ^ keys_[i + 1];
    }
    return left << bits_ | right;
  }

 private:
  Block Left(Block x, int by) const {
    return (x << by | x >> (bits_ - by)) & mask_;
  }

  Block Round(Block x) const { return (Left(x, 1) & Left(x, 8)) ^ Left(x, 2); }

  const int bits_;
  const Block mask_;
  Block keys_[4];
};

// Where indices in [0, last] go, walked together, so that a processor's vectors are
// full: those that land beyond `last` move up and walk on.
template <typename Block>
void Walk(const Simon<Block>& simon, Block last, const int64_t* index, int64_t count,
          int64_t* shuffled) {
  constexpr int64_t kTogether = 512;
  Block walked[kTogether];
  int32_t place[kTogether];
  for (int64_t begin = 0; begin < count; begin += kTogether) {
    int64_t left = std::min(kTogether, count - begin);
    for (int32_t i = 0; i < left; ++i) {
      walked[i] = index[begin + i];
      place[i] = i;
    }
    while (left > 0) {
#pragma omp simd
      for (int64_t i = 0; i < left; ++i) walked[i] = simon.Encrypt(walked[i]);
      int64_t outside = 0;
      for (int64_t i = 0; i < left; ++i) {
        const Block at = walked[i];
        const int32_t whose = place[i];
        shuffled[begin + whose] = at;  // for good, if it is inside
        walked[outside] = at;
        place[outside] = whose;
        outside += at > last;
      }
      left = outside;
    }
  }
}

class ShuffleOp : public tf::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tf::OpKernelContext* context) override {
    const auto index = context->input(0).flat<int64_t>();
    const auto key = context->input(1).flat<int64_t>();
    const int64_t max_index = context->input(2).scalar<int64_t>()();
    OP_REQUIRES(context, key.size() == 3 && max_index >= 0,
                absl::InvalidArgumentError("key must be [3], and max_index >= 0"));
    for (int64_t i = 0; i < index.size(); ++i) {
      // Walking from outside would not end.
      OP_REQUIRES(context, index(i) >= 0 && index(i) <= max_index,
                  absl::InvalidArgumentError(absl::StrCat(
                      "index ", index(i), " is not in [0, ", max_index, "]")));
    }
    tf::Tensor* output;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, context->input(0).shape(), &output));
    auto shuffled = output->flat<int64_t>();
    const uint64_t last = max_index, size = std::max<uint64_t>(last, 1);
    int block_bits = static_cast<int>(std::ceil(std::log2(static_cast<double>(size))));
    block_bits = std::max(block_bits + block_bits % 2, 16);
    const uint32_t keys[] = {static_cast<uint32_t>(key(0)),
                             static_cast<uint32_t>(key(1)),
                             static_cast<uint32_t>(key(2))};
    const auto walk = [&](auto word) {
      using Block = decltype(word);
      Walk<Block>(Simon<Block>(keys, block_bits / 2), last, index.data(), index.size(),
                  shuffled.data());
    };
    block_bits <= 32 ? walk(uint32_t{}) : walk(uint64_t{});
  }
};

REGISTER_KERNEL_BUILDER(Name("HypermlShuffle").Device(tf::DEVICE_CPU), ShuffleOp);

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SHUFFLE_OP_H_
