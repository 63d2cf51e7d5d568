// The trainer of step.h. Each unit that includes this instantiates its own models:
// compiled apart, what one adds leaves the bits of the others alone.

#ifndef HYPERML_TF_KERNELS_TRAINER_H_
#define HYPERML_TF_KERNELS_TRAINER_H_

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ball.h"
#include "loss.h"
#include "masks.h"
#include "relation.h"
#include "rows.h"
#include "step.h"
#include "updater.h"

namespace hyperml {
namespace {

// Rows are fetched this many triplets early: about the latency of memory over the time
// that one takes.
constexpr int kTripletsAhead = 8;

// The rows of a triplet, in the order in which they stand everywhere.
constexpr int kUser = 0, kPos = 1, kNeg = 2, kRoles = 3;

// What a unit instantiates: LRML; CML with rank weights; all others.
enum class Kind { kPlain, kRelational, kRanked };

// kDim > 0 fixes D at compile time.
template <int kDim, Kind kKind>
class TrainerOf final : public Trainer {
  static constexpr bool kRelational = kKind == Kind::kRelational;

 public:
  explicit TrainerOf(const Settings& settings)
      : settings_(settings),
        users_(settings.batch_size, settings.dim),
        items_(2 * settings.batch_size, settings.dim),
        scratch_(4 * kRoles * settings.dim),
        updater_(settings),
        relation_(settings.dim, kRelational ? settings.memory_size : 0),
        drop_below_(std::llround(settings.dropout * 4294967296.0)) {}

  Terms Step(const Tables& parameters, const Triplets& triplets, int64_t batch,
             int64_t ahead, int64_t step, float rate) override {
    const Table &users = parameters.users, &items = parameters.items;
    const int64_t candidates = triplets.candidates;
    const Table* tables[kRoles] = {&users, &items, &items};
    RowSet* sets[kRoles] = {&users_, &items_, &items_};
    users_.Clear();
    items_.Clear();
    if constexpr (kRelational) {
      relation_.Begin(parameters.keys.rows, parameters.memory.rows);
    }
    const uint64_t masks = Mix64(settings_.seed + step * kGolden64);
    const float share = 1.f / batch;
    double total = 0, pull_push = 0, distortion = 0;
    for (int64_t i = 0; i < batch; ++i) {
      const int64_t later = std::min(i + kTripletsAhead, ahead - 1);
      Prefetch(Row(users, triplets.user[later]), dim());
      Prefetch(Row(items, triplets.pos_item[later]), dim());
      for (int64_t k = 0; k < candidates; ++k) {
        Prefetch(Row(items, triplets.neg_item[later * candidates + k]), dim());
      }
      const int32_t user = triplets.user[i];
      const int32_t* negatives = triplets.neg_item + i * candidates;
      int32_t ids[kRoles] = {user, triplets.pos_item[i], *negatives};
      float weight = 1;
      if constexpr (kKind == Kind::kRanked) {
        ids[kNeg] = Ranked(Row(users, user), Row(items, ids[kPos]), items, negatives,
                           candidates, &weight);
      } else if (candidates > 1) {
        ids[kNeg] = Hardest(Row(users, user), items, negatives, candidates);
      }
      const float* rows[kRoles];
      for (int r = 0; r < kRoles; ++r) rows[r] = Row(*tables[r], ids[r]);
      const uint64_t of_triplet = masks + kRoles * i * kGolden64;
      Terms terms;
      if constexpr (kKind == Kind::kRanked) {
        terms = Gradients(rows, share * weight, of_triplet);
        terms = {weight * terms.total, weight * terms.pull_push, 0};
      } else {
        terms = Gradients(rows, share, of_triplet);
      }
      total += terms.total;
      pull_push += terms.pull_push;
      distortion += terms.distortion;
      for (int r = 0; r < kRoles; ++r) {
        bool first;
        float* sum = sets[r]->Gradient(ids[r], &first);
        const float* gradient = Scratch(kGradient, r);
        if (first) {
          std::copy_n(gradient, dim(), sum);
        } else {
#pragma omp simd
          for (int j = 0; j < dim(); ++j) sum[j] += gradient[j];
        }
      }
    }
    updater_.Update(users, users_, step, rate);
    updater_.Update(items, items_, step, rate);
    if constexpr (kRelational) {
      updater_.UpdateAll(parameters.keys, relation_.KeysGradient(), step, rate);
      updater_.UpdateAll(parameters.memory, relation_.MemoryGradient(), step, rate);
    }
    return {static_cast<float>(total * share), static_cast<float>(pull_push * share),
            static_cast<float>(distortion * share)};
  }

