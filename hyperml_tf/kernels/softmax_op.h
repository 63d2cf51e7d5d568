// HypermlSoftmaxSteps: steps with a softmax over candidates that the batch shares.

#ifndef HYPERML_TF_KERNELS_SOFTMAX_OP_H_
#define HYPERML_TF_KERNELS_SOFTMAX_OP_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "buffers.h"
#include "ids.h"
#include "softmax.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace hyperml {
namespace {

namespace tf = ::tensorflow;

// Steps on pairs [N], batch_size at a time, the last step smaller. `candidate` [steps, n]
// are those of each step; [0, 0]: the step's positives. `shift` [I] is added to the items'
// scores, [0]: nothing. `known_item` and `known_split` are what users have in training,
// which `mask_known` and `history` need; [0] both: neither does. `variables` are the users' table and its two
// moments, then the items'. `terms` holds total and softmax, [steps, 2].
REGISTER_OP("HypermlSoftmaxSteps")
    .Input("variables: num_variables * resource")
    .Input("user: int32")
    .Input("pos_item: int32")
    .Input("candidate: int32")
    .Input("shift: float")
    .Input("known_item: int32")
    .Input("known_split: int64")
    .Input("step: int64")
    .Input("learning_rate: float")
    .Output("terms: float")
    .Attr("num_variables: int = 6")
    .Attr("place: {'sphere', 'clipped', 'tangent', 'ball'}")
    .Attr("similarity: {'distance', 'dot'}")
    .Attr("batch_size: int >= 1")
    .Attr("dim: int >= 1")
    .Attr("c: float")
    .Attr("radius: float")
    .Attr("temperature: float")
    .Attr("l2: float = 0.0")
    .Attr("rescale: bool = true")
    .Attr("mask_known: bool = false")
    .Attr("history: float = 0.0")
    .Attr("history_dropout: float = 0.0")
    .Attr("history_items: int >= 1 = 1")
    .Attr("history_seed: int = 0")
    .Attr("beta_1: float = 0.9")
    .Attr("beta_2: float = 0.999")
    .Attr("epsilon: float = 1e-8")
    .SetIsStateful()
    .SetShapeFn([](tf::shape_inference::InferenceContext* context) {
      context->set_output(
          0, context->Matrix(tf::shape_inference::InferenceContext::kUnknownDim, 2));
      return absl::OkStatus();
    });

constexpr int kVariables = 6, kOfTable = 3;

class SoftmaxStepsOp : public tf::OpKernel {
 public:
  explicit SoftmaxStepsOp(tf::OpKernelConstruction* context) : OpKernel(context) {
    std::string place, similarity;
    absl::Status status;
    const auto read = [&](const char* name, auto* value) {
      status.Update(context->GetAttr(name, value));
    };
    int num_variables;
    read("num_variables", &num_variables);
    read("place", &place);
    read("similarity", &similarity);
    read("batch_size", &settings_.batch_size);
    read("dim", &settings_.dim);
    read("c", &settings_.c);
    read("radius", &settings_.radius);
    read("temperature", &settings_.temperature);
    read("l2", &settings_.l2);
    read("rescale", &settings_.rescale);
    read("mask_known", &settings_.mask_known);
    read("history", &settings_.history);
    read("history_dropout", &settings_.history_dropout);
    read("history_items", &settings_.history_items);
    int64_t history_seed;
    read("history_seed", &history_seed);
    settings_.history_seed = static_cast<uint32_t>(history_seed);
    read("beta_1", &settings_.beta_1);
    read("beta_2", &settings_.beta_2);
    read("epsilon", &settings_.epsilon);
    OP_REQUIRES_OK(context, status);
    OP_REQUIRES(context, num_variables == kVariables,
                absl::InvalidArgumentError("there must be six variables"));
    settings_.distance = similarity == "distance";
    settings_.place = place == "sphere"    ? Place::kSphere
                      : place == "clipped" ? Place::kClipped
                      : place == "tangent" ? Place::kTangent
                                           : Place::kBall;
    trainer_ = NewSoftmaxTrainer(settings_);
  }

