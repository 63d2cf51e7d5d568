// The step of step.h by several threads.
//
// The gradients of triplets first, each by itself; then each row moves by the sum of
// its own, in order of the triplets. So the bits do not depend on how many threads there
// are. They are not those of `Trainer`, which is compiled otherwise.

#ifndef HYPERML_TF_KERNELS_TEAM_TRAINER_H_
#define HYPERML_TF_KERNELS_TEAM_TRAINER_H_

#include <algorithm>
#include <memory>
#include <vector>

#include "team.h"
#include "trainer.h"

namespace hyperml {
namespace {

// What a thread takes at a time: some microseconds of work.
constexpr int64_t kTripletsPerTask = 64, kRowsPerTask = 64;

template <int kDim, Kind kKind>
class TeamTrainerOf final : public TeamTrainer {
 public:
  explicit TeamTrainerOf(const Settings& settings)
      : settings_(settings),
        users_(settings.batch_size, kRoles * settings.batch_size),
        items_(2 * settings.batch_size, kRoles * settings.batch_size),
        ids_(kRoles * settings.batch_size),
        gradients_(kRoles * settings.batch_size * settings.dim),
        terms_(settings.batch_size),
        updater_(settings) {}

  Terms Step(const Tables& tables, const Triplets& triplets, int64_t batch,
             int64_t ahead, int64_t step, float rate, Team& team) override {
    const Table &users = tables.users, &items = tables.items;
    for (int made = workers_.size(); made < team.workers(); ++made) {
      workers_.push_back(std::make_unique<TrainerOf<kDim, kKind>>(OfOneTriplet()));
    }
    const uint64_t masks = Mix64(settings_.seed + step * kGolden64);
    const float share = 1.f / batch;
    const int64_t dim = settings_.dim;
    team.Run(Tasks(batch, kTripletsPerTask), [&](int worker, int64_t task) {
      const int64_t begin = task * kTripletsPerTask;
      const int64_t end = std::min(begin + kTripletsPerTask, batch);
      for (int64_t i = begin; i < end; ++i) {
        terms_[i] = workers_[worker]->One(tables, triplets, i, ahead, share, masks,
                                          &ids_[kRoles * i],
                                          &gradients_[kRoles * i * dim]);
      }
    });
    team.Run(2, [&](int, int64_t task) { task ? ListItems(batch) : ListUsers(batch); });
    const int64_t of_users = Tasks(users_.size(), kRowsPerTask);
    team.Run(of_users + Tasks(items_.size(), kRowsPerTask), [&](int, int64_t task) {
      const bool user = task < of_users;
      const RowLists& rows = user ? users_ : items_;
      const int64_t begin = (user ? task : task - of_users) * kRowsPerTask;
      const int64_t end = std::min<int64_t>(begin + kRowsPerTask, rows.size());
      updater_.UpdateSome(user ? users : items, rows, gradients_.data(), begin, end, step,
                          rate);
    });
    if (settings_.optimizer == Optimizer::kAdamDense) {
      for (const bool user : {true, false}) {
        const Table& table = user ? users : items;
        const int64_t parts = team.workers();
        team.Run(parts, [&](int, int64_t part) {
          updater_.UpdateOthers(table, user ? users_ : items_, table.size * part / parts,
                                table.size * (part + 1) / parts, step, rate);
        });
      }
    }
    double total = 0, pull_push = 0, distortion = 0;
    for (int64_t i = 0; i < batch; ++i) {
      total += terms_[i].total;
      pull_push += terms_[i].pull_push;
      distortion += terms_[i].distortion;
    }
    return {static_cast<float>(total * share), static_cast<float>(pull_push * share),
            static_cast<float>(distortion * share)};
  }

 private:
  static int64_t Tasks(int64_t count, int64_t per_task) {
    return (count + per_task - 1) / per_task;
  }

  // What a worker needs, which holds no batch.
  Settings OfOneTriplet() const {
    Settings settings = settings_;
    settings.batch_size = 1;
    return settings;
  }

  void ListUsers(int64_t batch) {
    users_.Clear();
    for (int64_t i = 0; i < kRoles * batch; i += kRoles) {
      users_.Add(ids_[i + kUser], i + kUser);
    }
  }

  void ListItems(int64_t batch) {
    items_.Clear();
    for (int64_t i = 0; i < kRoles * batch; i += kRoles) {
      items_.Add(ids_[i + kPos], i + kPos);
      items_.Add(ids_[i + kNeg], i + kNeg);
    }
  }

  const Settings settings_;
  std::vector<std::unique_ptr<TrainerOf<kDim, kKind>>> workers_;
  RowLists users_, items_;
  std::vector<int32_t> ids_;      // [B, roles] of the rows
  std::vector<float> gradients_;  // [B, roles, D] theirs
  std::vector<Terms> terms_;      // [B]
  Updater<kDim> updater_;
};

template <Kind kKind>
std::unique_ptr<TeamTrainer> TeamOfDim(const Settings& settings) {
  switch (settings.dim) {
    case 32:
      return std::make_unique<TeamTrainerOf<32, kKind>>(settings);
    case 64:
      return std::make_unique<TeamTrainerOf<64, kKind>>(settings);
    case 128:
      return std::make_unique<TeamTrainerOf<128, kKind>>(settings);
    default:
      return std::make_unique<TeamTrainerOf<0, kKind>>(settings);
  }
}

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_TEAM_TRAINER_H_
