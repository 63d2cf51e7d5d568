#include "trainer.h"

namespace hyperml {

// LRML is CML with u + r in the place of u.
std::unique_ptr<Trainer> NewRelationalTrainer(const Settings& settings) {
  Settings as_cml = settings;
  as_cml.model = Model::kCML;
  as_cml.norm_penalty = 0;
  return OfDim<Kind::kRelational>(as_cml);
}

}  // namespace hyperml
