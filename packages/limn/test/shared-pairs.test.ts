// `--eval-data` that the search has seen is not called held out: what is shared is counted by token ids, and told.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { recordFromJson } from '@limn/report';
import { TASKS } from '@limn/tasks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskPairs } from '../src/pairs-source.js';
import { sharedFlags, sharedPairs } from '../src/shared-pairs.js';
import { runLimn } from './run-limn.js';
import { toyCircuit, toyPair, writeToyModel } from './toy-model.js';

let root: string;
let model: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-shared-'));
  model = path.join(root, 'model');
  writeToyModel(model);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const pair = (third: number, fields: object = {}) => ({ ...toyPair, clean: [1, 4, third, 2, 9], ...fields });

describe('limn circuit --eval-data', () => {
  const flagsAfter = async (name: string, pairs: readonly object[]) => {
    const data = path.join(root, `${name}.jsonl`);
    writeFileSync(data, pairs.map((one) => JSON.stringify(one)).join('\n'));
    const out = path.join(root, name);
    const words = [...toyCircuit(model, out), '--eval-data', data, '--metric', 'logit-diff', '--method', 'eap'];
    const outcome = await runLimn([...words, '--draws', '0']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { task, flags } = recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
    const own = flags.filter(({ code }) => /^(same|shared)-/.test(code));
    for (const { text } of own) expect(outcome.stdout).toContain(`note: ${text}`);
    return { heldOut: task.heldOut, flags: own.map(({ code, text }) => `${code}: ${text}`) };
  };

  it('the same pairs again, from wherever', async () => {
    expect(await flagsAfter('copy', [toyPair])).toEqual({
      heldOut: false,
      flags: ['same-pairs: The circuits were measured on pairs that they were found with, all of them.'],
    });
  });

  it('some of them, and others', async () => {
    const found = await flagsAfter('some', [pair(6), toyPair, pair(7, { corrupted: [1, 4, 5, 2, 9] })]);
    expect(found.heldOut).toBe(false);
    expect(found.flags).toEqual([
      expect.stringMatching(/^shared-pairs: Of the 3 pairs .*, 1 is .* Of the others, 1 has/),
    ]);
  });

  it('none of them', async () => {
    expect(await flagsAfter('none', [pair(6), pair(5)])).toEqual({ heldOut: true, flags: [] });
  });
});

it('answers make no other pair; prompts that stand against another corrupted one are told, and held out', () => {
  const shared = sharedPairs({ discovery: [toyPair], evaluation: [pair(7, { correct: [2] }), pair(6)] });
  expect(shared).toEqual({ pairs: 1, prompts: 1 });
  expect(sharedFlags({ pairs: 0, prompts: 2 }, 3)).toEqual([
    {
      code: 'shared-prompts',
      text: expect.stringContaining('Of the 3 pairs of the measurement, 2 have a clean prompt'),
    },
  ]);
});

it.each(TASKS.map(({ id }) => id))('the sets of %s share not even a clean prompt', (task) => {
  for (const seed of [0, 1])
    expect(sharedPairs(taskPairs({ task, discovery: 32, evaluation: 32, seed }))).toEqual({ pairs: 0, prompts: 0 });
});
