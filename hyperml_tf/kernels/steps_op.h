// HypermlSteps: `step.h` as a TensorFlow op, with inputs checked, variables locked and
// many steps a call.

#ifndef HYPERML_TF_KERNELS_STEPS_OP_H_
#define HYPERML_TF_KERNELS_STEPS_OP_H_

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "buffers.h"
#include "ids.h"
#include "step.h"
#include "team.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace hyperml {
namespace {

namespace tf = ::tensorflow;

// Steps on triplets [N], batch_size at a time, the last step smaller. Of n negatives
// a positive, neg_item [N n], the hardest makes the triplet. `terms` holds
// a column [steps, 3] for each of total, pull_push and distortion. `tables` are those of
// the users and the items, for LRML also K and M; `slots` those of the first of them,
// then those of the next.
REGISTER_OP("HypermlSteps")
    .Input("tables: num_tables * resource")
    .Input("slots: num_slots * resource")
    .Input("user: int32")
    .Input("pos_item: int32")
    .Input("neg_item: int32")
    .Input("step: int64")
    .Input("learning_rate: float")
    .Output("terms: float")
    .Attr("num_tables: int >= 2")
    .Attr("num_slots: int >= 0")
    .Attr("model: {'hyperml', 'hyperts', 'cml', 'cml_warp', 'lrml', 'mf_bpr'}")
    .Attr("optimizer: {'adam', 'adam_dense', 'adagrad', 'sgd'}")
    .Attr("loss: {'hinge', 'softplus'} = 'hinge'")
    .Attr("batch_size: int >= 1")
    .Attr("dim: int >= 1")
    .Attr("c: float = 1.0")
    .Attr("margin: float = 0.0")
    .Attr("distortion_weight: float = 0.0")
    .Attr("product: bool = false")
    .Attr("origin_weight: float = 0.0")
    .Attr("l2: float = 0.0")
    .Attr("norm_penalty: float = 0.0")
    .Attr("memory_size: int >= 0 = 0")
    .Attr("rescale: bool = true")
    .Attr("dropout: float = 0.0")
    .Attr("seed: int = 0")
    .Attr("beta_1: float = 0.9")
    .Attr("beta_2: float = 0.999")
    .Attr("epsilon: float = 1e-8")
    .SetIsStateful()
    .SetShapeFn([](tf::shape_inference::InferenceContext* context) {
      context->set_output(
          0, context->Matrix(tf::shape_inference::InferenceContext::kUnknownDim, 3));
      return absl::OkStatus();
    });

Settings ReadSettings(tf::OpKernelConstruction* context, absl::Status* status) {
  Settings settings;
  std::string model, optimizer, loss;
  int64_t seed;
  const auto read = [&](const char* name, auto* value) {
    status->Update(context->GetAttr(name, value));
  };
  read("model", &model);
  read("optimizer", &optimizer);
  read("loss", &loss);
  read("batch_size", &settings.batch_size);
  read("dim", &settings.dim);
  read("c", &settings.c);
  read("margin", &settings.margin);
  read("distortion_weight", &settings.distortion_weight);
  read("product", &settings.product);
  read("origin_weight", &settings.origin_weight);
  read("l2", &settings.l2);
  read("norm_penalty", &settings.norm_penalty);
  read("memory_size", &settings.memory_size);
  read("rescale", &settings.rescale);
  read("dropout", &settings.dropout);
  read("seed", &seed);
  read("beta_1", &settings.beta_1);
  read("beta_2", &settings.beta_2);
  read("epsilon", &settings.epsilon);
  settings.model = model == "hyperml"    ? Model::kHyperML
                   : model == "hyperts"  ? Model::kHyperTS
                   : model == "cml"      ? Model::kCML
                   : model == "cml_warp" ? Model::kCMLWarp
                   : model == "lrml"     ? Model::kLRML
                                         : Model::kMFBPR;
  settings.optimizer = optimizer == "adam"         ? Optimizer::kAdam
                       : optimizer == "adam_dense" ? Optimizer::kAdamDense
                       : optimizer == "adagrad"    ? Optimizer::kAdagrad
                                                   : Optimizer::kSgd;
  settings.loss = loss == "softplus" ? Loss::kSoftplus : Loss::kHinge;
  settings.seed = static_cast<uint64_t>(seed);
  return settings;
}

// Fewer are done before another thread has heard of them.
constexpr int kTripletsPerWorker = 512;

class StepsOp : public tf::OpKernel {
 public:
  explicit StepsOp(tf::OpKernelConstruction* context) : OpKernel(context) {
    absl::Status status;
    settings_ = ReadSettings(context, &status);
    OP_REQUIRES_OK(context, status);
    OP_REQUIRES_OK(context, context->GetAttr("num_tables", &num_tables_));
    const int tables = settings_.model == Model::kLRML ? 4 : 2;
    OP_REQUIRES(context, num_tables_ == tables,
                absl::InvalidArgumentError(absl::StrCat("this model has ", tables,
                                                        " tables, got ", num_tables_)));
    OP_REQUIRES(context, settings_.model != Model::kLRML || settings_.memory_size > 0,
                absl::InvalidArgumentError("lrml needs memory_size > 0"));
    int num_slots;
    OP_REQUIRES_OK(context, context->GetAttr("num_slots", &num_slots));
    per_table_ = SlotsOf(settings_.optimizer);
    const int wanted = per_table_ * num_tables_;
    OP_REQUIRES(context, num_slots == wanted,
                absl::InvalidArgumentError(absl::StrCat(
                    "this optimizer has ", wanted, " slots, got ", num_slots)));
    if (WantsTeam(context)) {
      team_trainer_ = NewTeamTrainer(settings_);
    } else {
      trainer_ = NewTrainer(settings_);
    }
    buffers_.resize(num_tables_ * (1 + per_table_));
  }

