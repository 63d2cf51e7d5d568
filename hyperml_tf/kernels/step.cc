#include "trainer.h"

namespace hyperml {

std::unique_ptr<Trainer> NewTrainer(const Settings& settings) {
  switch (settings.model) {
    case Model::kLRML:
      return NewRelationalTrainer(settings);
    case Model::kCMLWarp:
      return NewRankedTrainer(settings);
    default:
      return OfDim<Kind::kPlain>(settings);
  }
}

}  // namespace hyperml
