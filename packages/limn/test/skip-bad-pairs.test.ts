// `limn circuit --skip-bad-pairs`: rows that cannot be read and pairs that give no numbers are named everywhere, and cost nothing but themselves.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { recordFromJson } from '@limn/report';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { safetensorsBytes, toyWeights, writeToyModel } from './toy-model.js';

const BROKEN = 10;
let root: string;
let model: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-bad-pairs-'));
  model = path.join(root, 'model');
  writeToyModel(model);
  // The sum over this embedding leaves f32, so that every prompt with this token gives NaN.
  const weights = toyWeights();
  const embedding = weights.get('transformer.wte.weight');
  embedding?.data.fill(3e38, BROKEN * 8, (BROKEN + 1) * 8);
  writeFileSync(path.join(model, 'model.safetensors'), safetensorsBytes(weights));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const pair = (fields: object = {}): string =>
  JSON.stringify({ clean: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8], incorrect: [5], ...fields });
const good = (third: number): string => pair({ clean: [1, 4, third, 2, 9] });
/** Lines 2, 4, 5, 6, 7 and 8 are bad. */
const mixed = [
  good(7),
  pair({ clean: [1, 4, 7] }),
  good(6),
  '{"clean": [NaN]}',
  pair({ clean: [1, 4, 99, 2, 9] }),
  pair({ clean: [1, 1, 1, 1, 1, 1], corrupted: [1, 1, 1, 1, 1, 2] }),
  pair({ correct: [' Paris'] }),
  pair({ clean: [1, 4, BROKEN, 2, 9] }),
  good(5),
];
const CODES = {
  2: 'data/pairs-length-mismatch',
  4: 'data/pairs-json',
  5: 'data/pairs-unknown-id',
  6: 'data/pairs-too-long',
  7: 'data/pairs-no-tokenizer',
  8: 'data/metric-not-finite',
};

function file(name: string, lines: readonly string[]): string {
  const data = path.join(root, name);
  writeFileSync(data, lines.join('\n'));
  return data;
}
const circuit = (out: string, data: string, ...more: readonly string[]) =>
  runLimn(
    ['circuit', '--model', model, '--data', data, '--metric', 'logit-diff', '--method', 'eap', '--draws', '0'].concat(
      ['--out', path.join(root, out)],
      more,
    ),
  );
const read = (out: string, name: string): string => readFileSync(path.join(root, out, name), 'utf8');
const edges = (out: string): unknown => (JSON.parse(read(out, 'graph.json')) as { edges: unknown }).edges;

describe('a file with bad rows', () => {
  it('is refused by default, and every bad row is named', async () => {
    const data = file('strict.jsonl', mixed);
    const outcome = await circuit('strict', data, '--json');
    expect(outcome.exitCode).toBe(4);
    const { error } = outcome.json();
    expect(error?.code).toBe(CODES[2]);
    for (const line of [4, 5, 6, 7] as const) expect(error?.message).toContain(`${data}:${line} (${CODES[line]})`);
  });

  it('a pair without numbers alone stops the run as well', async () => {
    const outcome = await circuit('nan', file('nan.jsonl', [good(7), good(6), mixed[7] as string]), '--json');
    expect(outcome.exitCode).toBe(4);
    expect(outcome.json().error?.code).toBe('data/score-not-finite');
  });

  it('goes on without them where that is asked for: as if they had not been there, named on terminal, record and page', async () => {
    const data = file('mixed.jsonl', mixed);
    const outcome = await circuit('skipped', data, '--skip-bad-pairs');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordFromJson(read('skipped', 'result.json'));
    expect(record.task).toMatchObject({ pairs: 3, searchPairs: 3 });
    expect(record.provenance.options).toMatchObject({ skipBadPairs: true });
    const told = record.flags.filter(({ code }) => code === 'pairs-left-out');
    expect(told).toHaveLength(1);
    const page = read('skipped', 'report.html');
    expect(page).toContain('<code>pairs-left-out</code>');
    const lines = outcome.stdout.split('\n');
    for (const [line, code] of Object.entries(CODES)) {
      expect(told[0]?.text).toContain(`${data}:${line}: `);
      expect(told[0]?.text).toContain(code);
      expect(
        lines.filter((text) => text.startsWith(`  left out of search and measurement: ${data}:${line}: `)),
      ).toEqual([expect.stringContaining(`(${code})`)]);
    }
    expect(page).toContain(`${data}:8: gives logit-diff = NaN on the clean prompt`);
    await circuit('clean', file('clean.jsonl', [good(7), good(6), good(5)]));
    expect(edges('skipped')).toEqual(edges('clean'));
  });

  it('the file of the measurement likewise, each with its own rows', async () => {
    // Three good ones each, as above: kernels are compiled for the number of pairs.
    const search = file('search.jsonl', [good(7), mixed[1] as string, good(6), good(8)]);
    const measure = file('measure.jsonl', [mixed[7] as string, good(5), mixed[3] as string, good(4), good(3)]);
    const outcome = await circuit('both', search, '--eval-data', measure, '--skip-bad-pairs', '--json');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.json()['leftOut']).toMatchObject([
      { of: 'search', where: `${search}:2`, code: CODES[2] },
      { of: 'measurement', where: `${measure}:3`, code: CODES[4] },
      { of: 'measurement', where: `${measure}:1`, code: CODES[8] },
    ]);
    expect(recordFromJson(read('both', 'result.json')).task).toMatchObject({ pairs: 3, searchPairs: 3 });
  });

  it('that has nothing else is an error, whatever is wrong with its rows', async () => {
    for (const lines of [mixed.slice(3, 5), [mixed[7] as string]]) {
      const outcome = await circuit('none', file('none.jsonl', lines), '--skip-bad-pairs', '--json');
      expect(outcome.exitCode).toBe(4);
      expect(outcome.json().error?.code).toBe('data/pairs-quarantined');
    }
  });

  it('shards leave out the same rows', async () => {
    const data = file('shards.jsonl', mixed);
    const part = await circuit('parts', data, '--skip-bad-pairs', '--shard', '1/1', '--shard-size', '2', '--json');
    expect(part.exitCode, part.stderr).toBe(0);
    expect(part.json()).toMatchObject({ shards: { done: 2, total: 2 } });
    expect(part.json()['leftOut']).toHaveLength(6);
    const whole = await circuit('parts', data, '--skip-bad-pairs', '--resume', '--shard-size', '2', '--json');
    expect(whole.json()['leftOut']).toEqual(part.json()['leftOut']);
  });

  it('limn pairs writes what is left, and names what is not', async () => {
    const out = path.join(root, 'left.jsonl');
    const data = file('pairs.jsonl', mixed.slice(0, 7));
    const words = ['pairs', '--model', model, '--data', data, '--no-preview', '--skip-bad-pairs', '--out', out];
    const outcome = await runLimn([...words, '--json']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { leftOut } = outcome.json() as { leftOut?: { where: string; code: string }[] };
    expect(leftOut?.map(({ where, code }) => [where, code])).toEqual(
      ([2, 4, 5, 6, 7] as const).map((line) => [`${data}:${line}`, CODES[line]]),
    );
    expect(readFileSync(out, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    expect((await runLimn(words)).stdout).toContain(`  left out: ${data}:4: is not JSON`);
    expect((await runLimn(words.filter((word) => word !== '--skip-bad-pairs'))).exitCode).toBe(4);
  });
});
