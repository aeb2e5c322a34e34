// `limn steer train --objective parity`: what is to stay is dealt to learning and to measuring, other pairs of words are found, and files and lines say what came of it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { paritySentences, steeringFromJson } from '@limn/report';
import { readSteering } from '@limn/steering';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { otherPairs } from '../src/other-pairs.js';
import { dealRetained } from '../src/retained-examples.js';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

const example = (correct: number, wrong: number, about?: string) => ({
  prompt: [1, 2],
  correct,
  wrong,
  ...(about === undefined ? {} : { entities: [about] }),
});

describe('examples whose answers are to stay', () => {
  it('are learnt from and measured on without a thing in common', () => {
    const all = Array.from({ length: 10 }, (_, i) => example(1, 2, `thing ${i % 5}`));
    const { learnt, unseen } = dealRetained(all, 3);
    expect([learnt.length, unseen.length]).toEqual([6, 4]);
    const about = new Set(learnt.map(({ entities }) => entities?.[0]));
    for (const { entities } of unseen) expect(about.has(entities?.[0])).toBe(false);
    expect(dealRetained(all, 3)).toEqual({ learnt, unseen });
  });

  it('are all learnt from where they are about one thing, or are one', () => {
    const one = [example(1, 2, 'thing'), example(2, 1, 'thing')];
    expect(dealRetained(one, 0)).toEqual({ learnt: one, unseen: [] });
    expect(dealRetained([example(1, 2)], 0).unseen).toEqual([]);
    expect(dealRetained([], 0)).toEqual({ learnt: [], unseen: [] });
  });
});

describe('other pairs of words', () => {
  const texts = ['?', ' he', ' she', ' him', ' her', 'his', ' hers', ' she'];
  const show = (id: number): string => texts[id] ?? '';

  it('keep the side of the answer and the space in front, and leave out what is no single token', () => {
    const examples = [example(1, 2), example(2, 1), example(0, 1)];
    // ' his' and ' himself' are not in the vocabulary.
    expect(otherPairs(examples, texts.length, show)).toEqual([
      { name: 'him, her behind the same prompts', examples: [example(3, 4), example(4, 3)] },
    ]);
    // From the other pair back: of two tokens ' she' the first.
    expect(otherPairs([example(3, 4)], texts.length, show)).toEqual([
      { name: 'he, she behind the same prompts', examples: [example(1, 2)] },
    ]);
    expect(otherPairs([example(0, 5)], texts.length, show)).toEqual([]);
  });
});

describe('limn steer train --objective parity', () => {
  let root: string;
  let model: string;
  const lines = (name: string, made: readonly object[]): string => {
    const file = path.join(root, name);
    writeFileSync(file, made.map((each) => JSON.stringify(each)).join('\n'));
    return file;
  };
  beforeAll(() => {
    root = mkdtempSync(path.join(os.tmpdir(), 'limn-parity-'));
    model = path.join(root, 'model');
    writeToyModel(model);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const train = (...more: readonly string[]) =>
    runLimn(['steer', 'train', '--model', model, '--updates', '3', '--out', path.join(root, 'out'), ...more]);

  it('with --data and --retain: a gap by item, what is kept on prompts not learnt from, and the same in words', async () => {
    const data = lines(
      'data.jsonl',
      Array.from({ length: 10 }, (_, i) => ({
        prompt: [1, 2 + (i % 5), 4 + Math.floor(i / 5), 9],
        correct: i % 2 ? 8 : 5,
        wrong: i % 2 ? 5 : 8,
        entities: [`item ${i % 5}`],
      })),
    );
    const retain = lines(
      'retain.jsonl',
      Array.from({ length: 5 }, (_, i) => ({ prompt: [3, 2 + i, 4, 9], correct: 8, wrong: 5 })),
    );
    const asked = ['--data', data, '--objective', 'parity', '--retain', retain, '--retention-weight', '4'];
    const outcome = await train(...asked);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const read = (name: string): string => readFileSync(path.join(root, 'out', name), 'utf8');
    const { parity, rule, methods } = steeringFromJson(read('result.json'));
    // Rules and rows of success are of flips.
    expect([rule, methods]).toEqual([undefined, undefined]);
    expect(parity!.parts.map(({ part, items, prompts }) => [part, items, prompts])).toEqual([
      ['train', 3, 6],
      ['validation', 1, 2],
      ['test', 1, 2],
    ]);
    expect(parity!.answers).toEqual({ first: expect.any(String), second: expect.any(String) });
    // Three of five are learnt from.
    expect(parity!.retention).toMatchObject({ learnt: false, share: 0.1 });
    expect(parity!.retention!.prompts).toHaveLength(2);
    expect(parity!.spillover).toEqual([]);
    for (const sentence of paritySentences(parity!)) expect(outcome.stdout).toContain(sentence);
    expect(outcome.stdout).not.toContain('both ways');
    expect(read('report.html')).toContain('How alike the answers become');
    const { objective } = readSteering(read('steering.json')).provenance;
    expect(objective).toMatchObject({ goal: { kind: 'parity', retentionWeight: 4, retentionShare: 0.02 } });
  });

  it.each([
    [['--task', 'ioi', '--objective', 'parity'], 2, 'usage/steering-objective'],
    [['--task', 'ioi', '--retain', 'prompts.jsonl'], 2, 'usage/steering-objective'],
    [['--task', 'gender', '--objective', 'parity', '--retain', 'no-such-file.jsonl'], 4, 'data/steering-file'],
  ])('%j is refused', async (given, exitCode, code) => {
    const asked = ['steer', 'train', '--model', 'pocket', '--out', path.join(root, 'refused'), '--json'];
    const outcome = await runLimn(asked.concat(given));
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([exitCode, code]);
  });
});
