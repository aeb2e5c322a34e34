// `limn generate`: the tokens of `generate` in @limn/hooks, as text that streams or as JSON, the same for the same seed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generate } from '@limn/hooks';
import { testGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../src/model-source.js';
import { runLimn } from './run-limn.js';
import { toyConfig, writeToyModel } from './toy-model.js';

const PROMPT = 'the siege lasted from the year 12 16 to the year 12';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'limn-generate-'));
  writeToyModel(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly prompt: readonly number[];
  readonly tokens: readonly {
    readonly id: number;
    readonly token: string;
    readonly logProbability: number;
    readonly top?: readonly { id: number }[];
  }[];
  readonly text?: string;
  readonly end: string;
  readonly provenance: Record<string, unknown>;
}
const asked = async (...words: string[]): Promise<Result> => {
  const outcome = await runLimn(['generate', '--json', ...words]);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return outcome.json() as unknown as Result;
};
const onPocket = (...words: string[]): Promise<Result> =>
  asked('--model', 'pocket', '--prompt', PROMPT, '--max-new-tokens', '6', ...words);
const idsOf = ({ tokens }: Result): number[] => tokens.map(({ id }) => id);

describe('limn generate', () => {
  it('refuses more new tokens than there are positions as wrong usage, and says how many can follow', async () => {
    const words = ['generate', '--model', folder, '--tokens', '1,4', '--json', '--max-new-tokens'];
    const many = await runLimn([...words, '100000']);
    expect([many.exitCode, many.json().error?.code]).toEqual([2, 'usage/bad-number']);
    // Five positions, of which the prompt takes two; the last new token is not read.
    expect(many.json().error?.message).toContain('at most 4 can follow');
    expect((await runLimn([...words, '4'])).exitCode).toBe(0);
    expect((await runLimn([...words, '5'])).exitCode).toBe(2);
    const long = await runLimn(['generate', '--model', folder, '--tokens', '1,1,1,1,1,1', '--json']);
    expect([long.exitCode, long.json().error?.code]).toEqual([4, 'tokens/too-long']);
  });

  it('says on stderr what is not raw f32, as stdout is the text alone', async () => {
    const words = ['generate', '--model', folder, '--tokens', '1,4', '--max-new-tokens', '1'];
    const f16 = await runLimn([...words, '--weights', 'f16']);
    expect(f16.stderr).toMatch(/^weights: f16$/m);
    expect(f16.stdout).not.toContain('weights');
    expect((await runLimn(words)).stderr).not.toContain('weights:');
  });

  it("gives greedily what @limn/hooks' generate gives, with log-probabilities, text and provenance", async () => {
    const found = await onPocket('--top', '2', '--repetition-penalty', '1.3');
    using model = await openModel(await testGpu(), 'pocket');
    const prompt = model.tokenizer?.encode(PROMPT, { prependBos: true }).ids as number[];
    const { rows } = await generate(model.hooked, [prompt], {
      maxNewTokens: 6,
      sampling: { kind: 'greedy', repetitionPenalty: 1.3 },
      topLogProbabilities: 2,
      decode: (ids) => model.tokenizer?.decodeBytes(ids) as Uint8Array,
    });
    expect(found.prompt).toEqual(prompt);
    expect(idsOf(found)).toEqual(rows[0]?.newTokens.map(({ id }) => id));
    // The same kernels on the same adapter: the same bits.
    expect(found.tokens.map(({ logProbability }) => logProbability)).toEqual(
      rows[0]?.newTokens.map((token) => token.logProbability),
    );
    expect(found.tokens[0]?.top?.map(({ id }) => id)).toEqual(rows[0]?.newTokens[0]?.top?.map(({ id }) => id));
    expect(found.text).toBe(rows[0]?.text);
    expect(found.end).toBe(rows[0]?.end);
    expect(found.provenance).toMatchObject({
      prependBos: true,
      seed: null,
      options: { maxNewTokens: 6, sampling: { kind: 'greedy' } },
    });
    expect(found.provenance['commandLine']).toContain('limn generate');
  });

  it('draws the same for the same seed, and other tokens for another', async () => {
    const drawn = (seed: string): Promise<Result> =>
      onPocket('--temperature', '2.5', '--top-k', '200', '--top-p', '0.99', '--seed', seed);
    const [one, again, other] = [await drawn('7'), await drawn('7'), await drawn('8')];
    expect(again.tokens).toEqual(one.tokens);
    expect(idsOf(other)).not.toEqual(idsOf(one));
    expect(one.provenance['seed']).toBe(7);
  });

  it('prints the new text alone, and ends in front of a stop text', async () => {
    const { text = '', tokens } = await onPocket();
    const plain = await runLimn(['generate', '--model', 'pocket', '--prompt', PROMPT, '--max-new-tokens', '6']);
    expect([plain.exitCode, plain.stdout]).toEqual([0, `${text}\n`]);
    const stop = tokens[1]?.token as string;
    const stopped = await onPocket('--stop', 'never seen', '--stop', stop);
    expect(stopped.end).toBe('stop-string');
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
  });

  it('continues ids of a model without a tokenizer, and refuses what needs one', async () => {
    const words = ['--model', folder, '--tokens', '1,4', '--max-new-tokens', '3'];
    const found = await asked(...words);
    expect(found.text).toBeUndefined();
    expect(found.provenance).toMatchObject({ prependBos: null });
    const plain = await runLimn(['generate', ...words]);
    expect(plain.stdout).toBe(`${idsOf(found).join(',')}\n`);
    const refused = await runLimn(['generate', '--json', ...words, '--stop', 'x']);
    expect([refused.exitCode, refused.json().error?.code]).toEqual([2, 'usage/no-tokenizer']);
    const text = await runLimn(['generate', '--json', '--model', folder, '--prompt', 'x']);
    expect([text.exitCode, text.json().error?.code]).toEqual([2, 'usage/no-tokenizer']);
    const top = await runLimn(['generate', '--json', ...words, '--top', '65']);
    expect([top.exitCode, top.json().error?.code]).toEqual([2, 'hooks/bad-generation']);
  });
});

