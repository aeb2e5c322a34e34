// The float64 vjps of arithmetic, unary, reductions, movement, gathers and softmax losses agree with finite differences.
import { describe, it } from 'vitest';
import {
  checkVjp,
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
