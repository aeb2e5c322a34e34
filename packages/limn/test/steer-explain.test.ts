// `limn steer explain` and `limn steer train --explain`: one prompt on its own tokens and what it does not claim; a verdict, and everything else that explains learnt values.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { steeringFromJson, type SteeringRecord } from '@limn/report';
import { readSteering } from '@limn/steering';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, writeGpt2WordsModel } from './gpt2-words-model.js';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
let model: string;
let data: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-steer-explain-'));
  model = path.join(root, 'model');
  writeToyModel(model);
  data = path.join(root, 'examples.jsonl');
  const line = (i: number): string => JSON.stringify({ prompt: [1, 2 + (i % 7), 4, 9], correct: 8, wrong: 5 });
  writeFileSync(data, Array.from({ length: 10 }, (_, i) => line(i)).join('\n'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const learning = ['--margin', '0.5', '--faithfulness-weight', '0.1', '--updates', '8', '--rate', '0.05'];
const onePrompt = (out: string, ...more: readonly string[]): string[] => {
  const prompt = ['--model', model, '--tokens', '1,4,7,2,9', '--correct', '8', '--wrong', '5'];
  return ['steer', 'explain', ...prompt, ...learning, '--out', path.join(root, out), ...more];
};
const manyPrompts = (out: string, ...more: readonly string[]): string[] => {
  const source = ['--model', model, '--data', data];
  return ['steer', 'train', ...source, ...learning, '--out', path.join(root, out), '--explain', ...more];
};
const text = 'the capital of Cuba is Athens . question : what is the capital of Cuba ? answer :';
const words = (...more: readonly string[]): string[] => {
  const places = ['--sites', 'hook_attn_out', '--layers', '2', '--updates', '2'];
  return ['steer', 'explain', '--model', 'pocket', ...places, '--out', path.join(root, 'text'), '--json', ...more];
};
const recordOf = (out: string): SteeringRecord =>
  steeringFromJson(readFileSync(path.join(root, out, 'result.json'), 'utf8'));
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** What is slow on a software adapter, and looks at words more than at numbers. */
const long = (context: TestContext): void =>
  context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 learns and explains once more');

/** What must hold of every record that has them. */
function expectExplanations({
  prompts,
  grid,
  splits = [],
  attention = [],
  interactions,
  hierarchy,
}: SteeringRecord): void {
  for (const { total, bias, heads, prompt } of splits) {
    // Sums of f32 products, some tens of logits at most.
    expect(Math.abs(total - bias - sum(heads.map(({ value }) => value)))).toBeLessThan(1e-4);
    for (const { value, sources } of heads) expect(Math.abs(value - sum(sources))).toBeLessThan(1e-4);
    expect(prompts[prompt]).toBeDefined();
  }
  for (const { heads, prompt } of attention)
    for (const { before, change, moved } of heads) {
      expect(before).toHaveLength(prompts[prompt]!.tokens.length);
      expect([sum(before), sum(change)].map((value) => Math.round(value * 1e4) / 1e4 + 0)).toEqual([1, 0]);
      expect(moved).toBeCloseTo(sum(change.map(Math.abs)) / 2, 9);
    }
  const kept = grid!.values.filter((value, i) => grid!.live[i] && value !== null && value !== 0).length;
  if (interactions) {
    expect(interactions.cells).toHaveLength(kept);
    expect(interactions.pairs).toHaveLength((kept * (kept - 1)) / 2);
  }
  if (hierarchy) expect(hierarchy.explained).toBeGreaterThan(0.5);
}

describe('limn steer explain', () => {
  it('learns scales for one prompt, shows them on its tokens, and says that they speak of no other', async () => {
    const outcome = await runLimn(onePrompt('alone', '--corrupted', '1,4,3,2,9', '--json'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf('alone');
    expect(record.title).toBe('activ-scalar on this one prompt alone');
    expect(record.task).toMatchObject({ train: 1, description: expect.stringContaining('nothing of other prompts') });
    expect(record.task).not.toHaveProperty('test');
    expect([record.verdict, record.methods, record.influence]).toEqual([undefined, undefined, undefined]);
    expect(record.prompts).toHaveLength(1);
    expect(record.prompts[0]!.tokens.map(({ text, position }) => [text, position])).toEqual(
      ['1', '4', '7', '2', '9'].map((text, i) => [text, i]),
    );
    expect(record.comparisons!.map(({ measure }) => measure)).toEqual([
      'gradient × activation',
      'zero ablation',
      'activation patching (denoise)',
      'integrated gradients',
      'EAP-IG of nodes, by position',
    ]);
    for (const { agreement } of record.comparisons!) {
      expect(agreement!.cells).toBe(record.grid!.live.filter(Boolean).length);
      expect(agreement!.topJaccard.value).not.toBeNull();
    }
    expect(record.splits).toHaveLength(1);
    expect(record.attention!.length).toBeGreaterThan(0);
    expectExplanations(record);
    const up = record.sweep!.find(({ strength }) => strength === 1)!;
    const rest = record.sweep!.find(({ strength }) => strength === 0)!;
    expect(up.effect).toBeGreaterThan(rest.effect);
    expect(record.provenance.seed).toBeNull();
    const { provenance, values } = readSteering(readFileSync(path.join(root, 'alone', 'steering.json'), 'utf8'));
    expect(values.spec.positions).toMatchObject({ mode: 'absolute', length: 5 });
    expect(provenance.data).toMatchObject({ train: 1, validation: 0, test: 0 });
    expect(Object.keys(provenance.metrics ?? {})).toEqual(['train']);
    expect(outcome.json()).toMatchObject({ ok: true, command: 'steer explain', figures: { examples: 1 } });
    expect(readFileSync(path.join(root, 'alone', 'report.html'), 'utf8')).toContain('on this one prompt alone');
  });

  it('names the cells that do most by their tokens, and says what is left out', async (context) => {
    long(context);
    const outcome = await runLimn(onePrompt('said', '--sites', 'hook_mlp_out'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stdout).toMatch(
      /blocks\.\d\.hook_mlp_out at \d "\d": α -?\d\.\d\d, -?\d+\.\d\d logits less without it/,
    );
    expect(outcome.stdout).toMatch(/learnt on +1 prompt: /);
    expect(outcome.stdout).not.toMatch(/others/);
    expect(outcome.stdout).toContain('nothing of other prompts');
    expect(outcome.stderr).toContain('no corrupted prompts: activation patching and EAP-IG are left out');
    expect(outcome.stderr).toContain('the split of an attention cell is left out');
    expect(recordOf('said').comparisons).toHaveLength(3);
  });

  it('takes text for a model with a tokenizer', async (context) => {
    long(context);
    const outcome = await runLimn(words('--prompt', text, '--correct', 'Athens', '--wrong', 'Havana'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { tokens, correct } = recordOf('text').prompts[0]!;
    expect([tokens.length, tokens[0]!.position, tokens[1]!.position, correct.trim()]).toEqual([
      19,
      undefined,
      0,
      'Athens',
    ]);
  });

  it('takes text of GPT-2’s vocabulary, and says which token an answer needs', async (context) => {
    long(context);
    context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER);
    const folder = path.join(root, 'gpt2-words');
    writeGpt2WordsModel(folder);
    const told = ['--prompt', 'The capital of Germany is Paris. Q: What is the capital of Germany? A:', '--json'];
    const other = ['--corrupted', 'The capital of Germany is Rome. Q: What is the capital of Germany? A:'];
    const explain = (correct: string): string[] => {
      const answers = ['--correct', correct, '--wrong', ' Berlin', '--updates', '2', '--out', path.join(root, 'gpt2')];
      return ['steer', 'explain', '--model', folder, ...told, ...other, ...answers];
    };
    const outcome = await runLimn(explain(' Paris'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { prompts, comparisons } = recordOf('gpt2');
    expect(prompts[0]!.tokens.map((token) => token.text).join('')).toContain('The capital of Germany is Paris. Q:');
    expect(comparisons).toHaveLength(5);
    expect((await runLimn(explain(' Rhondda'))).json().error).toMatchObject({
      code: 'data/steering-answer',
      message: expect.stringMatching(/" Rhondda", which is \d tokens: " Rh"/),
      hint: expect.stringContaining('the space in front of it'),
    });
  });

  it('refuses answers of several tokens and prompts of other lengths, with a cure', async () => {
    const refused = async (...more: readonly string[]) => {
      const { exitCode, json } = await runLimn(words(...more));
      const { error } = json();
      return { exitCode, code: error?.code, said: `${error?.message} ${error?.hint}` };
    };
    const several = await refused('--prompt', text, '--correct', 'Athens Havana', '--wrong', 'Havana');
    expect(several).toMatchObject({ exitCode: 4, code: 'data/steering-answer' });
    expect(several.said).toMatch(/"correct": "Athens Havana", which is 2 tokens.*choose a word that is one token/);
    expect(
      await refused('--prompt', text, '--correct', 'Athens', '--wrong', 'Havana', '--corrupted', 'the capital of'),
    ).toMatchObject({ exitCode: 4, code: 'data/steering-pairs', said: expect.stringContaining('4 tokens') });
    expect(await refused('--correct', 'Athens', '--wrong', 'Havana')).toMatchObject({
      exitCode: 2,
      code: 'usage/prompt',
    });
  });

  it('refuses text for a model without a tokenizer, and ids that are none', async () => {
    const [text, ids] = [onePrompt('no', '--json'), onePrompt('no', '--json')];
    text.splice(text.indexOf('--tokens'), 2, '--prompt', 'the');
    ids[ids.indexOf('8')] = '99';
    const code = async (words: readonly string[]) => (await runLimn(words)).json().error?.code;
    expect([await code(text), await code(ids)]).toEqual(['data/steering-no-tokenizer', 'data/steering-answer']);
  });

  it('stopped with Ctrl-C it ends with 130 and leaves nothing', async () => {
    const controller = new AbortController();
    const running = runLimn(onePrompt('stopped', '--updates', '100000', '--margin', '50'), controller.signal);
    await wait(300);
    controller.abort();
    expect((await running).exitCode).toBe(130);
    expect(readdirSync(root).filter((name) => name.includes('stopped'))).toEqual([]);
  });
});

describe('limn steer train --explain', () => {
  it('judges whether the cells are the cause, and writes all that explains them', async () => {
    const outcome = await runLimn(manyPrompts('judged', '--refits', '1', '--json'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf('judged');
    const { verdict, influence } = record;
    expect(outcome.json()['verdict']).toEqual(JSON.parse(JSON.stringify(verdict)));
    expect(verdict!.controls!.map(({ name, draws }) => [name, draws])).toEqual([
      ['shuffled cells', 20],
      ['signs redrawn', 20],
      ['random vectors', 20],
      ['on other answers', 1],
      ['of other answers', 1],
    ]);
    for (const { draws, effects, low, mean, high } of verdict!.controls!) {
      expect(effects).toHaveLength(draws);
      expect(low).toBeLessThanOrEqual(mean);
      expect(mean).toBeLessThanOrEqual(high);
    }
    expect(verdict!.p).toBeGreaterThan(0);
    expect(verdict!.stability).toBeGreaterThan(0);
    // The model speaks no task.
    expect(verdict!.offTask).toBeNull();
    expect(verdict!.cells!.at(-1)).toMatchObject({ only: 1, without: 0 });
    const [up, down] = [1, -1].map((at) => record.sweep!.find(({ strength }) => strength === at)!.effect);
    expect(verdict!.effect).toBeCloseTo(up! + down!, 4);
    expect(influence!.examples).toBe(6);
    expect([...influence!.most, ...influence!.least].map(({ text }) => text.split(' ').length)).toEqual([
      4, 4, 4, 4, 4, 4,
    ]);
    expect(influence!.most[0]!.alignment).toBeGreaterThanOrEqual(influence!.least[0]!.alignment!);
    expect(record.interactions!.examples).toBe(2);
    expectExplanations(record);
  });

  it('says the verdict in a few lines, and what was not measured', async (context) => {
    long(context);
    const outcome = await runLimn(manyPrompts('lines', '--refits', '0'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stdout).toMatch(
      /that these cells are the cause is not supported: effect -?\d+\.\d\d logits \(95 %: .+\), p 0\.\d+, stability not measured, KL off the task not measured/,
    );
    expect(outcome.stderr).toContain('no prompts of other tasks fit');
    expect(outcome.stderr).toContain('no refits');
    expect(recordOf('lines').verdict!.controls!.map(({ name }) => name)).not.toContain('of other answers');
  });

  it.for([
    ['dyn-scalar', 'none', 'the verdict is left out'],
    ['steer-vec', 'absolute', 'no corrupted prompts'],
  ] as const)('%s: does what makes sense, and says what does not', async ([method, positions, left], context) => {
    long(context);
    const outcome = await runLimn(
      manyPrompts(method, '--method', method, '--positions', positions, '--refits', '0', '--rate', '0.01'),
    );
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain(left);
    const record = recordOf(method);
    expect(record.verdict === undefined).toBe(method === 'dyn-scalar');
    expect(record.interactions === undefined).toBe(method === 'dyn-scalar');
    expect(record.comparisons).toHaveLength(3);
    expect(record.influence!.examples).toBe(6);
    expectExplanations(record);
  });

  it('refuses --refits without --explain', async () => {
    const words = manyPrompts('refits', '--refits', '2', '--json').filter((word) => word !== '--explain');
    const outcome = await runLimn(words);
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([2, 'usage/steering-option']);
    expect(existsSync(path.join(root, 'refits'))).toBe(false);
  });

  it('of pocket’s conflicts: EAP-IG agrees with patching, and the cells beat chance', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 learns and explains pocket’s conflicts');
    const learnt = ['--examples', '200', '--updates', '15', '--rate', '0.05', '--refits', '0'];
    const task = ['--task', 'country-capital-conflict', ...learnt];
    const words = ['steer', 'train', '--model', 'pocket', ...task, '--explain', '--json'];
    const outcome = await runLimn([...words, '--out', path.join(root, 'pocket')]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf('pocket');
    const at = (measure: string): number[] =>
      record
        .comparisons!.find((each) => each.measure.startsWith(measure))!
        .values.filter((_, i) => record.grid!.live[i])
        .map((value) => value!);
    const [patching, eap] = [at('activation patching'), at('EAP-IG')];
    const along = sum(patching.map((value, i) => value * eap[i]!));
    const cosine = along / Math.hypot(...patching) / Math.hypot(...eap);
    expect(cosine).toBeGreaterThan(0.9);
    expect(record.verdict!.effect).toBeGreaterThan(Math.max(...record.verdict!.controls!.map(({ mean }) => mean)));
    expect(record.verdict!.p).toBeLessThan(0.05);
    expect(record.verdict!.offTask).toBeGreaterThan(0);
    expect(record.influence!.most[0]!.text).toContain('the capital of');
    expectExplanations(record);
  }, 600_000);
});