  // Loss of triplet i alone, and the gradients of its rows, [roles, D].
  Terms One(const Tables& parameters, const Triplets& triplets, int64_t i, int64_t ahead,
            float share, uint64_t masks, int32_t* ids, float* gradients) {
    const Table &users = parameters.users, &items = parameters.items;
    const int64_t candidates = triplets.candidates;
    const int64_t later = std::min(i + kTripletsAhead, ahead - 1);
    Prefetch(Row(users, triplets.user[later]), dim());
    Prefetch(Row(items, triplets.pos_item[later]), dim());
    for (int64_t k = 0; k < candidates; ++k) {
      Prefetch(Row(items, triplets.neg_item[later * candidates + k]), dim());
    }
    const int32_t* negatives = triplets.neg_item + i * candidates;
    ids[kUser] = triplets.user[i], ids[kPos] = triplets.pos_item[i];
    ids[kNeg] = *negatives;
    float weight = 1;
    if constexpr (kKind == Kind::kRanked) {
      ids[kNeg] = Ranked(Row(users, ids[kUser]), Row(items, ids[kPos]), items, negatives,
                         candidates, &weight);
    } else if (candidates > 1) {
      ids[kNeg] = Hardest(Row(users, ids[kUser]), items, negatives, candidates);
    }
    const float* rows[kRoles] = {Row(users, ids[kUser]), Row(items, ids[kPos]),
                                 Row(items, ids[kNeg])};
    Terms terms = Gradients(rows, share * weight, masks + kRoles * i * kGolden64);
    std::copy_n(Scratch(kGradient, 0), kRoles * dim(), gradients);
    if constexpr (kKind == Kind::kRanked) {
      terms = {weight * terms.total, weight * terms.pull_push, 0};
    }
    return terms;
  }

 private:
  enum Buffer { kKeep, kMasked, kPoint, kGradient };

  const float* Row(const Table& table, int32_t id) const {
    return table.rows + int64_t{id} * dim();
  }

  // The first of the candidates with the highest score for a user's row.
  int32_t Hardest(const float* user, const Table& items, const int32_t* candidates,
                  int64_t count) {
    const float by_user = ToPoint(settings_, Dot<kDim>(user, user, dim())).scale;
    int32_t hardest = candidates[0];
    float least = std::numeric_limits<float>::infinity();
    for (int64_t k = 0; k < count; ++k) {
      const float dissimilarity = Dissimilarity(user, by_user, Row(items, candidates[k]));
      if (dissimilarity < least) {
        least = dissimilarity;
        hardest = candidates[k];
      }
    }
    return hardest;
  }

  // As `Hardest` for CML; the triplet's weight is log(1 + rank) of the positive, with
  // rank = floor(I impostors / n): those of the n within the margin (Hsieh et al. 2017).
  int32_t Ranked(const float* user, const float* pos, const Table& items,
                 const int32_t* candidates, int64_t count, float* weight) {
    const float bound = settings_.margin + SquaredDistance<kDim>(user, pos, dim());
    int32_t hardest = candidates[0];
    float least = std::numeric_limits<float>::infinity(), impostors = 0;
    for (int64_t k = 0; k < count; ++k) {
      const float gap = SquaredDistance<kDim>(user, Row(items, candidates[k]), dim());
      impostors += gap < bound;
      if (gap < least) {
        least = gap;
        hardest = candidates[k];
      }
    }
    *weight = std::log1p(std::floor(items.size * impostors / count));
    return hardest;
  }
  // Orders items for a user, whose row times `by_user` is its point, as the score
  // does, turned round: -<u, v>, |u-v|^2, |u+r-v|^2 with the pair's own r, or
  // |u-v|^2/(1-c|v|^2) for d_c(u, v).
  float Dissimilarity(const float* user, float by_user, const float* item) {
    if constexpr (kRelational) user = relation_.Moved(user, item);
    if (settings_.model == Model::kMFBPR) return -Dot<kDim>(user, item, dim());
    const float squared = Dot<kDim>(item, item, dim());
    const float by_item = ToPoint(settings_, squared).scale;
    float gap = 0;
#pragma omp simd reduction(+ : gap)
    for (int j = 0; j < dim(); ++j) gap += Square(by_user * user[j] - by_item * item[j]);
    if (settings_.model == Model::kCML) return gap;
    if (settings_.product) {
      const float c = settings_.c;
      const float by_user_squared = Square(by_user) * Dot<kDim>(user, user, dim());
      const float norm = squared * Square(by_item);
      return MakePair(c, by_user_squared, norm, gap).squared_distance -
             MakePair(c, 0, norm, norm).squared_distance;
    }
    return gap / std::max(1 - settings_.c * squared * Square(by_item), kBallMargin);
  }

