// NaN and infinite inputs come out as such from every reduction, so that whoever looks at a loss notices. WGSL lets an adapter
// lose a NaN in max, min, exp and comparisons, and some do; the kernels test bits.
import type { Step } from '@limn/gpu';
import { testGpu, withCanaries } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import {
  abs,
  asRowBlocks,
  causalAttention,
  causalSoftmax,
  crossEntropy,
  crossEntropyUnembed,
  exp,
  fromData,
  gatherProbabilities,
  gelu,
  gradients,
  IGNORED_TARGET,
  klDivergence,
  layernorm,
  layernormScale,
  log,
  logSoftmax,
  logSumExp,
  max,
  reciprocal,
  relu,
  rsqrt,
  sigmoid,
  softmax,
  sqrt,
  square,
  sum,
  tanh,
  topK,
  type Tensor,
} from '../../src/index.js';
import { reduceVariants } from '../check-op.js';
import { withWorkgroup } from '../workgroups.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const variants = await reduceVariants();

/** Longer than every workgroup, so that lanes see one element, several, or none of what is spoilt. */
const WIDTH = 150;
/** Where the row is spoilt: the first lane, the last element, and one of a later turn of the loop. */
const PLACES = [0, 70, WIDTH - 1];
/** A target that none of them is. */
const TARGET = 33;

const NAN_BITS = 0x7fc00000;
/** Rows of ordinary logits, row r with the float of these bits at PLACES[r]; the last row has none. */
function rowsWith(bits: number): Float32Array {
  const rows = Float32Array.from({ length: (PLACES.length + 1) * WIDTH }, (_, i) => ((i * 37) % 11) / 4 - 1);
  const words = new Uint32Array(rows.buffer);
  for (const [row, place] of PLACES.entries()) words[row * WIDTH + place] = bits;
  return rows;
}
const ROWS = PLACES.length + 1;
const form = [ROWS, WIDTH] as const;

/** Runs on every reduction variant that the adapter has: a tree over 64 lanes, subgroups over as many as suit the adapter. */
async function onEveryVariant(
  run: (step: Step) => readonly Tensor[],
  check: (results: readonly Float32Array[]) => void,
): Promise<void> {
  const gpu = await testGpu();
  for (const variant of variants) {
    using step = gpu.step();
    const canaries = withCanaries(step, variant);
    if (variant.reduce === 'tree') withWorkgroup(step, 64);
    check(await canaries.read(run(step)));
  }
}

/** Row by row: NaN somewhere in it. */
function spoiltRows(values: Float32Array, rows = ROWS): boolean[] {
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, r) => values.subarray(r * width, (r + 1) * width).some(Number.isNaN));
}
const ALL_BUT_LAST = [true, true, true, false];

