#include "trainer.h"

namespace hyperml {

std::unique_ptr<Trainer> NewTrainer(const Settings& settings) {
  return settings.model == Model::kLRML ? NewRelationalTrainer(settings)
                                        : OfDim<false>(settings);
}

}  // namespace hyperml
