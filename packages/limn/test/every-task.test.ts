// Every task runs end to end by one command: the six of pocket, and all that are written as text on random weights with GPT-2's vocabulary.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseGraphJson } from '@limn/attribution';
import { recordFromJson } from '@limn/report';
import { TASKS } from '@limn/tasks';
import { TEXT_TASKS } from '@limn/tasks/text';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TASK_NAMES } from '../src/index.js';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, writeGpt2WordsModel } from './gpt2-words-model.js';
import { runLimn } from './run-limn.js';

let root: string;
let words: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-tasks-'));
  words = path.join(root, 'gpt2-words');
  if (GPT2_TOKENIZER) writeGpt2WordsModel(words);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const LONG = process.env['LIMN_LONG'] === '1';
/** Run always of those that are text; the others take half a minute together. */
const ALWAYS = 'ioi';
const NOT_LONG = `LIMN_LONG=1 runs every task; always run is ${ALWAYS}`;
const NOT_LONG_POCKET = 'LIMN_LONG=1 runs every task; always run on pocket are the three of demo.test.ts';

async function expectWholeRun(model: string, task: string, metric: string): Promise<void> {
  const out = path.join(root, `${path.basename(model)}-${task}`);
  const outcome = await runLimn(
    ['circuit', '--model', model, '--task', task, '--out', out, '--json'].concat(
      // As little as there can be of everything: it is the way through that is tested.
      ['--method', 'eap', '--pairs', '3', '--eval-pairs', '2', '--draws', '1'],
    ),
  );
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(outcome.json()).toMatchObject({ ok: true, task });
  expect(readdirSync(out).sort()).toEqual(['graph.json', 'report.html', 'result.json']);
  const record = recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
  expect(record.task).toMatchObject({ name: task, pairs: 2, searchPairs: 3, heldOut: true });
  expect(record.metric.name).toBe(metric);
  const { scores, graph } = parseGraphJson(readFileSync(path.join(out, 'graph.json'), 'utf8'));
  for (const { u, v } of graph.edges()) expect(scores.values[graph.dense(u, v)]).not.toBeNaN();
  // The whole graph is the model itself.
  for (const { points } of record.curves) expect(points.at(-1)?.faithfulness).toBeCloseTo(1, 3);
  for (const { clean, corrupted } of record.pairs) expect(clean).not.toEqual(corrupted);
  expect(record.provenance.prependBos).toBe(model === 'pocket' ? null : true);
}

it('every task that there is, is one of these', () => {
  expect(new Set([...TASKS, ...TEXT_TASKS].map(({ id }) => id))).toEqual(new Set(TASK_NAMES));
});

describe('one command on pocket', () => {
  it.for(TASKS)('$id', async ({ id, metric }, context) => {
    context.skip(!LONG, NOT_LONG_POCKET);
    await expectWholeRun('pocket', id, metric);
  });
});

describe('one command on random weights with GPT-2’s vocabulary', () => {
  it.for(TEXT_TASKS)('$id', async ({ id, metric }, context) => {
    context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER);
    context.skip(!LONG && id !== ALWAYS, NOT_LONG);
    await expectWholeRun(words, id, metric);
  });
});
