// The TensorFlow ops: HypermlSteps, around `step.h`, with inputs checked, variables
// locked and many steps a call; HypermlTriplets and HypermlShuffle, for sampling.

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "step.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

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

// A variable's buffer, writable in place while `variable`'s mutex is held.
//
// As TensorFlow's own sparse updates do, it puts the variable into copy-on-read mode:
// from then on no tensor shares the buffer. One that shares it now keeps it, and the
// variable goes on with a copy.
absl::Status WritableBuffer(tf::OpKernelContext* context, tf::Var* variable,
                            tf::int64 columns, float** data, int64_t* rows) {
  tf::Tensor* tensor = variable->tensor();
  if (!variable->is_initialized || tensor->dtype() != tf::DT_FLOAT ||
      tensor->dims() != 2 || tensor->dim_size(1) != columns) {
    return absl::InvalidArgumentError(
        "tables and slots must be initialised float32 matrices [rows, dim], but K "
        "[dim, memory_size]");
  }
  if (!variable->copy_on_read_mode.load()) {
    if (!tensor->RefCountIsOne()) {
      tf::Tensor copy;
      TF_RETURN_IF_ERROR(context->allocate_temp(tf::DT_FLOAT, tensor->shape(), &copy));
      std::copy_n(tensor->flat<float>().data(), tensor->NumElements(),
                  copy.flat<float>().data());
      *tensor = copy;
    }
    variable->copy_on_read_mode.store(true);
  }
  *data = tensor->flat<float>().data();
  *rows = tensor->dim_size(0);
  return absl::OkStatus();
}

// Random rows of a large table miss the TLB at each page; asks for huge pages. Where
// the system has none, nothing changes but the speed.
void UseHugePages(float* data, int64_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr uintptr_t kHuge = uintptr_t{1} << 21;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kHuge - 1) & ~(kHuge - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~(kHuge - 1);
  if (end <= begin) return;
  void* first = reinterpret_cast<void*>(begin);
  madvise(first, end - begin, MADV_HUGEPAGE);
  // Since Linux 6.1, for pages that are there already. glibc 2.36 lacks its name.
  constexpr int kMadvCollapse = 25;
  madvise(first, end - begin, kMadvCollapse);
#endif
}

absl::Status CheckIds(const tf::Tensor& ids, int64_t count, int64_t rows,
                      const char* name) {
  if (ids.dims() != 1 || ids.NumElements() != count) {
    return absl::InvalidArgumentError("the ids of triplets must be three vectors of "
                                      "one length");
  }
  const int32_t* begin = ids.flat<int32_t>().data();
  uint32_t largest = 0;  // a negative id is a large one
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, static_cast<uint32_t>(begin[i]));
  }
  if (count && largest >= rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " id ", static_cast<int32_t>(largest), " is not in [0, ", rows, ")"));
  }
  return absl::OkStatus();
}

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
    trainer_ = NewTrainer(settings_);
    buffers_.resize(num_tables_ * (1 + per_table_));
  }

  void Compute(tf::OpKernelContext* context) override {
    // The trainer's workspace is one; a kernel can be run by two graph executions.
    tf::mutex_lock alone(mutex_);
    const int given = buffers_.size();
    std::vector<tf::core::RefCountPtr<tf::Var>> variables(given);
    std::vector<tf::mutex*> mutexes;
    for (int i = 0; i < given; ++i) {
      OP_REQUIRES_OK(context, tf::LookupResource(context, tf::HandleFromInput(context, i),
                                                 &variables[i]));
      mutexes.push_back(variables[i]->mu());
    }
    // One order for all, by address, as TensorFlow's own updates lock.
    std::sort(mutexes.begin(), mutexes.end());
    OP_REQUIRES(context,
                std::adjacent_find(mutexes.begin(), mutexes.end()) == mutexes.end(),
                absl::InvalidArgumentError("a variable is given twice"));
    std::vector<tf::mutex_lock> locks;
    locks.reserve(given);
    for (tf::mutex* mutex : mutexes) locks.emplace_back(*mutex);

    Tables tables{};
    Table* const table[] = {&tables.users, &tables.items, &tables.keys, &tables.memory};
    for (int i = 0; i < given; ++i) {
      const int slot = i - num_tables_;  // if not negative
      const int side = slot < 0 ? i : slot / per_table_;
      const int64_t columns =
          table[side] == &tables.keys ? settings_.memory_size : settings_.dim;
      float* data;
      int64_t size;
      OP_REQUIRES_OK(context, WritableBuffer(context, variables[i].get(), columns, &data,
                                             &size));
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
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t at = s * batch_size, left = count - at;
      const Triplets triplets{user.flat<int32_t>().data() + at,
                              pos_item.flat<int32_t>().data() + at,
                              neg_item.flat<int32_t>().data() + at * candidates,
                              candidates};
      const Terms means = trainer_->Step(tables, triplets, std::min(batch_size, left),
                                         left, first_step + s, learning_rate);
      out(s, 0) = means.total;
      out(s, 1) = means.pull_push;
      out(s, 2) = means.distortion;
    }
  }

 private:
  Settings settings_;
  int num_tables_, per_table_;
  tf::mutex mutex_;
  std::unique_ptr<Trainer> trainer_;
  std::vector<float*> buffers_;  // those that were asked to lie in huge pages
};

REGISTER_KERNEL_BUILDER(Name("HypermlSteps").Device(tf::DEVICE_CPU), StepsOp);

// ------------------------------------------------------------------- triplets

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

// -------------------------------------------------------------------- shuffle

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
