// The record: what is accepted, what is refused and with which words, and that writing it is deterministic and keeps no secret.
import { describe, expect, test } from 'vitest';
import { ReportError, checkRecord, recordFromJson, recordToJson, resultJsonSchema } from '../src/index.js';
import { sample } from './sample.js';

function refusal(value: unknown): ReportError {
  try {
    checkRecord(value);
  } catch (error) {
    if (error instanceof ReportError) return error;
    throw error;
  }
  throw new Error('the record was accepted');
}

/** The sample with one field replaced, by a path of keys. */
function changed(path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(sample()) as unknown as Record<string | number, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1) ?? ''] = value;
  return copy;
}

const drops = sample().knockOut!;

test('a record without what later versions of limn added, as older ones are, is accepted', () => {
  const { knockOut: _k, stability: _s, bands: _b, also: _a, pruned: _p, ...old } = sample();
  expect(checkRecord(old)).toBe(old);
});

test('a sound record is accepted and comes back from its text unchanged', () => {
  const record = sample();
  expect(checkRecord(record)).toBe(record);
  expect(recordFromJson(recordToJson(record))).toEqual(record);
  expect(recordToJson(recordFromJson(recordToJson(record)))).toBe(recordToJson(record));
  expect(recordToJson(record).endsWith('}\n')).toBe(true);
});

test('the text does not depend on time zone or language', () => {
  const before = recordToJson(sample());
  const { TZ, LANG } = process.env;
  Object.assign(process.env, { TZ: 'Pacific/Kiritimati', LANG: 'tr_TR.UTF-8' });
  expect(recordToJson(sample())).toBe(before);
  Object.assign(process.env, { TZ: TZ ?? 'UTC', LANG: LANG ?? 'C' });
});

describe('what is refused, with its place', () => {
  test.each([
    [['metric', 'name'], 7, '/metric/name'],
    [['baselines', 'clean'], Number.NaN, '/baselines/clean'],
    [['baselines', 'clean'], undefined, '/baselines/clean'],
    [['extra'], 1, '/extra'],
    [['task', 'a/b~c'], 1, '/task/a~1b~0c'],
    [['edges', 3, 0], '<img src=x onerror=alert(1)>', '/edges/3/0'],
    [['edges', 3, 0], 'a0.h0->a0.h1<q>', '/edges/3/0'],
    [['edges', 3, 0], 'input->a4.h0<q>', '/edges/3/0'],
    [['edges', 3, 0], 'm0->m0', '/edges/3/0'],
    [['edges', 3, 0], 'input->a0.h0<q>', '/edges/3/0'],
    [['edges', 3, 1], Infinity, '/edges/3/1'],
    [['edges', 3], ['input->m0'], '/edges/3'],
    [['edges'], Array.from({ length: 1_000_000 }, () => null), '/edges'],
    [['circuits', 0, 'edges'], [479], '/circuits/0/edges'],
    [['stability', 'selected', 0], [479, 1], '/stability/selected/0/0'],
    [['pruned', 'edges', 0], '<b>', '/pruned/edges/0'],
    [['pruned', 'nodes', 0, 'name'], 'logits', '/pruned/nodes/0/name'],
    [['curves', 0, 'baselines', 0, 'draws'], 0, '/curves/0/baselines/0/draws'],
    [['curves', 0, 'points', 0, 'band', 'low'], Infinity, '/curves/0/points/0/band/low'],
    [['knockOut', 'edges', 0, 'name'], 'm0->m1', '/knockOut/edges/0/name'],
    [['knockOut', 'edges', 1], drops.edges[0], '/knockOut/edges/1/name'],
    [['knockOut', 'nodes', 0, 'name'], 'logits', '/knockOut/nodes/0/name'],
    [['knockOut', 'nodes', 0, 'verdict'], 'harmless', '/knockOut/nodes/0/verdict'],
    [['knockOut', 'edges', 0, 'value'], Number.NaN, '/knockOut/edges/0/value'],
    [['knockOut', 'tolerance'], null, '/knockOut/tolerance'],
    [['pairs', 0, 'corrupted'], ['one'], '/pairs/0'],
    [['pairs', 0, 'clean', 0], 'x'.repeat(100_000_000), '/pairs/0/clean/0'],
    [['provenance', 'model', 'weightsSha256'], 'abc', '/provenance/model/weightsSha256'],
    [['provenance', 'options', 'deep'], JSON.parse('['.repeat(1000) + ']'.repeat(1000)), '/provenance/options/deep'],
    [['curves', 0, 'points', 0, 'faithfulness'], 'high', '/curves/0/points/0/faithfulness'],
  ])('%j', (path, value, pointer) => {
    const error = refusal(changed(path, value));
    expect(error.code).toBe('data/record-invalid');
    expect(error.message).toContain(pointer);
    expect(error.message.length).toBeLessThan(2000);
    expect(error.details['issues']).toBeInstanceOf(Array);
  });

  test.each([[null], [[]], ['{}'], [42], [undefined]])('%j is no record', (value) => {
    expect(refusal(value).code).toBe('data/record-invalid');
  });

  test('a version of the future and one of the past say so', () => {
    expect(refusal(changed(['version'], 2))).toMatchObject({
      code: 'data/record-version',
      hint: expect.stringContaining('Update') as string,
    });
    expect(refusal(changed(['version'], 0))).toMatchObject({
      code: 'data/record-version',
      details: { given: 0, allowed: [1] },
    });
  });

  test('text that is no JSON, or is cut off', () => {
    const cut = recordToJson(sample()).slice(0, -40);
    expect(() => recordFromJson(cut)).toThrow(expect.objectContaining({ code: 'data/record-json' }));
  });

  test('keys of Object’s own are fields like any other', () => {
    const hostile = recordToJson(sample()).replace('"task": {', '"task": { "__proto__": {"x": 1}, "constructor": 2,');
    expect(() => recordFromJson(hostile)).toThrow(expect.objectContaining({ code: 'data/record-invalid' }));
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });
});

test('the JSON Schema names every field of the sample', () => {
  const properties = Object.keys(resultJsonSchema['properties'] as object);
  expect(properties).toEqual(expect.arrayContaining(Object.keys(sample())));
  expect(JSON.parse(JSON.stringify(resultJsonSchema))).toEqual(resultJsonSchema);
});

test('access tokens are masked wherever they stand', () => {
  const token = `hf_${'a1B2'.repeat(9)}`;
  const text = recordToJson(sample({ text: (t, i) => (i % 3 ? t : `${token} a://me:${token}@b/`) }));
  expect(text).not.toContain(token);
  expect(text).toContain('[secret removed]');
  expect(refusal(changed(['edges', 0, 0], `see ${token}`)).message).not.toContain(token);
});
