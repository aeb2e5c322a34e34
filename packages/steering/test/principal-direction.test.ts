// The first principal direction against all eigenvectors by Jacobi rotations, in float64.
import { expect, it } from 'vitest';
import { referenceRandom } from '@limn/testing';
import { principalDirection } from '../src/baselines/principal-direction.js';
import { referenceDirection } from './reference-direction.js';

it.each([
  { rows: 4, width: 9, centred: true },
  { rows: 4, width: 9, centred: false },
  { rows: 30, width: 7, centred: true },
  { rows: 30, width: 7, centred: false },
])('$rows rows of $width, centred: $centred: the leading eigenvector, but for its sign', ({ rows, width, centred }) => {
  const random = referenceRandom(rows + width);
  // A mean far from 0, so that centring decides.
  const offset = random.normals(width, 2);
  const given = Array.from({ length: rows }, () => random.normals(width).map((x, j) => x * (1 + j) + offset[j]!));
  const found = principalDirection(given, { centred })!;
  expect(Math.hypot(...found)).toBeCloseTo(1, 12);
  const expected = referenceDirection(given, centred);
  // Float64 through a Gram matrix whose residual is 1e−12.
  expect(Math.abs(found.reduce((sum, x, j) => sum + x * expected[j]!, 0))).toBeGreaterThan(1 - 1e-10);
  const other = referenceDirection(given, !centred);
  expect(Math.abs(found.reduce((sum, x, j) => sum + x * other[j]!, 0))).toBeLessThan(0.999);
});

it('nothing that varies has no direction', () => {
  expect(
    principalDirection(
      [
        [1, 2],
        [1, 2],
      ],
      { centred: true },
    ),
  ).toBeUndefined();
  expect(principalDirection([[0, 0]], { centred: false })).toBeUndefined();
  expect([...principalDirection([[3, 4]], { centred: false })!].map(Math.abs)).toEqual([0.6000000000000001, 0.8]);
});
