// Sweeps asked for carelessly: what would be ignored or measured wrongly is refused by code and place, and what can change nothing is not run.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  genericActivationPatch,
  getActPatchAttnHeadOutAllPos,
  getActPatchAttnHeadPatternDestSrcPos,
  getActPatchResidPre,
  hostMetric,
  logitDifference,
  type PatchOptions,
  type PatchProgress,
} from '../src/index.js';
import { toy } from './toy.js';

const model = await toy();
/** A value that the types would not let through. */
const wrong = (value: unknown): never => value as never;
const clean = [[1, 4, 7, 2]];
const corrupted = [[1, 8, 7, 2]];
const options: PatchOptions = { clean, corrupted, metric: logitDifference(2, 11), layers: [1] };

test.each<readonly [string, Partial<PatchOptions>, string, RegExp]>([
  ['a misspelt direction', { direction: wrong('Denoise') }, 'hooks/bad-option', /direction is "Denoise".*'noise'/],
  ['logits that are none of both', { logits: wrong('first') }, 'hooks/bad-option', /logits is "first"/],
  ['no metric', { metric: wrong(undefined) }, 'hooks/bad-option', /metric is missing/],
  ['a bare function', { metric: wrong(() => 1) }, 'hooks/bad-option', /metric is a function/],
  ['answers that are missing', { metric: logitDifference(2, wrong(undefined)) }, 'hooks/bad-rows', /incorrect is miss/],
  ['big answers', { metric: logitDifference(2, wrong([11n])) }, 'tokens/not-in-vocabulary', /11, a bigint/],
  ['layers that are no list', { layers: wrong(1) }, 'hooks/bad-layer', /layers are 1/],
  ['a metric without numbers', { metric: hostMetric('m', () => Number.NaN) }, 'hooks/not-finite', /corrupted prompt 0/],
  ['a metric beyond f32', { metric: hostMetric('m', () => 1e39) }, 'hooks/not-finite', /1e\+39/],
  [
    'a metric of text',
    {
      metric: hostMetric(
        'm',
        wrong(() => '1'),
      ),
    },
    'hooks/not-finite',
    /is "1"/,
  ],
  [
    'an async metric',
    {
      metric: hostMetric(
        'm',
        wrong(async () => 1),
      ),
    },
    'hooks/not-finite',
    /a promise/,
  ],
  ['another', { metric: { name: 'm', value: wrong(async () => 1) } }, 'hooks/wrong-shape', /metric m gave a promise/],
  ['heads of a stream', { heads: [2] }, 'hooks/bad-axes', /heads were given.*hook_resid_pre.*layer, position/],
])('%s: refused', async (_, changes, code, message) => {
  const error = await refusal(() => getActPatchResidPre(model, { ...options, ...changes }));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

test('positions that a sweep does not go over are refused, with the axes that would', async () => {
  const all = await refusal(() => getActPatchAttnHeadOutAllPos(model, { ...options, positions: [3] }));
  expect(all).toMatchObject({ code: 'hooks/bad-axes', hint: expect.stringContaining("go over 'position'") });
  const sources = await refusal(() =>
    genericActivationPatch(model, { ...options, site: 'pattern', axes: ['layer', 'source'], positions: [3] }),
  );
  expect(sources.hint).toContain("go over 'destination'");
  const none = await refusal(() => genericActivationPatch(model, { ...options, site: 'z', axes: wrong(undefined) }));
  expect(none.code).toBe('hooks/bad-axes');
});

test('a metric that fails at one place is refused with the place', async () => {
  let calls = 0;
  // Two runs without a patch come first, then places (0, 0), (0, 1), (0, 2), (1, 0), …
  const metric = hostMetric('odd', () => (++calls === 2 + 5 ? Infinity : 1));
  const error = await refusal(() =>
    genericActivationPatch(model, { ...options, metric, site: 'z', axes: ['layer', 'position', 'head'] }),
  );
  expect(error.code).toBe('hooks/not-finite');
  expect(error.message).toContain('Infinity with layer 1, position 1, head 1 patched in prompt 0');
});

test('a query never sees a later key: such patches are not run, and have the value of none', async () => {
  const seen: PatchProgress[] = [];
  const sweep = await getActPatchAttnHeadPatternDestSrcPos(model, {
    ...options,
    heads: [1],
    onProgress: (progress) => seen.push(progress),
  });
  expect(sweep.values.shape).toEqual([1, 1, 4, 4]);
  // 1 + 2 + 3 + 4 of 16.
  expect(seen.at(-1)).toEqual({ unit: 'patched rows', done: 10, total: 10 });
  const at = (destination: number, source: number) => sweep.values.data[4 * destination + source];
  for (let destination = 0; destination < 4; destination++)
    for (let source = destination + 1; source < 4; source++) expect(at(destination, source)).toBe(sweep.corrupted);
  expect(at(3, 1)).not.toBe(sweep.corrupted);
  // The same numbers as one place at a time, each in its own sweep: f32 round-off of logits of size 1.
  for (const destination of [1, 3]) {
    const row = await getActPatchAttnHeadPatternDestSrcPos(model, {
      ...options,
      heads: [1],
      positions: [destination],
    });
    for (let source = 0; source < 4; source++)
      expect(row.values.data[source]).toBeCloseTo(at(destination, source) as number, 5);
  }
});