  void Compute(tf::OpKernelContext* context) override {
    // The trainer's workspace is one; a kernel can be run by two graph executions.
    std::lock_guard<std::mutex> alone(mutex_);
    LockedVariables variables;
    OP_REQUIRES_OK(context, variables.Lock(context, kVariables));
    float* data[kVariables];
    int64_t sizes[kVariables];
    for (int i = 0; i < kVariables; ++i) {
      OP_REQUIRES_OK(context, WritableBuffer(context, variables[i], settings_.dim,
                                             &data[i], &sizes[i]));
      OP_REQUIRES(context, sizes[i] == sizes[i - i % kOfTable],
                  absl::InvalidArgumentError("a slot is not of its table's shape"));
    }
    const SoftmaxTable users{data[0], data[1], data[2], sizes[0]};
    const SoftmaxTable items{data[3], data[4], data[5], sizes[3]};
    Train(context, users, items);
  }

 private:
  void Train(tf::OpKernelContext* context, const SoftmaxTable& users,
             const SoftmaxTable& items) {
    const auto input = [&](int i) -> const tf::Tensor& {
      return context->input(kVariables + i);
    };
    const tf::Tensor &user = input(0), &pos_item = input(1), &candidate = input(2),
                     &shift = input(3), &known_item = input(4), &known_split = input(5);
    const int64_t count = user.NumElements(), batch_size = settings_.batch_size;
    const int64_t steps = (count + batch_size - 1) / batch_size;
    const bool in_batch = candidate.NumElements() == 0;
    OP_REQUIRES(context,
                in_batch || (candidate.dims() == 2 && candidate.dim_size(0) == steps),
                absl::InvalidArgumentError("candidates must be [steps, n]"));
    OP_REQUIRES(context,
                shift.NumElements() == 0 || shift.NumElements() == items.size,
                absl::InvalidArgumentError("shift must have a number for each item"));
    const bool known = known_split.NumElements() != 0;
    OP_REQUIRES(context, !known || known_split.NumElements() == users.size + 1,
                absl::InvalidArgumentError("known_split must be [users + 1]"));
    OP_REQUIRES(context,
                known || !(settings_.mask_known || settings_.history != 0),
                absl::InvalidArgumentError("what users have in training is missing"));
    OP_REQUIRES_OK(context, CheckIds(known_item, known_item.NumElements(), items.size,
                                     "item"));
    OP_REQUIRES_OK(context, CheckIds(user, count, users.size, "user"));
    OP_REQUIRES_OK(context, CheckIds(pos_item, count, items.size, "item"));
    OP_REQUIRES_OK(context, CheckRows(candidate, items.size, "item"));
    const int64_t first_step = input(6).scalar<int64_t>()();
    const float learning_rate = input(7).scalar<float>()();

    tf::Tensor* terms;
    OP_REQUIRES_OK(context, context->allocate_output(0, {steps, 2}, &terms));
    auto out = terms->matrix<float>();
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t at = s * batch_size, size = std::min(batch_size, count - at);
      SoftmaxBatch batch{};
      batch.user = user.flat<int32_t>().data() + at;
      batch.pos_item = pos_item.flat<int32_t>().data() + at;
      batch.size = size;
      batch.candidates = in_batch ? size : candidate.dim_size(1);
      batch.candidate = in_batch ? batch.pos_item
                                 : candidate.flat<int32_t>().data() + s * batch.candidates;
      batch.shift = shift.NumElements() ? shift.flat<float>().data() : nullptr;
      if (known) {
        batch.known_item = known_item.flat<int32_t>().data();
        batch.known_split = known_split.flat<int64_t>().data();
      }
      const SoftmaxTerms means =
          trainer_->Step(users, items, batch, first_step + s, learning_rate);
      out(s, 0) = means.total;
      out(s, 1) = means.softmax;
    }
  }

  SoftmaxSettings settings_;
  std::mutex mutex_;
  std::unique_ptr<SoftmaxTrainer> trainer_;
};

REGISTER_KERNEL_BUILDER(Name("HypermlSoftmaxSteps").Device(tf::DEVICE_CPU),
                        SoftmaxStepsOp);

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SOFTMAX_OP_H_
