// HypermlTriplets: interactions of a batch, and their negatives.

#ifndef HYPERML_TF_KERNELS_TRIPLETS_OP_H_
#define HYPERML_TF_KERNELS_TRIPLETS_OP_H_

#include <algorithm>
#include <cstdint>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace hyperml {
namespace {

namespace tf = ::tensorflow;

// The pairs in the given rows of `pairs` [N, 2], and n negatives of each, drawn as the
// TensorFlow path does: the r-th item that is not among the user's keys, with
// r = floor(fraction * eligible), see data/triplets.py. Searches the user's own keys
// only: `keys` ascend, those of user u lie between row_splits[u] and row_splits[u+1].
REGISTER_OP("HypermlTriplets")
    .Input("pairs: int32")
    .Input("keys: int64")
    .Input("row_splits: int64")
    .Input("row: int64")
    .Input("fraction: double")
    .Output("user: int32")
    .Output("pos_item: int32")
    .Output("neg_item: int32")
    .Attr("num_items: int >= 1")
    .SetShapeFn([](tf::shape_inference::InferenceContext* context) {
      context->set_output(0, context->input(3));
      context->set_output(1, context->input(3));
      context->set_output(2, context->input(4));
      return absl::OkStatus();
    });

// How many rows ahead what they need is fetched: the pair, the user's row, its keys.
constexpr int64_t kPairAhead = 16, kRowAhead = 16, kKeysAhead = 8;

// How many of `count` ascending keys are <= sought; without branches to mispredict.
inline int64_t CountUpTo(int64_t sought, const int64_t* keys, int64_t count) {
  const int64_t* at = keys;
  for (int64_t left = count; left > 0;) {
    const int64_t half = (left + 1) / 2;
    at += at[half - 1] <= sought ? half : 0;
    left -= half;
  }
  return at - keys;
}

class TripletsOp : public tf::OpKernel {
 public:
  explicit TripletsOp(tf::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_items", &num_items_));
  }

  void Compute(tf::OpKernelContext* context) override {
    const tf::Tensor& pairs = context->input(0);
    const auto keys = context->input(1).flat<int64_t>();
    const auto row_splits = context->input(2).flat<int64_t>();
    const auto row = context->input(3).flat<int64_t>();
    const auto fraction = context->input(4).flat<double>();
    const int64_t users = row_splits.size() - 1, count = row.size();
    OP_REQUIRES(context, pairs.dims() == 2 && pairs.dim_size(1) == 2 && users >= 0,
                absl::InvalidArgumentError("pairs must be [N, 2], row_splits [U + 1]"));
    const int64_t negatives = count ? fraction.size() / count : 1;
    OP_REQUIRES(context, fraction.size() == count * negatives,
                absl::InvalidArgumentError("fraction must be a multiple of row"));
    tf::Tensor* output[3];
    for (int i = 0; i < 3; ++i) {
      const tf::TensorShape& shape = context->input(i < 2 ? 3 : 4).shape();
      OP_REQUIRES_OK(context, context->allocate_output(i, shape, &output[i]));
    }
    auto user = output[0]->flat<int32_t>(), pos_item = output[1]->flat<int32_t>(),
         neg_item = output[2]->flat<int32_t>();

    const int32_t* pair = pairs.flat<int32_t>().data();
    for (int64_t i = 0; i < count; ++i) {
      OP_REQUIRES(context, row(i) >= 0 && row(i) < pairs.dim_size(0),
                  absl::InvalidArgumentError(absl::StrCat(
                      "row ", row(i), " is not in [0, ", pairs.dim_size(0), ")")));
    }
    // Ids are read apart from what they point at, so that each can be fetched.
    for (int64_t i = 0; i < count; ++i) {
      __builtin_prefetch(pair + 2 * row(std::min(i + kPairAhead, count - 1)));
      user(i) = pair[2 * row(i)];
      pos_item(i) = pair[2 * row(i) + 1];
      OP_REQUIRES(context, user(i) >= 0 && user(i) < users,
                  absl::InvalidArgumentError(absl::StrCat(
                      "user id ", user(i), " is not in [0, ", users, ")")));
    }
    for (int64_t i = 0; i < count; ++i) {
      __builtin_prefetch(&row_splits(user(std::min(i + kRowAhead, count - 1))));
      const int32_t soon = user(std::min(i + kKeysAhead, count - 1));
      __builtin_prefetch(keys.data() + row_splits(soon));

      const int64_t u = user(i), begin = row_splits(u);
      const int64_t known = row_splits(u + 1) - begin;
      const double eligible = num_items_ - known;
      for (int64_t k = i * negatives; k < (i + 1) * negatives; ++k) {
        const int64_t drawn = static_cast<int64_t>(fraction(k) * eligible);
        const int64_t sought = u * num_items_ + drawn;
        neg_item(k) = drawn + CountUpTo(sought, keys.data() + begin, known);
      }
    }
  }

 private:
  int64_t num_items_;
};

REGISTER_KERNEL_BUILDER(Name("HypermlTriplets").Device(tf::DEVICE_CPU), TripletsOp);

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_TRIPLETS_OP_H_
