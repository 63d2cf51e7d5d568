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

// Words of W bits in a uint64_t.
class Simon {
 public:
  Simon(const uint32_t (&key)[3], int word_bits)
      : bits_(word_bits), mask_((uint64_t{1} << word_bits) - 1) {
    for (int i = 0; i < 3; ++i) keys_[i] = key[i] & mask_;
    // The schedule's constant, with the first bit of its sequence z.
    const uint64_t constant = (0xFFFFFFFCu ^ 1) & mask_;
    keys_[3] = constant ^ keys_[0] ^ Left(keys_[2], bits_ - 3) ^
               Left(keys_[2], bits_ - 4);
  }

  uint64_t Encrypt(uint64_t block) const {
    uint64_t left = (block >> bits_) & mask_, right = block & mask_;
    for (int i = 0; i < 4; i += 2) {
      left ^= Round(right) ^ keys_[i];
      right ^= Round(left) ^ keys_[i + 1];
    }
    return left << bits_ | right;
  }

 private:
  uint64_t Left(uint64_t x, int by) const {
    return (x << by | x >> (bits_ - by)) & mask_;
  }

  uint64_t Round(uint64_t x) const { return (Left(x, 1) & Left(x, 8)) ^ Left(x, 2); }

  const int bits_;
  const uint64_t mask_;
  uint64_t keys_[4];
};

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
    const Simon simon({static_cast<uint32_t>(key(0)), static_cast<uint32_t>(key(1)),
                       static_cast<uint32_t>(key(2))},
                      block_bits / 2);
    for (int64_t i = 0; i < index.size(); ++i) {
      uint64_t walked = simon.Encrypt(index(i));
      while (walked > last) walked = simon.Encrypt(walked);
      shuffled(i) = walked;
    }
  }
};

REGISTER_KERNEL_BUILDER(Name("HypermlShuffle").Device(tf::DEVICE_CPU), ShuffleOp);

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SHUFFLE_OP_H_
