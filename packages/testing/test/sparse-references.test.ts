// The float64 sparse codes: the rule of selection in cases done by hand, and gradients that agree with finite differences.
import { describe, expect, it } from 'vitest';
import { checkVjp, referenceRandom, referenceSparseCodes } from '../src/index.js';

const random = referenceRandom(17);
const { selectLargest, preActivations, encodeVjp, decodeForward, decodeVjp, toDense, atEntries } = referenceSparseCodes;

describe('selection', () => {
  const h = Float64Array.of(3, 1, 3, -2, Number.NaN, 2, 0, -0, 5, 2, 1, Number.POSITIVE_INFINITY);

  it('takes the largest positive of a row, of equal ones those with lower features', () => {
    const codes = selectLargest(h, 6, { k: 2 });
    expect([...codes.columns]).toEqual([0, 2, 2, 5]);
    expect([...codes.values]).toEqual([3, 3, 5, Number.POSITIVE_INFINITY]);
    expect([...codes.rowStarts]).toEqual([0, 2, 4]);
    expect([...selectLargest(h, 6, { k: 1 }).columns]).toEqual([0, 5]);
    // Four of the first row are positive, and four of the second.
    expect([...selectLargest(h, 6, { k: 6 }).rowStarts]).toEqual([0, 4, 8]);
  });

  it('takes the largest of a batch, of equal ones those in lower rows', () => {
    const codes = selectLargest(h, 6, { k: 1, over: 'batch' });
    expect([...codes.values]).toEqual([5, Number.POSITIVE_INFINITY]);
    const more = selectLargest(Float64Array.of(1, 2, 1, 1, 0, 1), 2, { k: 1, over: 'batch' });
    expect([...more.entryRows]).toEqual([0, 0, 1]);
    expect([...more.columns]).toEqual([0, 1, 0]);
  });

  it('leaves out what is not allowed', () => {
    const codes = selectLargest(h, 6, { k: 2, allowed: Uint32Array.of(0, 1, 0, 1, 1, 1) });
    expect([...codes.columns]).toEqual([1, 5, 3, 5]);
  });
});

describe('gradients', () => {
  const [rows, features, width] = [5, 7, 3];
  const [x, wEnc, bEnc] = [random.normals(rows * width), random.normals(features * width), random.normals(features)];

  it('of the encoder, where no step changes what is selected', () => {
    for (const over of ['row', 'batch'] as const) {
      const codes = selectLargest(preActivations(x, wEnc, bEnc).values, features, { k: 2, over });
      expect(codes.columns.length).toBeGreaterThan(5);
      checkVjp(
        {
          name: `encode by ${over}`,
          forward: ([a, w, b]) => [
            toDense(codes, selectLargest(preActivations(a!, w!, b!).values, features, { k: 2, over }).values).values,
          ],
          vjp: ([a, w], [dy]) => {
            const d = encodeVjp(codes, a!, w!, atEntries(codes, dy!));
            return [d.x.values, d.wEnc.values, d.bEnc.values];
          },
        },
        [x, wEnc, bEnc],
      );
    }
  });

  it('of the decoder', () => {
    const codes = selectLargest(preActivations(x, wEnc, bEnc).values, features, { k: 2 });
    checkVjp(
      {
        name: 'decode',
        forward: ([values, w, b]) => [decodeForward(codes, values!, w!, b!).values],
        vjp: ([values, w], [dy]) => {
          const d = decodeVjp(codes, values!, w!, dy!);
          return [d.values.values, d.wDec.values, d.bDec.values];
        },
      },
      [codes.values, random.normals(features * width), random.normals(width)],
    );
  });
});
