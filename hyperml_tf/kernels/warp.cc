#include "trainer.h"

namespace hyperml {

// CML on the hardest of n negatives, each triplet weighed by the estimated rank.
std::unique_ptr<Trainer> NewRankedTrainer(const Settings& settings) {
  Settings as_cml = settings;
  as_cml.model = Model::kCML;
  as_cml.norm_penalty = 0;
  return OfDim<Kind::kRanked>(as_cml);
}

}  // namespace hyperml