describe.each([
  ['NaN', NAN_BITS],
  ['a NaN with its sign set', 0xffc00001],
  ['+∞', 0x7f800000],
])('%s among the logits', (_, bits) => {
  const logits = rowsWith(bits);

  it.each([
    ['not the target', TARGET],
    ['the target', undefined],
  ])('crossEntropy: %s', async (_, target) => {
    const targets = Uint32Array.from({ length: ROWS }, (_, row) => target ?? PLACES[row] ?? 0);
    await onEveryVariant(
      (step) => {
        const x = fromData(step, logits, form);
        const loss = crossEntropy(step, x, fromData(step, targets, [ROWS]));
        return [loss, ...gradients(step, loss, 'ones', [x])];
      },
      ([loss, dx]) => {
        expect(spoiltRows(loss!)).toEqual(ALL_BUT_LAST);
        expect(spoiltRows(dx!)).toEqual(ALL_BUT_LAST);
      },
    );
  });

  it.each([
    ['not the target', TARGET],
    ['the target', undefined],
  ])('crossEntropyUnembed: %s', async (_, target) => {
    const targets = Uint32Array.from({ length: ROWS }, (_, row) => target ?? PLACES[row] ?? 0);
    // The logits are the table's column, times 1. A row has a table of its own: 0 · NaN would spoil the others.
    for (let row = 0; row < ROWS; row += 1)
      await onEveryVariant(
        (step) => {
          const x = fromData(step, [1], [1, 1]);
          const table = fromData(step, logits.subarray(row * WIDTH, (row + 1) * WIDTH), [WIDTH, 1]);
          const target = fromData(step, targets.subarray(row, row + 1), [1]);
          // Three tiles of the vocabulary: a spoilt one before, between and after sound ones.
          const loss = crossEntropyUnembed(step, x, asRowBlocks(table), target, { tileColumns: 64 });
          return [loss, ...gradients(step, loss, 'ones', [x, table])];
        },
        (results) => {
          for (const result of results) expect(spoiltRows(result, 1)).toEqual([ALL_BUT_LAST[row]]);
        },
      );
  });

  it('an ignored row has no loss and no gradient, whatever its logits', async () => {
    await onEveryVariant(
      (step) => {
        const x = fromData(step, logits, form);
        const loss = crossEntropy(step, x, fromData(step, new Uint32Array(ROWS).fill(IGNORED_TARGET), [ROWS]));
        return [loss, ...gradients(step, loss, 'ones', [x])];
      },
      ([loss, dx]) => {
        expect(loss!.every((v) => v === 0)).toBe(true);
        expect(dx!.every((v) => v === 0)).toBe(true);
      },
    );
  });

  it('logSumExp, logSoftmax, softmax, gathered probabilities', async () => {
    await onEveryVariant(
      (step) => {
        const x = fromData(step, logits, form);
        const ids = fromData(step, new Uint32Array(ROWS).fill(TARGET), [ROWS, 1]);
        const lse = logSumExp(step, x);
        const logs = logSoftmax(step, x);
        return [
          lse,
          logs,
          softmax(step, x),
          gatherProbabilities(step, x, ids),
          ...gradients(step, lse, 'ones', [x]),
          ...gradients(
            step,
            logs,
            fromData(
              step,
              logits.map(() => 1),
              form,
            ),
            [x],
          ),
        ];
      },
      (results) => {
        for (const result of results) expect(spoiltRows(result)).toEqual(ALL_BUT_LAST);
      },
    );
  });

  it('klDivergence: in the logits and in the log-probabilities', async () => {
    const sound = rowsWith(0).map((v) => v - 6);
    await onEveryVariant(
      (step) => {
        const x = fromData(step, logits, form);
        const p = logSoftmax(step, fromData(step, sound, form));
        const kl = klDivergence(step, p, x);
        return [
          kl,
          ...gradients(step, kl, 'ones', [x]),
          klDivergence(step, logSoftmax(step, x), fromData(step, sound, form)),
        ];
      },
      (results) => {
        for (const result of results) expect(spoiltRows(result)).toEqual(ALL_BUT_LAST);
      },
    );
  });

  it('sum, layernorm and its scale', async () => {
    await onEveryVariant(
      (step) => {
        const x = fromData(step, logits, form);
        const ones = fromData(step, new Float32Array(WIDTH).fill(1), [WIDTH]);
        return [
          layernorm(step, x, ones, ones, 1e-5),
          layernormScale(step, x, 1e-5),
          sum(step, layernorm(step, x, ones, ones, 1e-5), { axes: [1] }),
        ];
      },
      (results) => {
        for (const result of results) expect(spoiltRows(result)).toEqual(ALL_BUT_LAST);
      },
    );
  });
});

