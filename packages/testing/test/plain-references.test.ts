// The float64 vjps of arithmetic, unary, reductions, movement, gathers and softmax losses agree with finite differences.
import { describe, expect, it } from 'vitest';
import {
  checkVjp,
  referenceBucketDivergence,
  referenceCells,
  referenceArithmetic,
  referenceGather,
  referenceMovement,
  referenceRandom,
  referenceReduce,
  referenceSoftmaxLosses,
  referenceUnary,
} from '../src/index.js';

const random = referenceRandom(5);

describe('arithmetic', () => {
  const shapes: [number[], number[]][] = [
    [
      [3, 4],
      [3, 4],
    ],
    [[2, 3, 4], [4]],
    [
      [5, 3],
      [5, 1],
    ],
    [
      [2, 3, 4],
      [2, 1, 4],
    ],
    [
      [1, 3],
      [2, 1],
    ],
  ];
  for (const op of [{ kind: 'add', alpha: -0.7 }, { kind: 'mul' }, { kind: 'div' }] as const)
    it(op.kind, () => {
      for (const [aShape, bShape] of shapes) {
        const count = (shape: number[]) => shape.reduce((product, length) => product * length, 1);
        const shaped = (values: Float64Array, shape: number[]) => ({ values, shape });
        checkVjp(
          {
            name: op.kind,
            forward: ([a, b]) => [
              referenceArithmetic.arithmeticForward(op, shaped(a!, aShape), shaped(b!, bShape)).values,
            ],
            vjp: ([a, b], [dy]) => {
              const d = referenceArithmetic.arithmeticVjp(op, shaped(a!, aShape), shaped(b!, bShape), dy!);
              return [d.a.values, d.b.values];
            },
          },
          // Divisors stay away from zero.
          [random.normals(count(aShape)), random.normals(count(bShape)).map((value) => value + 2 * Math.sign(value))],
        );
      }
    });
});

describe('unary', () => {
  for (const name of Object.keys(referenceUnary.curves))
    it(name, () => {
      // Away from the kinks and poles at zero; positive where the function needs it.
      const positive = ['sqrt', 'rsqrt', 'log'].includes(name);
      const x = random.normals(64).map((value) => (positive ? 0.3 + Math.abs(value) : value + 0.3 * Math.sign(value)));
      checkVjp(
        {
          name,
          forward: ([input]) => [referenceUnary.unaryForward(name, input!).values],
          vjp: ([input], [dy]) => [referenceUnary.unaryVjp(name, input!, dy!).values],
        },
        [x],
      );
    });
});

describe('reductions', () => {
  it('sum', () => {
    for (const axes of [[0], [1], [2], [0, 2], [0, 1, 2]])
      checkVjp(
        {
          name: `sum over ${axes.join()}`,
          forward: ([x]) => [referenceReduce.sumForward(x!, [3, 4, 5], axes, 0.25).values],
          vjp: (_x, [dy]) => [referenceReduce.sumVjp([3, 4, 5], axes, dy!, 0.25).values],
        },
        [random.normals(60)],
      );
  });

  it('dot', () => {
    checkVjp(
      {
        name: 'dot',
        forward: ([a, b]) => [referenceReduce.dotForward(a!, b!, 7).values],
        vjp: ([a, b], [dy]) => [referenceReduce.dotVjp(b!, 7, dy!).values, referenceReduce.dotVjp(a!, 7, dy!).values],
      },
      [random.normals(35), random.normals(35)],
    );
  });
});

describe('movement', () => {
  it('slice and permute', () => {
    const maps = [
      referenceMovement.sliceSources([3, 5, 2], 1, 1, 3),
      referenceMovement.permuteSources([3, 5, 2], [2, 0, 1]),
    ];
    for (const sources of maps)
      checkVjp(
        {
          name: 'movement',
          forward: ([x]) => [referenceMovement.moveForward(x!, sources)],
          vjp: ([x], [dy]) => [referenceMovement.moveVjp(x!.length, sources, dy!)],
        },
        [random.normals(30)],
      );
  });
});

describe('gathers', () => {
  it('rows, with repeats', () => {
    const rows = Uint32Array.of(3, 0, 3, 9, 1);
    checkVjp(
      {
        name: 'gatherRows',
        forward: ([x]) => [referenceGather.gatherRowsForward(x!, 3, rows)],
        vjp: (_x, [dy]) => [referenceGather.gatherRowsVjp(5, 3, rows, dy!).values],
      },
      [random.normals(15)],
    );
  });

  it('logits and probabilities, with repeats', () => {
    const ids = Uint32Array.of(1, 1, 6, 0, 9, 0);
    checkVjp(
      {
        name: 'gatherLogits',
        forward: ([x]) => [referenceGather.gatherLogitsForward(x!, 7, ids)],
        vjp: ([x], [dy]) => [referenceGather.gatherLogitsVjp(x!.length, 7, ids, dy!).values],
      },
      [random.normals(14)],
    );
    checkVjp(
      {
        name: 'gatherProbabilities',
        forward: ([x]) => [referenceSoftmaxLosses.gatherProbabilitiesForward(x!, 7, ids).values],
        vjp: ([x], [dy]) => [referenceSoftmaxLosses.gatherProbabilitiesVjp(x!, 7, ids, dy!).values],
      },
      [random.normals(14)],
    );
  });
});

