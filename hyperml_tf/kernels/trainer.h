// The trainer of step.h. Each unit that includes this instantiates its own models:
// compiled apart, what one adds leaves the bits of the others alone.

#ifndef HYPERML_TF_KERNELS_TRAINER_H_
#define HYPERML_TF_KERNELS_TRAINER_H_

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "relation.h"
#include "step.h"

namespace hyperml {
namespace {

// As in geometry/poincare.py: how far inside the rim a projected point lies, and the
// floor under 1 - c|x|^2.
constexpr float kBallMargin = 1e-5f;
// Below, series leave 2e-8; above, closed forms lose no more than two bits.
constexpr float kSeriesBelow = 0.1f;

// Rows are fetched this many triplets (of rows read) or rows (of slots) early: about
// the latency of memory over the time that one takes.
constexpr int kTripletsAhead = 8;
constexpr int kRowsAhead = 8;

constexpr int kFloatsPerLine = 16;

inline float Square(float x) { return x * x; }

// ---------------------------------------------------------------- dropout masks

// SplitMix64 (Steele et al. 2014).
inline uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

constexpr uint64_t kGolden64 = 0x9E3779B97F4A7C15u;
constexpr uint32_t kGolden32 = 0x9E3779B9u;

// 32 random bits of coordinate j of the row with this key: a counter through a
// two-round multiply-xorshift hash (constants of Wellons' lowbias32).
inline uint32_t Bits(uint64_t key, uint32_t j) {
  uint32_t x = static_cast<uint32_t>(key) + j * kGolden32;
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= (x >> 15) ^ static_cast<uint32_t>(key >> 32);
  x *= 0x846CA68Bu;
  return x ^ (x >> 16);
}

// ------------------------------------------------------------- losses by scalars

// f(s) and f'(s).
struct Smooth {
  float value, slope;
};

// The tail of the series 1 + k0 s + k1 s^2 + ..., divided by s; and its derivative.
template <int kTerms>
inline float Polynomial(const float (&k)[kTerms], float s) {
  float sum = 0;
  for (int i = kTerms - 1; i >= 0; --i) sum = sum * s + k[i];
  return sum;
}

template <int kTerms>
inline float PolynomialSlope(const float (&k)[kTerms], float s) {
  float sum = 0;
  for (int i = kTerms - 1; i >= 0; --i) sum = sum * s + (i + 1) * k[i];
  return sum;
}

// A(s) = asinh(sqrt(s))/sqrt(s). From A + 2sA' = 1/sqrt(1+s) comes the slope.
inline Smooth Asinhc(float s) {
  if (s < kSeriesBelow) {
    constexpr float k[] = {-1.f / 6,    3.f / 40,     -5.f / 112,
                           35.f / 1152, -63.f / 2816, 231.f / 13312};
    return {Polynomial(k, s) * s + 1, PolynomialSlope(k, s)};
  }
  const float root = std::sqrt(s), hypotenuse = std::sqrt(1 + s);
  const float value = std::log(root + hypotenuse) / root;
  return {value, (1 / hypotenuse - value) / (2 * s)};
}

// T(s) = tanh(sqrt(s))/sqrt(s). From T + 2sT' = 1 - tanh^2 comes the slope.
inline Smooth Tanhc(float s) {
  if (s < kSeriesBelow) {
    constexpr float k[] = {-1.f / 3,    2.f / 15,            -17.f / 315,
                           62.f / 2835, -1382.f / 155925.f, 21844.f / 6081075.f};
    return {Polynomial(k, s) * s + 1, PolynomialSlope(k, s)};
  }
  const float root = std::sqrt(s), hyperbolic = std::tanh(root);
  const float value = hyperbolic / root;
  return {value, (1 - Square(hyperbolic) - value) / (2 * s)};
}

// A row as a point: point = scale * row, and back from the gradient g of the point,
// gradient of the row = scale * g + bend * <g, row> * row.
struct PointMap {
  float scale, bend;
};

// `squared` is the row's squared norm.
inline PointMap ToPoint(const Settings& settings, float squared) {
  const float c = settings.c, limit = 1 - kBallMargin;
  const float s = c * squared;
  PointMap map{1, 0};
  if (settings.model == Model::kHyperTS) {
    const Smooth t = Tanhc(s);
    map = {t.value, 2 * c * t.slope};
  } else if (settings.model != Model::kHyperML) {
    return map;
  }
  // The projection leaves only the row's direction, whatever came before it.
  if (s * Square(map.scale) > limit * limit) {
    map.scale = limit / std::sqrt(s);
    map.bend = -map.scale / squared;
  }
  return map;
}

// What a loss sees of a triplet's points u, p, n.
struct Geometry {
  float uu, pp, nn;  // squared norms
  float up, un;      // |u-p|^2, |u-n|^2
  float advantage;   // <u, p-n>
};

// The gradient of a loss, as coefficients of points:
//   g_u = u*U + p*(U-P) + n*(U-N),  g_p = pp*P - p*(U-P),  g_n = nn*N - n*(U-N).
struct Coefficients {
  float u, p, n;    // of the points themselves
  float up, un;     // of the differences
};

struct Pair {
  float squared_distance, distortion;
  float a, b, ab, q;
  float a_value, a_slope;  // A(cq) and A'(cq)
  float root_slope;        // 1/sqrt(1+cq)
};

// Everything of Eqs 10 and 12 for points of squared norms xx, yy and gap |x-y|^2:
//   q = gap/(ab),  d^2 = 4 q A(cq)^2,  distortion = 2 A(cq)/sqrt(ab) - 1.
inline Pair MakePair(float c, float xx, float yy, float gap) {
  Pair r;
  r.a = std::max(1 - c * xx, kBallMargin);
  r.b = std::max(1 - c * yy, kBallMargin);
  r.ab = r.a * r.b;
  r.q = gap / r.ab;
  const float s = c * r.q;
  const Smooth asinhc = Asinhc(s);
  r.a_value = asinhc.value;
  r.a_slope = asinhc.slope;
  r.root_slope = 1 / std::sqrt(1 + s);
  r.squared_distance = 4 * r.q * Square(asinhc.value);
  r.distortion = 2 * asinhc.value / std::sqrt(r.ab) - 1;
  return r;
}

// Adds the gradient of weight * d^2 + gamma * distortion to coefficients of x, y and
// of x - y. With d(d^2)/dq = 4A(A + 2sA') = 4A/sqrt(1+s).
inline void AddPairGradient(const Pair& r, float c, float weight, float gamma,
                            float* x, float* y, float* gap) {
  const float root = 1 / std::sqrt(r.ab);
  const float by_q = weight * 4 * r.a_value * r.root_slope +
                     gamma * 2 * c * r.a_slope * root;
  // ab enters by q = gap/(ab) and by the distortion's own root.
  const float by_ab = -(by_q * r.q + gamma * r.a_value * root) / r.ab;
  *gap += 2 * by_q / r.ab;
  *x += -2 * c * r.b * by_ab;
  *y += -2 * c * r.a * by_ab;
}

// softplus(x) without overflow, and share times its slope, sigmoid(x).
inline Smooth Softplus(float x, float share) {
  const float e = std::exp(-std::abs(x));
  return {std::max(x, 0.f) + std::log1p(e), share * (x < 0 ? e : 1.f) / (1 + e)};
}

inline Smooth PullPush(const Settings& settings, float violation, float share) {
  if (settings.loss == Loss::kSoftplus) return Softplus(violation, share);
  // max in this order: keeps NaN.
  return {std::max(violation, 0.f), violation > 0 ? share : 0.f};
}

// As `Evaluate` for points, with what goes beyond the paper: scores
// (d^2(0,v) - d^2(u,v))/2, and a penalty on the squared distances from the origin.
inline Terms EvaluateBeyond(const Settings& settings, const Geometry& g,
                            const Pair& pos, const Pair& neg, float share,
                            Coefficients* k) {
  const float c = settings.c, gamma = settings.distortion_weight;
  const float of_pair = settings.product ? 0.5f : 1.f, of_norm = 1 - of_pair;
  // Pairs with the origin, whose gap is the point itself.
  const Pair u = MakePair(c, 0, g.uu, g.uu), p = MakePair(c, 0, g.pp, g.pp),
             n = MakePair(c, 0, g.nn, g.nn);
  const Smooth loss = PullPush(
      settings,
      settings.margin + of_pair * (pos.squared_distance - neg.squared_distance) -
          of_norm * (p.squared_distance - n.squared_distance),
      share);
  AddPairGradient(pos, c, of_pair * loss.slope, gamma * share, &k->u, &k->p, &k->up);
  AddPairGradient(neg, c, -of_pair * loss.slope, gamma * share, &k->u, &k->n, &k->un);
  const float shrink = settings.origin_weight * share, lift = of_norm * loss.slope;
  float origin = 0;  // has no row
  AddPairGradient(u, c, shrink, 0, &origin, &k->u, &k->u);
  AddPairGradient(p, c, shrink - lift, 0, &origin, &k->p, &k->p);
  AddPairGradient(n, c, shrink + lift, 0, &origin, &k->n, &k->n);
  const float distortion = pos.distortion + neg.distortion;
  const float squares = u.squared_distance + p.squared_distance + n.squared_distance;
  return {loss.value + gamma * distortion + settings.origin_weight * squares, loss.value,
          distortion};
}

// Loss of one triplet; its gradient divided by the batch goes to `k`.
inline Terms Evaluate(const Settings& settings, const Geometry& g, float share,
                      Coefficients* k) {
  *k = {};
  if (settings.model == Model::kMFBPR) {
    const Smooth bpr = Softplus(-g.advantage, share);
    const float pull = -bpr.slope;
    const float shrink = 2 * settings.l2 * share;
    *k = {shrink, shrink + pull, shrink - pull, -pull, pull};
    return {bpr.value + settings.l2 * (g.uu + g.pp + g.nn), bpr.value, 0};
  }
  if (settings.model == Model::kCML) {
    const Smooth loss = PullPush(settings, settings.margin + g.up - g.un, share);
    k->up = 2 * loss.slope;
    k->un = -k->up;
    const float penalty = settings.norm_penalty;
    if (penalty == 0) return {loss.value, loss.value, 0};
    // Of |x|^2 + |y|^2 - |x-y|^2/3 for both pairs.
    const float shrink = 2 * penalty * share;
    *k = {2 * shrink, shrink, shrink, k->up - shrink / 3, k->un - shrink / 3};
    const float squares = 2 * g.uu + g.pp + g.nn - (g.up + g.un) / 3;
    return {loss.value + penalty * squares, loss.value, 0};
  }
  const float c = settings.c, gamma = settings.distortion_weight;
  const Pair pos = MakePair(c, g.uu, g.pp, g.up), neg = MakePair(c, g.uu, g.nn, g.un);
  if (settings.product || settings.origin_weight > 0) {
    return EvaluateBeyond(settings, g, pos, neg, share, k);
  }
  const Smooth loss = PullPush(
      settings, settings.margin + pos.squared_distance - neg.squared_distance, share);
  const float pull = loss.slope;
  AddPairGradient(pos, c, pull, gamma * share, &k->u, &k->p, &k->up);
  AddPairGradient(neg, c, -pull, gamma * share, &k->u, &k->n, &k->un);
  const float distortion = pos.distortion + neg.distortion;
  return {loss.value + gamma * distortion, loss.value, distortion};
}

// ---------------------------------------------------------------- rows of a batch

// The distinct rows of one table in a batch, in order of first appearance, and the
// sum of each one's gradients.
class RowSet {
 public:
  RowSet(int64_t most, int dim) : dim_(dim), ids_(most), gradients_(most * dim) {
    int bits = 1;
    while ((int64_t{1} << bits) < 2 * most) ++bits;
    shift_ = 32 - bits;
    cells_.resize(size_t{1} << bits);
  }