describe('loading', () => {
  it('refuses a model beyond the memory budget before it is loaded, and takes one within', async () => {
    const words = [
      'generate',
      '--json',
      '--model',
      folder,
      '--tokens',
      '1,4',
      '--max-new-tokens',
      '1',
      '--memory-budget',
    ];
    const refused = await runLimn([...words, '1 KiB']);
    expect([refused.exitCode, refused.json().error?.code]).toEqual([3, 'load/over-budget']);
    expect(refused.json().error?.message).toContain('the budget is 1.00 KiB');
    expect(refused.json().error?.hint).toContain('--memory-budget');
    expect((await runLimn([...words, '1.5MB'])).exitCode).toBe(0);
    const drawn = await runLimn(['doctor', '--json', '--model', 'gpt2-xl', '--memory-budget', '1GB']);
    expect([drawn.exitCode, drawn.json().error?.code]).toEqual([2, 'usage/memory-budget']);
  });

  it('tells once, on stderr, of fields of config.json that limn does not read', async () => {
    const file = path.join(folder, 'config.json');
    const before = readFileSync(file);
    writeFileSync(file, JSON.stringify({ ...toyConfig, zork: 5 }));
    try {
      for (const words of [['run', '--tokens', '1,4'], ['doctor']]) {
        const { stdout, stderr, exitCode } = await runLimn([...words, '--model', folder]);
        expect(exitCode, stderr).toBe(0);
        expect(stderr.split('does not read zork (5)').length - 1, words[0]).toBe(1);
        expect(stdout).not.toContain('zork');
      }
    } finally {
      writeFileSync(file, before);
    }
  });
});
