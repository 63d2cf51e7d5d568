#include "team_trainer.h"

namespace hyperml {

std::unique_ptr<TeamTrainer> NewTeamTrainer(const Settings& settings) {
  if (settings.model != Model::kCMLWarp) return TeamOfDim<Kind::kPlain>(settings);
  Settings as_cml = settings;
  as_cml.model = Model::kCML;  // as in warp.cc
  as_cml.norm_penalty = 0;
  return TeamOfDim<Kind::kRanked>(as_cml);
}

}  // namespace hyperml