describe('−∞ among the logits', () => {
  it('is a token of probability 0: the loss is as without it, ∞ at the target, NaN for a row of nothing else', async () => {
    const kept = [0.5, -1, 2];
    const total = Math.log(kept.reduce((sum, v) => sum + Math.exp(v), 0));
    const rows = [0.5, -inf, -1, 2, -inf, 0.5, -1, 2, -inf, -inf, -inf, -inf];
    const targets = Uint32Array.of(3, 0, 2);
    const closeTo = (loss: Float32Array): void => {
      expect(loss[0]).toBeCloseTo(total - 2, 5);
      expect(loss[1]).toBe(inf);
      expect(loss[2]).toBeNaN();
    };
    await onEveryVariant(
      (step) => {
        const x = fromData(step, rows, [3, 4]);
        const ids = fromData(step, targets, [3]);
        const fused = [0, 1, 2].map((row) =>
          crossEntropyUnembed(
            step,
            fromData(step, [1], [1, 1]),
            asRowBlocks(fromData(step, rows.slice(4 * row, 4 * row + 4), [4, 1])),
            fromData(step, targets.subarray(row, row + 1), [1]),
            { tileColumns: 2 },
          ),
        );
        const loss = crossEntropy(step, x, ids);
        return [loss, softmax(step, x), ...gradients(step, loss, 'ones', [x]), ...fused];
      },
      ([loss, shares, dx, ...fused]) => {
        closeTo(loss!);
        closeTo(Float32Array.from(fused, (one) => one[0]!));
        expect(shares![1]).toBe(0);
        expect(shares![2]).toBeCloseTo(Math.exp(-1 - total), 5);
        expect(dx![1]).toBe(0);
        expect(dx![0]).toBeCloseTo(Math.exp(0.5 - total), 5);
        expect([...shares!.subarray(8)].every(Number.isNaN)).toBe(true);
      },
    );
  });
});

describe('attention', () => {
  it.each([nan, inf])('a score of %s spoils its row and no other', async (value) => {
    await onEveryVariant(
      (step) => {
        const scores = fromData(step, [1, 9, 9, value, 1, 9, 1, 2, 3], [1, 1, 3, 3]);
        return [causalSoftmax(step, scores)];
      },
      ([pattern]) => expect(spoiltRows(pattern!, 3)).toEqual([false, true, false]),
    );
    // The fused kernel: a spoilt key spoils the queries that see it.
    await onEveryVariant(
      (step) => {
        const ones = fromData(step, [1, 1, 1], [1, 3, 1, 1]);
        const k = fromData(step, [1, value, 1], [1, 3, 1, 1]);
        const z = causalAttention(step, ones, k, ones, { kernel: 'fused' });
        return [z, ...gradients(step, z, 'ones', [ones])];
      },
      ([z, dq]) => {
        expect(spoiltRows(z!, 3)).toEqual([false, true, true]);
        expect(spoiltRows(dq!, 3)).toEqual([true, true, true]);
      },
    );
  });
});

describe('largest elements', () => {
  it('max of a row with a NaN is NaN, also over several chunks; infinities are ordinary', async () => {
    const long = new Float32Array(2 * 9000).fill(1);
    long[8999] = nan;
    await onEveryVariant(
      (step) => [
        max(step, fromData(step, rowsWith(NAN_BITS), form), { axes: [1] }),
        max(step, fromData(step, long, [2, 9000]), { axes: [1] }),
        max(step, fromData(step, [-inf, -inf, 1, inf], [2, 2]), { axes: [1] }),
      ],
      ([short, chunks, infinite]) => {
        expect(spoiltRows(short!)).toEqual(ALL_BUT_LAST);
        expect([...chunks!]).toEqual([nan, 1]);
        expect([...infinite!]).toEqual([-inf, inf]);
      },
    );
  });

  it('topK ranks a NaN last and still gives it', async () => {
    await onEveryVariant(
      (step) => {
        const { values } = topK(step, fromData(step, [nan, 1, -inf], [1, 3]), 3);
        return [values];
      },
      ([values]) => expect([...values!]).toEqual([1, -inf, nan]),
    );
  });
});

describe('functions', () => {
  it('keep a NaN, and relu its infinities', async () => {
    const functions = [square, sqrt, rsqrt, reciprocal, exp, log, relu, sigmoid, tanh, abs];
    await onEveryVariant(
      (step) => {
        const x = fromData(step, [nan, 1], [2]);
        return [
          relu(step, fromData(step, [nan, -1, 2, inf, -inf], [5])),
          ...functions.map((f) => f(step, x)),
          gelu(step, x, 'tanh'),
          gelu(step, x, 'erf'),
        ];
      },
      ([y, ...results]) => {
        expect([...y!]).toEqual([nan, 0, 2, inf, 0]);
        for (const result of results) expect(spoiltRows(result, 2)).toEqual([true, false]);
      },
    );
  });
});
