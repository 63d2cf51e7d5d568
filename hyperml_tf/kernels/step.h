// The training step of the triplet models on row-major float32 tables.
//
// One step is one batch, with the arithmetic of the TensorFlow path: gather, loss,
// gradient, gradients of repeated rows summed, update (lazy but for dense Adam),
// retraction, write-back.
// Nothing here knows TensorFlow; `steps_op.h` does.

#ifndef HYPERML_TF_KERNELS_STEP_H_
#define HYPERML_TF_KERNELS_STEP_H_

#include <cstdint>
#include <memory>

namespace hyperml {

enum class Model { kHyperML, kHyperTS, kCML, kCMLWarp, kLRML, kMFBPR };
enum class Optimizer { kAdam, kAdamDense, kAdagrad, kSgd };
enum class Loss { kHinge, kSoftplus };

// Names as in the configs; a setting that a model has no use for is ignored.
struct Settings {
  Model model;
  Optimizer optimizer;
  Loss loss;                // of the metric models' m + d^2(i,j) - d^2(i,k)
  int dim;                  // D
  int batch_size;           // the most triplets of a step
  float c;                  // curvature
  float margin;             // m
  float distortion_weight;  // gamma
  bool product;             // score by the polarised product, not the distance
  float origin_weight;      // of d^2(0, x) of a triplet's points
  float l2;
  float norm_penalty;       // of CML
  int memory_size;          // N of LRML
  bool rescale;             // Riemannian gradients
  float dropout;            // rho
  uint64_t seed;            // root of the dropout masks
  float beta_1, beta_2, epsilon;
};

// Slots of a table: both moments for Adam, the accumulator for AdaGrad.
constexpr int SlotsOf(Optimizer optimizer) {
  return optimizer == Optimizer::kSgd ? 0 : optimizer == Optimizer::kAdagrad ? 1 : 2;
}

// A table [size, D] and the optimizer's slots of the same shape.
struct Table {
  float* rows;
  float* slots[2];
  int64_t size;
};

// K [D, N] and M [N, D] are LRML's, and every number of theirs has a gradient.
struct Tables {
  Table users, items, keys, memory;
};

// A positive pair has `candidates` negatives, one after the other; the one that the
// model scores highest, without dropout, makes the triplet.
struct Triplets {
  const int32_t* user;
  const int32_t* pos_item;
  const int32_t* neg_item;
  int64_t candidates;
};

// Means over the batch. CML fills in pull_push, MF-BPR likewise its BPR term.
struct Terms {
  float total, pull_push, distortion;
};

class Trainer {
 public:
  virtual ~Trainer() = default;

  // One step on `batch` <= batch_size triplets. `step` counts from 0: it picks the
  // dropout masks and Adam's bias correction. `ahead` >= `batch` is how many triplets
  // may be read, to fetch the rows of the next step early.
  virtual Terms Step(const Tables& tables, const Triplets& triplets, int64_t batch,
                     int64_t ahead, int64_t step, float learning_rate) = 0;
};

class Team;

// As `Trainer`, by the threads of a team: the same bits whatever their number. Not for
// LRML, whose memory has a gradient of every triplet.
class TeamTrainer {
 public:
  virtual ~TeamTrainer() = default;

  virtual Terms Step(const Tables& tables, const Triplets& triplets, int64_t batch,
                     int64_t ahead, int64_t step, float learning_rate, Team& team) = 0;
};

std::unique_ptr<Trainer> NewTrainer(const Settings& settings);
std::unique_ptr<TeamTrainer> NewTeamTrainer(const Settings& settings);
// Those of LRML and of CML with rank weights, which NewTrainer hands on to.
std::unique_ptr<Trainer> NewRelationalTrainer(const Settings& settings);
std::unique_ptr<Trainer> NewRankedTrainer(const Settings& settings);

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_STEP_H_
