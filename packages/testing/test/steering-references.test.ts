// The float64 gradients of steering methods and objectives agree with finite differences.
import { describe, it } from 'vitest';
import { checkVjp, referenceRandom, referenceSteering as steering } from '../src/index.js';

const random = referenceRandom(81);
const [R, W, P] = [5, 4, 2];
const rows = {
  width: W,
  slots: Int32Array.of(0, -1, 1, 1, 0),
  strength: Float64Array.of(1, 1, -1, 0.5, -2),
};
const h = random.normals(R * W);
const probe = random.normals(W);

describe('methods', () => {
  it.each([true, false])('dynamic, raw %s', (raw) => {
    const about = (a: Float64Array, p: Float64Array, b: Float64Array) => ({
      ...rows,
      h: a,
      probe: p,
      bias: b[0]!,
      raw,
      tiny: 1e-12,
    });
    checkVjp(
      {
        name: 'dynamic',
        forward: ([a, p, b]) => [steering.dynamicForward(about(a!, p!, b!))],
        vjp: ([a, p, b], [dy]) => {
          const found = steering.dynamicVjp(about(a!, p!, b!), dy!);
          return [found.h, found.probe, Float64Array.of(found.bias)];
        },
      },
      [h, probe, Float64Array.of(0.3)],
    );
  });

  it('gated', () => {
    const about = (a: Float64Array, alpha: Float64Array, p: Float64Array, t: Float64Array) => ({
      ...rows,
      h: a,
      alpha,
      probe: p,
      threshold: t[0]!,
      temperature: 0.7,
      tiny: 1e-12,
    });
    checkVjp(
      {
        name: 'gated',
        forward: ([a, alpha, p, t]) => [steering.gatedForward(about(a!, alpha!, p!, t!))],
        vjp: ([a, alpha, p, t], [dy]) => {
          const found = steering.gatedVjp(about(a!, alpha!, p!, t!), dy!);
          return [found.h, found.alpha, found.probe, Float64Array.of(found.threshold)];
        },
      },
      [h, random.normals(P), probe, Float64Array.of(0.2)],
    );
  });

  it('subspace', () => {
    const basis = random.normals(W * 3);
    const about = (a: Float64Array, alpha: Float64Array) => ({ ...rows, h: a, alpha, basis, rank: 3 });
    checkVjp(
      {
        name: 'subspace',
        forward: ([a, alpha]) => [steering.subspaceForward(about(a!, alpha!))],
        vjp: ([a, alpha], [dy]) => {
          const found = steering.subspaceVjp(about(a!, alpha!), dy!);
          return [found.h, found.alpha];
        },
      },
      [h, random.normals(P * 3)],
    );
  });
});

describe('objectives', () => {
  const width = 6;
  const x = random.normals(4 * width, 2);
  const ids = Uint32Array.of(0, 3, 5, 1, 2, 4, 1, 0);
  const strength = Float64Array.of(1, -1, 1, -1);
  const parity = {
    kind: 'parity',
    tolerance: 0.1,
    retentionShare: 0.1,
    retentionWeight: 2,
    kept: Float64Array.of(Number.NaN, 1.5, Number.NaN, -0.5),
  } as const;
  const flips = (['hinge', 'softplus', 'linear'] as const).map(
    (effect) => ({ kind: 'flip', margin: 2, effect }) as const,
  );
  it.each([...flips, parity])('%o', (goal) => {
    const about = (v: Float64Array) => ({ x: v, width, ids, strength, goal });
    checkVjp(
      {
        name: 'effect',
        forward: ([v]) => [Float64Array.of(steering.effectForward(about(v!)))],
        vjp: ([v], [dy]) => [steering.effectVjp(about(v!)).map((slope) => slope * dy![0]!)],
      },
      [x],
    );
  });
});