  void Clear() {
    std::fill(cells_.begin(), cells_.end(), Cell{-1, 0});
    size_ = 0;
  }

  // The gradient of row `id`; `first` says that nothing was added to it yet.
  float* Gradient(int32_t id, bool* first) {
    size_t at = Home(id);
    while (cells_[at].id != id && cells_[at].id >= 0) at = Next(at);
    *first = cells_[at].id < 0;
    if (*first) {
      cells_[at] = {id, size_};
      ids_[size_++] = id;
    }
    return gradient(cells_[at].place);
  }

  bool Has(int32_t id) const {
    size_t at = Home(id);
    while (cells_[at].id != id && cells_[at].id >= 0) at = Next(at);
    return cells_[at].id == id;
  }

  int32_t size() const { return size_; }
  int32_t id(int32_t place) const { return ids_[place]; }
  float* gradient(int32_t place) { return &gradients_[int64_t{place} * dim_]; }

 private:
  struct Cell {
    int32_t id, place;
  };

  size_t Home(int32_t id) const {
    return (static_cast<uint32_t>(id) * kGolden32) >> shift_;
  }
  size_t Next(size_t at) const { return (at + 1) & (cells_.size() - 1); }

  int dim_, shift_;
  int32_t size_ = 0;
  std::vector<Cell> cells_;  // open addressing, at most half full
  std::vector<int32_t> ids_;
  std::vector<float> gradients_;
};

inline void Prefetch(const float* row, int dim) {
  for (int j = 0; j < dim; j += kFloatsPerLine) __builtin_prefetch(row + j, 1);
}

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
        none_(settings.dim),
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
    Update(users, users_, step, rate);
    Update(items, items_, step, rate);
    if constexpr (kRelational) {
      UpdateAll(parameters.keys, relation_.KeysGradient(), step, rate);
      UpdateAll(parameters.memory, relation_.MemoryGradient(), step, rate);
    }
    return {static_cast<float>(total * share), static_cast<float>(pull_push * share),
            static_cast<float>(distortion * share)};
  }