  int dim() const { return kDim ? kDim : settings_.dim; }

  float* Scratch(Buffer buffer, int role) {
    return &scratch_[(buffer * kRoles + role) * dim()];
  }

  // Loss of a triplet; the gradients of its rows go to the scratch.
  Terms Gradients(const float* const* rows, float share, uint64_t masks) {
    const float* point[kRoles];
    PointMap map[kRoles];
    float squared[kRoles];
    for (int r = 0; r < kRoles; ++r) {
      const float* row = rows[r];
      if (drop_below_) row = Mask(row, r, Mix64(masks + r * kGolden64));
      squared[r] = Dot<kDim>(row, row, dim());
      map[r] = ToPoint(settings_, squared[r]);
      point[r] = row;
      if (map[r].scale != 1) {
        float* scaled = Scratch(kPoint, r);
#pragma omp simd
        for (int j = 0; j < dim(); ++j) scaled[j] = map[r].scale * row[j];
        point[r] = scaled;
        squared[r] *= Square(map[r].scale);
      }
    }

    const float *u = point[kUser], *p = point[kPos], *n = point[kNeg];
    if constexpr (kRelational) u = relation_.Moved(u, p);
    float up = 0, un = 0, advantage = 0;
#pragma omp simd reduction(+ : up, un, advantage)
    for (int j = 0; j < dim(); ++j) {
      up += Square(u[j] - p[j]);
      un += Square(u[j] - n[j]);
      advantage += u[j] * (p[j] - n[j]);
    }
    Coefficients k;
    const Terms terms = Evaluate(
        settings_, {squared[kUser], squared[kPos], squared[kNeg], up, un, advantage},
        share, &k);
    float *gu = Scratch(kGradient, kUser), *gp = Scratch(kGradient, kPos),
          *gn = Scratch(kGradient, kNeg);
#pragma omp simd
    for (int j = 0; j < dim(); ++j) {
      const float to_p = k.up * (u[j] - p[j]), to_n = k.un * (u[j] - n[j]);
      gu[j] = k.u * u[j] + to_p + to_n;
      gp[j] = k.p * p[j] - to_p;
      gn[j] = k.n * n[j] - to_n;
    }
    if constexpr (kRelational) {
      // An inactive hinge has no gradient.
      if (k.up != 0) relation_.AddGradients(point[kUser], p, gu, gp);
    }

    for (int r = 0; r < kRoles; ++r) {
      float* gradient = Scratch(kGradient, r);
      if (map[r].scale != 1) {
        const float* row = drop_below_ ? Scratch(kMasked, r) : rows[r];
        const float bend = map[r].bend * Dot<kDim>(gradient, row, dim());
#pragma omp simd
        for (int j = 0; j < dim(); ++j) {
          gradient[j] = map[r].scale * gradient[j] + bend * row[j];
        }
      }
      if (drop_below_) {
        const float* keep = Scratch(kKeep, r);
#pragma omp simd
        for (int j = 0; j < dim(); ++j) gradient[j] *= keep[j];
      }
    }
    return terms;
  }

  // The row with dropout: coordinates whose bits fall below rho 2^32 become 0.
  const float* Mask(const float* row, int role, uint64_t key) {
    float *keep = Scratch(kKeep, role), *masked = Scratch(kMasked, role);
    const float survivor = 1 / (1 - settings_.dropout);
    const uint32_t drop_below = drop_below_;
#pragma omp simd
    for (int j = 0; j < dim(); ++j) {
      keep[j] = Bits(key, j) < drop_below ? 0.f : survivor;
      masked[j] = row[j] * keep[j];
    }
    return masked;
  }
  const Settings settings_;
  RowSet users_, items_;
  std::vector<float> scratch_;
  Updater<kDim> updater_;
  Relation<kDim> relation_;
  const uint64_t drop_below_;  // rho 2^32
};

template <Kind kKind>
std::unique_ptr<Trainer> OfDim(const Settings& settings) {
  switch (settings.dim) {
    case 32:
      return std::make_unique<TrainerOf<32, kKind>>(settings);
    case 64:
      return std::make_unique<TrainerOf<64, kKind>>(settings);
    case 128:
      return std::make_unique<TrainerOf<128, kKind>>(settings);
    default:
      return std::make_unique<TrainerOf<0, kKind>>(settings);
  }
}

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_TRAINER_H_
