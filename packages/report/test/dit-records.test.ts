// Records of DIT: what comes back from their text, and what is refused with its place.
import { describe, expect, test } from 'vitest';
import {
  checkDitAudit,
  checkDitReading,
  ditAuditFromJson,
  ditAuditJsonSchema,
  ditAuditToJson,
  ditReadingFromJson,
  ditReadingJsonSchema,
  ditReadingToJson,
} from '../src/index.js';
import { ditAuditSample, ditReadingSample, ditWatchSample } from './dit-sample.js';

const reading = ditReadingSample();
const audit = ditAuditSample();
const watch = ditWatchSample();
type Key = string | number;

/** A copy of `record` in which what stands at `path` is `value`; undefined takes it out. */
function changed(record: object, path: readonly Key[], value: unknown): unknown {
  const copy = structuredClone(record);
  let at = copy as Record<Key, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<Key, unknown>;
  at[path.at(-1) as Key] = value;
  return copy;
}

test('records come back from their text unchanged, and their JSON Schemas name every field', () => {
  expect(ditReadingFromJson(ditReadingToJson(reading))).toEqual(reading);
  expect(Object.keys(ditReadingJsonSchema['properties'] as object)).toEqual(
    expect.arrayContaining(Object.keys(reading)),
  );
  for (const record of [audit, watch]) {
    expect(ditAuditFromJson(ditAuditToJson(record))).toEqual(record);
    expect(Object.keys(ditAuditJsonSchema['properties'] as object)).toEqual(
      expect.arrayContaining(Object.keys(record)),
    );
  }
});

const readingFaults: readonly (readonly [path: readonly Key[], value: unknown, pointer: string])[] = [
  [['format'], 'limn-dit-audit/1', '/format'],
  [['format'], { toString: 1 }, '/format'],
  [['provenance'], undefined, '/provenance'],
  [['surprise'], 1, '/surprise'],
  [['adapter'], null, '/answers/2/who'],
  [['adapter', 'heldOut', 0, 'interval'], [0.7, 0.5], '/adapter/heldOut/0/interval'],
  [['adapter', 'heldOut', 0, 'interval'], [0.5], '/adapter/heldOut/0/interval'],
  [['adapter', 'heldOut', 0, 'count'], 0, '/adapter/heldOut/0/count'],
  [['answers', 0, 'who'], 'base+adapter', '/answers/2'],
  [['answers', 0, 'who'], 'everyone', '/answers/0/who'],
  [['answers', 0, 'probability'], 1.01, '/answers/0/probability'],
  [['answers', 0, 'probability'], Number.NaN, '/answers/0/probability'],
  [['answers', 0, 'text'], 'x'.repeat(4001), '/answers/0/text'],
  [['answers', 0, 'top'], Array.from({ length: 101 }, () => ({ text: 'x', probability: 0 })), '/answers/0/top'],
  [['more', 1, 'answers', 1, 'who'], 'base', '/more/1/answers/1'],
  [['verdict', 'decision'], 'maybe', '/verdict/decision'],
  [['calibration', 'noneThreshold'], 2, '/calibration/noneThreshold'],
  [['norms', 1], reading.norms[0], '/norms/1'],
  [['norms', 0, 'norm'], -1, '/norms/0/norm'],
  [['norms', 0, 'layer'], 0.5, '/norms/0/layer'],
  [['directions', 0, 'side'], 'erases', '/directions/0/side'],
  [['directions', 0, 'tokens', 0, 'value'], Infinity, '/directions/0/tokens/0/value'],
  [['layers', 'rows', 1, 'layer'], 0, '/layers/rows/1'],
  [['layers', 'whole'], 0.1, '/layers/whole'],
  [['strengths', 'points', 1, 'strength'], 0, '/strengths/points/1'],
  [['tables', 0, 'rows', 0], ['short'], '/tables/0/rows/0'],
  [['tables', 0, 'rows', 0, 1], true, '/tables/0/rows/0/1'],
];
const auditFaults: typeof readingFaults = [
  [['rows', 1, 'name'], audit.rows[0]?.name, '/rows/1'],
  [['rows', 0, 'confidence'], -0.1, '/rows/0/confidence'],
  [['rows', 0, 'label'], 7, '/rows/0/label'],
  [['rows', 0, 'decision'], '', '/rows/0/decision'],
  [['adapter'], null, '/adapter'],
  [['refused', 1], audit.refused?.[0], '/refused/1'],
  [['roc', 0, 'points', 2, 'truePositives'], 0.999, '/roc/0/points/3'],
  [['roc', 0, 'interval'], [1, 0], '/roc/0/interval'],
  [['roc', 0, 'chosen'], 41, '/roc/0/chosen'],
  [['roc', 0, 'area'], 1.5, '/roc/0/area'],
];
const watchFaults: typeof readingFaults = [
  [['watch', 'at', 3], 30, '/watch/at/3'],
  [['watch', 'lines', 1, 'values'], [0.5], '/watch/lines/1/values'],
  [['watch', 'lines', 1, 'values', 0], '0.5', '/watch/lines/1/values/0'],
  [['watch', 'lines', 0, 'kind'], 'nothing', '/watch/lines/0/kind'],
];

describe.each([
  ['reading', reading, checkDitReading, readingFaults],
  ['audit', audit, checkDitAudit, auditFaults],
  ['watch', watch, checkDitAudit, watchFaults],
] as const)('a %s', (_, record, check, faults) => {
  test.each(faults)('is refused with its place: %j', (path, value, pointer) => {
    expect(() => check(changed(record, path, value))).toThrow(
      expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
    );
  });

  test.each([[null], [[]], ['{}'], [42], [undefined], [{}]])('is not %j', (value) => {
    expect(() => check(value)).toThrow(expect.objectContaining({ code: 'data/record-invalid' }));
  });

  test('of the future, or of the past, says so', () => {
    for (const [version, hint] of [
      [2, 'Update'],
      [0, 'Compute'],
    ] as const)
      expect(() => check({ format: record.format.replace('/1', `/${version}`) })).toThrow(
        expect.objectContaining({ code: 'data/record-version', hint: expect.stringContaining(hint) }),
      );
  });
});

test('text that is no JSON, is cut off, or has keys of Object’s own', () => {
  for (const json of ['', 'x', ditReadingToJson(reading).slice(0, -40)])
    expect(() => ditReadingFromJson(json)).toThrow(expect.objectContaining({ code: 'data/record-json' }));
  const hostile = ditAuditToJson(audit).replace('"base": {', '"base": { "__proto__": {"x": 1}, "constructor": 2,');
  expect(() => ditAuditFromJson(hostile)).toThrow(expect.objectContaining({ code: 'data/record-invalid' }));
  expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
});

test('access tokens are masked', () => {
  const token = `hf_${'a1B2'.repeat(9)}`;
  expect(ditReadingToJson(ditReadingSample({ text: (t, i) => (i % 3 ? t : `${token} b`) }))).not.toContain(token);
});