  void Compute(tf::OpKernelContext* context) override {
    // The trainer's workspace is one; a kernel can be run by two graph executions.
    std::lock_guard<std::mutex> alone(mutex_);
    const int given = buffers_.size();
    LockedVariables variables;
    OP_REQUIRES_OK(context, variables.Lock(context, given));

    Tables tables{};
    Table* const table[] = {&tables.users, &tables.items, &tables.keys, &tables.memory};
    for (int i = 0; i < given; ++i) {
      const int slot = i - num_tables_;  // if not negative
      const int side = slot < 0 ? i : slot / per_table_;
      const int64_t columns =
          table[side] == &tables.keys ? settings_.memory_size : settings_.dim;
      float* data = nullptr;
      int64_t size = 0;
      OP_REQUIRES_OK(context,
                     WritableBuffer(context, variables[i], columns, &data, &size));
      if (slot < 0) {
        table[side]->rows = data;
        table[side]->size = size;
      } else {
        table[side]->slots[slot % per_table_] = data;
      }
      OP_REQUIRES(context, table[side]->size == size,
                  absl::InvalidArgumentError("a slot is not of its table's shape"));
      if (data != buffers_[i]) {
        UseHugePages(data, size * columns * sizeof(float));
        buffers_[i] = data;
      }
    }
    OP_REQUIRES(context,
                settings_.model != Model::kLRML ||
                    (tables.keys.size == settings_.dim &&
                     tables.memory.size == settings_.memory_size),
                absl::InvalidArgumentError(
                    "K must be [dim, memory_size], M [memory_size, dim]"));

    const tf::Tensor& user = context->input(given);
    const tf::Tensor& pos_item = context->input(given + 1);
    const tf::Tensor& neg_item = context->input(given + 2);
    const int64_t count = user.NumElements();
    OP_REQUIRES_OK(context, CheckIds(user, count, tables.users.size, "user"));
    OP_REQUIRES_OK(context, CheckIds(pos_item, count, tables.items.size, "item"));
    const int64_t candidates = count ? neg_item.NumElements() / count : 1;
    OP_REQUIRES_OK(context,
                   CheckIds(neg_item, count * candidates, tables.items.size, "item"));
    OP_REQUIRES(context, candidates > 0,
                absl::InvalidArgumentError("no negatives"));
    const int64_t first_step = context->input(given + 3).scalar<int64_t>()();
    const float learning_rate = context->input(given + 4).scalar<float>()();

    const int64_t batch_size = settings_.batch_size;
    const int64_t steps = (count + batch_size - 1) / batch_size;
    tf::Tensor* terms;
    OP_REQUIRES_OK(context, context->allocate_output(0, {steps, 3}, &terms));
    auto out = terms->matrix<float>();
    const std::shared_ptr<Team> team = NewTeam(context);
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t at = s * batch_size, left = count - at;
      const Triplets triplets{user.flat<int32_t>().data() + at,
                              pos_item.flat<int32_t>().data() + at,
                              neg_item.flat<int32_t>().data() + at * candidates,
                              candidates};
      const int64_t batch = std::min(batch_size, left), step = first_step + s;
      const Terms means =
          team_trainer_
              ? team_trainer_->Step(tables, triplets, batch, left, step, learning_rate,
                                    *team)
              : trainer_->Step(tables, triplets, batch, left, step, learning_rate);
      out(s, 0) = means.total;
      out(s, 1) = means.pull_push;
      out(s, 2) = means.distortion;
    }
    team->End();
  }

 private:
  // Whether a step is enough work for more than one of TensorFlow's threads.
  bool WantsTeam(tf::OpKernelConstruction* context) const {
    auto* threads = context->device()->tensorflow_cpu_worker_threads();
    return settings_.model != Model::kLRML && threads->num_threads > 1 &&
           settings_.batch_size >= 2 * kTripletsPerWorker;
  }

  // As many of these threads as have enough to do, this one included. One that gets to
  // help when all is done finds so, and goes.
  std::shared_ptr<Team> NewTeam(tf::OpKernelContext* context) const {
    auto* threads = context->device()->tensorflow_cpu_worker_threads();
    const int most = settings_.batch_size / kTripletsPerWorker;
    const int workers = team_trainer_ ? std::min(most, threads->num_threads) : 1;
    auto team = std::make_shared<Team>(workers);
    const auto leader = std::this_thread::get_id();
    for (int worker = 1; worker < workers; ++worker) {
      threads->workers->Schedule([team, worker, leader] {
        // A pool that is full does at once what it is given.
        if (std::this_thread::get_id() != leader) team->Help(worker);
      });
    }
    return team;
  }

  Settings settings_;
  int num_tables_, per_table_;
  std::mutex mutex_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<TeamTrainer> team_trainer_;  // one of the two
  std::vector<float*> buffers_;  // those that were asked to lie in huge pages
};

REGISTER_KERNEL_BUILDER(Name("HypermlSteps").Device(tf::DEVICE_CPU), StepsOp);

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_STEPS_OP_H_