describe('softmax losses', () => {
  const width = 6;
  const x = random.normals(18, 2);
  const logp = referenceSoftmaxLosses.logSoftmaxForward(random.normals(18, 2), width).values;
  const targets = Uint32Array.of(0, 5, 9);
  const losses = referenceSoftmaxLosses;
  const cases = {
    logSumExp: [
      (v: Float64Array) => losses.logSumExpForward(v, width),
      (v: Float64Array, d: Float64Array) => losses.logSumExpVjp(v, width, d),
    ],
    logSoftmax: [
      (v: Float64Array) => losses.logSoftmaxForward(v, width),
      (v: Float64Array, d: Float64Array) => losses.logSoftmaxVjp(v, width, d),
    ],
    crossEntropy: [
      (v: Float64Array) => losses.crossEntropyForward(v, width, targets),
      (v: Float64Array, d: Float64Array) => losses.crossEntropyVjp(v, width, targets, d),
    ],
    klDivergence: [
      (v: Float64Array) => losses.klDivergenceForward(logp, v, width),
      (v: Float64Array, d: Float64Array) => losses.klDivergenceVjp(logp, v, width, d),
    ],
  } as const;
  for (const [name, [forward, vjp]] of Object.entries(cases))
    it(name, () => {
      checkVjp({ name, forward: ([v]) => [forward(v!).values], vjp: ([v], [d]) => [vjp(v!, d!).values] }, [x]);
    });
});

describe('bucket divergence', () => {
  const [width, picks] = [6, 2];
  const logp = referenceSoftmaxLosses.logSoftmaxForward(random.normals(2 * width, 2), width).values;
  const ids = Uint32Array.of(0, 3, 5, 1, 2, 2, 4, 0);
  const x = random.normals(4 * width, 2);
  it.each(['bucket', 'rest', 'mass'] as const)('%s', (form) => {
    const about = (v: Float64Array) => ({ logp, x: v, width, ids: ids.subarray(0, 4 * picks), form });
    checkVjp(
      {
        name: form,
        forward: ([v]) => [referenceBucketDivergence.bucketDivergenceForward(about(v!)).values],
        vjp: ([v], [d]) => [referenceBucketDivergence.bucketDivergenceVjp(about(v!), d!).values],
      },
      [x],
    );
  });

  it('is the KL divergence where the answers are one token', () => {
    const one = { logp, x, width, ids: Uint32Array.of(0, 3, 5, 1), form: 'bucket' as const };
    const all = new Float64Array([...logp, ...logp]);
    const expected = referenceSoftmaxLosses.klDivergenceForward(all, x, width).values;
    referenceBucketDivergence
      .bucketDivergenceForward(one)
      .values.forEach((value, n) => expect(value).toBeCloseTo(expected[n]!, 12));
  });
});

describe('cells', () => {
  const cells = Int32Array.of(1, -1, 0, 1);
  const strength = Float64Array.of(1, 1, -1.5, -1);
  const [x, table] = [random.normals(4 * 2 * 3), random.normals(2 * 2)];
  it.each(['linear', 'exponential', 'bounded'] as const)('scaled, %s', (form) => {
    const about = (v: Float64Array, t: Float64Array) => ({ x: v, table: t, units: 2, cells, strength, form, bound: 2 });
    checkVjp(
      {
        name: form,
        forward: ([v, t]) => [referenceCells.cellScaleForward(about(v!, t!)).values],
        vjp: ([v, t], [d]) => {
          const found = referenceCells.cellScaleVjp(about(v!, t!), d!);
          return [found.x.values, found.table.values];
        },
      },
      [x, table],
    );
  });

  it('shifted', () => {
    const wide = random.normals(2 * 6);
    const about = (t: Float64Array) => ({ x, table: t, units: 6, cells, strength, form: 'linear', bound: 1 }) as const;
    checkVjp(
      {
        name: 'shifted',
        forward: ([t]) => [referenceCells.cellAddForward(about(t!)).values],
        vjp: ([t], [d]) => [referenceCells.cellAddVjp(about(t!), d!).values],
      },
      [wide],
    );
  });

  it('the proximal steps minimise what they are steps of', () => {
    const p = random.normals(6);
    const metric = Float64Array.of(0.5, 1, 2, 0.5, 1, 2);
    const at = (z: Float64Array, threshold: number): number =>
      z.reduce((sum, value, i) => sum + threshold * Math.abs(value) + (metric[i]! / 2) * (value - p[i]!) ** 2, 0);
    const best = referenceCells.proximalL1(p, metric, 0.6);
    const rowMetric = Float64Array.of(0.7, 1.5);
    const ofRows = (z: Float64Array): number =>
      [0, 1].reduce((sum, r) => {
        const own = z.subarray(3 * r, 3 * r + 3);
        const apart = own.map((value, i) => value - p[3 * r + i]!);
        return sum + 0.6 * Math.hypot(...own) + (rowMetric[r]! / 2) * Math.hypot(...apart) ** 2;
      }, 0);
    const rows = referenceCells.proximalRows(p, rowMetric, 3, 0.6);
    for (let round = 0; round < 50; round++) {
      const away = random.normals(6, 0.1);
      expect(
        at(
          best.map((value, i) => value + away[i]!),
          0.6,
        ),
      ).toBeGreaterThan(at(best, 0.6));
      expect(ofRows(rows.map((value, i) => value + away[i]!))).toBeGreaterThan(ofRows(rows));
    }
  });
});
