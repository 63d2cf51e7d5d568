// The losses of a triplet by scalars, and their gradients as coefficients of points.

#ifndef HYPERML_TF_KERNELS_LOSS_H_
#define HYPERML_TF_KERNELS_LOSS_H_

#include <algorithm>
#include <cmath>

#include "ball.h"
#include "step.h"

namespace hyperml {
namespace {

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

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_LOSS_H_
