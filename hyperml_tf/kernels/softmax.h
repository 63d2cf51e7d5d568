// The training step with a softmax over candidates that the batch shares.
//
// One step is one batch, with the arithmetic of the TensorFlow path
// (models/softmax.py): gather, points, Gram matrix, loss, gradient, gradients of
// repeated rows summed, lazy Adam, retraction. Nothing here knows TensorFlow.

#ifndef HYPERML_TF_KERNELS_SOFTMAX_H_
#define HYPERML_TF_KERNELS_SOFTMAX_H_

#include <cstdint>
#include <memory>

namespace hyperml {

// Where a row's point lies, see SoftmaxRecommender.
enum class Place { kSphere, kClipped, kTangent, kBall };

struct SoftmaxSettings {
  Place place;
  bool distance;  // or the dot product
  int dim, batch_size;
  float c, radius, temperature, l2;
  bool rescale;  // Riemannian gradients, of kBall
  bool mask_known;  // leave out what the user has in training
  float history;  // the weight of what users have in training in their rows; 0: none
  float history_dropout;
  int history_items;
  uint32_t history_seed;
  float beta_1, beta_2, epsilon;
};

// A table [size, D] and Adam's moments.
struct SoftmaxTable {
  float *rows, *first, *second;
  int64_t size;
};

struct SoftmaxBatch {
  const int32_t *user, *pos_item;  // [size]
  int64_t size;
  const int32_t* candidate;  // [candidates]
  int64_t candidates;
  const float* shift;          // [I], added to the items' scores; null: nothing
  const int32_t* known_item;   // items of the users' training; null: not needed
  const int64_t* known_split;  // [U+1]
};

struct SoftmaxTerms {
  float total, softmax;
};

class SoftmaxTrainer {
 public:
  virtual ~SoftmaxTrainer() = default;
  // One step, number `step` counted from 0, at a learning rate.
  virtual SoftmaxTerms Step(const SoftmaxTable& users, const SoftmaxTable& items,
                            const SoftmaxBatch& batch, int64_t step, float rate) = 0;
};

std::unique_ptr<SoftmaxTrainer> NewSoftmaxTrainer(const SoftmaxSettings& settings);

}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_SOFTMAX_H_