 private:
  enum Buffer { kKeep, kMasked, kPoint, kGradient };

  const float* Row(const Table& table, int32_t id) const {
    return table.rows + int64_t{id} * dim();
  }

  // The first of the candidates with the highest score for a user's row.
  int32_t Hardest(const float* user, const Table& items, const int32_t* candidates,
                  int64_t count) {
    const float by_user = ToPoint(settings_, Dot(user, user)).scale;
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
    const float bound = settings_.margin + SquaredDistance(user, pos);
    int32_t hardest = candidates[0];
    float least = std::numeric_limits<float>::infinity(), impostors = 0;
    for (int64_t k = 0; k < count; ++k) {
      const float gap = SquaredDistance(user, Row(items, candidates[k]));
      impostors += gap < bound;
      if (gap < least) {
        least = gap;
        hardest = candidates[k];
      }
    }
    *weight = std::log1p(std::floor(items.size * impostors / count));
    return hardest;
  }

  float SquaredDistance(const float* x, const float* y) const {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < dim(); ++j) sum += Square(x[j] - y[j]);
    return sum;
  }

  // Orders items for a user, whose row times `by_user` is its point, as the score
  // does, turned round: -<u, v>, |u-v|^2, |u+r-v|^2 with the pair's own r, or
  // |u-v|^2/(1-c|v|^2) for d_c(u, v).
  float Dissimilarity(const float* user, float by_user, const float* item) {
    if constexpr (kRelational) user = relation_.Moved(user, item);
    if (settings_.model == Model::kMFBPR) return -Dot(user, item);
    const float squared = Dot(item, item);
    const float by_item = ToPoint(settings_, squared).scale;
    float gap = 0;
#pragma omp simd reduction(+ : gap)
    for (int j = 0; j < dim(); ++j) gap += Square(by_user * user[j] - by_item * item[j]);
    if (settings_.model == Model::kCML) return gap;
    if (settings_.product) {
      const float c = settings_.c, by_user_squared = Square(by_user) * Dot(user, user);
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
      squared[r] = Dot(row, row);
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
        const float bend = map[r].bend * Dot(gradient, row);
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

  float Dot(const float* x, const float* y) const {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < dim(); ++j) sum += x[j] * y[j];
    return sum;
  }

  // Moves the rows that have a gradient; dense Adam moves the others too.
  void Update(const Table& table, RowSet& rows, int64_t step, float rate) {
    const int slots = SlotsOf(settings_.optimizer);
    rate = Corrected(rate, step);
    for (int32_t i = 0; i < rows.size(); ++i) {
      const int64_t later = int64_t{rows.id(std::min(i + kRowsAhead, rows.size() - 1))};
      for (int k = 0; k < slots; ++k) Prefetch(table.slots[k] + later * dim(), dim());
      const int64_t offset = int64_t{rows.id(i)} * dim();
      float* x = table.rows + offset;
      float* gradient = rows.gradient(i);
      if (settings_.model == Model::kHyperML && settings_.rescale) {
        // Eq. 14.
        const float a = std::max(1 - settings_.c * Dot(x, x), kBallMargin);
        const float scale = Square(a / 2);
#pragma omp simd
        for (int j = 0; j < dim(); ++j) gradient[j] *= scale;
      }
      Move(x, gradient, table.slots[0] + offset, table.slots[1] + offset, rate);
      Retract(x);
    }
    if (settings_.optimizer != Optimizer::kAdamDense) return;
    for (int64_t id = 0; id < table.size; ++id) {
      if (rows.Has(id)) continue;
      const int64_t offset = id * dim();
      float* x = table.rows + offset;
      Move(x, none_.data(), table.slots[0] + offset, table.slots[1] + offset, rate);
      Retract(x);
    }
  }

  // Moves all of a dense variable of N D numbers, D at a time.
  void UpdateAll(const Table& table, const float* gradient, int64_t step, float rate) {
    rate = Corrected(rate, step);
    for (int64_t i = 0; i < int64_t{settings_.memory_size} * dim(); i += dim()) {
      Move(table.rows + i, gradient + i, table.slots[0] + i, table.slots[1] + i, rate);
    }
  }

  // Adam's bias correction.
  float Corrected(float rate, int64_t step) const {
    if (SlotsOf(settings_.optimizer) == 2) {
      rate *= std::sqrt(1 - std::pow(double{settings_.beta_2}, step + 1)) /
              (1 - std::pow(double{settings_.beta_1}, step + 1));
    }
    return rate;
  }

  void Move(float* __restrict x, const float* __restrict gradient,
            float* __restrict first, float* __restrict second, float rate) {
    const float epsilon = settings_.epsilon;
    switch (settings_.optimizer) {
      case Optimizer::kAdam:
      case Optimizer::kAdamDense: {
        const float beta_1 = settings_.beta_1, beta_2 = settings_.beta_2;
        const float rest_1 = 1 - beta_1, rest_2 = 1 - beta_2;
#pragma omp simd
        for (int j = 0; j < dim(); ++j) {
          const float m = beta_1 * first[j] + rest_1 * gradient[j];
          const float v = beta_2 * second[j] + rest_2 * Square(gradient[j]);
          first[j] = m;
          second[j] = v;
          x[j] -= rate * m / (std::sqrt(v) + epsilon);
        }
        return;
      }
      case Optimizer::kAdagrad:
#pragma omp simd
        for (int j = 0; j < dim(); ++j) {
          first[j] += Square(gradient[j]);
          x[j] -= rate * gradient[j] / std::sqrt(first[j] + epsilon);
        }
        return;
      case Optimizer::kSgd:
#pragma omp simd
        for (int j = 0; j < dim(); ++j) x[j] -= rate * gradient[j];
    }
  }

  // Brings a moved row back to where the model's rows lie.
  void Retract(float* x) {
    const bool ball = settings_.model == Model::kHyperML;
    if (!ball && settings_.model != Model::kCML) return;
    const float limit = ball ? 1 - kBallMargin : 1.f;
    const float s = (ball ? settings_.c : 1.f) * Dot(x, x);
    if (s > limit * limit) {
      const float scale = limit / std::sqrt(s);
#pragma omp simd
      for (int j = 0; j < dim(); ++j) x[j] *= scale;
    }
  }

  const Settings settings_;
  RowSet users_, items_;
  std::vector<float> scratch_;
  const std::vector<float> none_;  // a gradient of zeros
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
