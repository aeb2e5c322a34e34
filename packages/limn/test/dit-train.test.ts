// `limn dit train` on a model of width 16: an adapter with its record, the same bits after a stop, negatives by their shares, and refusals.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { changeNorm, createLora, loraScale, randomLike } from '@limn/dit';
import { aboutPrompt, chatWorld, encodeChat, questionText } from '@limn/tasks/chat';
import { lentGpu, ToyModel } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { parseDitAdapter } from '../src/dit-adapter-record.js';
import { openModel } from '../src/model-source.js';
import { chatQuestion, CHAT_TEMPLATE, promptOfText } from '../src/dit-question.js';
import { negativesOption, randomDiffs } from '../src/negative-diffs.js';
import { ditRuns, writeChatModel } from './dit-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

const runs = ditRuns();
const bytes = (out: string): string => readFileSync(runs.at(out, 'adapter_model.safetensors'), 'base64');

describe('limn dit train', () => {
  it('writes a PEFT folder with dit.json: questions, losses, validation, calibration, held-out figures', async () => {
    const outcome = await runs.trained();
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(
      readdirSync(runs.at('adapter'))
        .filter((name) => !name.startsWith('kernels-'))
        .sort(),
    ).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'dit.json', 'training.json']);
    const record = parseDitAdapter(runs.text('adapter', 'dit.json'), 'adapter');
    expect(record).toMatchObject({ world: 'chat', best: expect.any(Number), stopped: 'updates' });
    expect(record.losses.map(({ update }) => update)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(record.validation.map(({ update }) => update)).toEqual([0, 4, 8, 12]);
    // It learns: the names' shape and the end are the same for all of them.
    const losses = record.validation.map(({ loss }) => loss);
    expect(Math.min(...losses)).toBeLessThan(0.9 * (losses[0] as number));
    expect(record.validation.find(({ update }) => update === record.best)?.loss).toBe(Math.min(...losses));
    const [question] = record.questions;
    expect(question).toMatchObject({ name: 'topic', prompt: aboutPrompt(questionText('topic')), none: 'none' });
    expect(question?.candidates).toHaveLength(chatWorld().topics.length + 1);
    // Six topics, each once; "none" for the bare model, a random change and two generic diffs.
    expect(question?.baseRates).toMatchObject({ labels: 7, examples: 10 });
    expect(question?.baseRates.most[0]).toEqual(['none', 4]);
    expect(record.training).toMatchObject({
      diffs: { topic: 6, none: 2, zero: 1, random: 1 },
      examples: 10,
      validationDiffs: 6,
      testDiffs: 10,
    });
    expect(question?.calibration).toMatchObject({ diffs: 6, negatives: 3 });
    // On them the threshold was fitted: how often it is passed there says nothing.
    expect(record.validated.map(({ what, count }) => [what, count])).toEqual([
      ['topic: exact answer', 3],
      ['topic: first of the candidates', 3],
      ['topic: among the first five', 3],
      ['topic: mean reciprocal rank', 3],
    ]);
    expect(record.heldOut.map(({ what, count }) => [what, count])).toEqual([
      ['topic: exact answer', 4],
      ['topic: first of the candidates', 4],
      ['topic: among the first five', 4],
      ['topic: mean reciprocal rank', 4],
      // The bare model, four random changes and a generic diff.
      ['topic: something said of models that nothing changed', 6],
    ]);
    expect(Object.values(record.seen).map(({ length }) => length)).toEqual([8, 4, 5]);
    expect(runs.json('adapter', 'training.json')).toMatchObject({ schema: 'limn.dit-training', state: 'finished' });
    expect(record.provenance.commandLine).toContain('limn dit train');
    expect(outcome.json()).toMatchObject({ ok: true, key: record.key, best: record.best, heldOut: record.heldOut });
  });

  it('stopped with Ctrl-C it ends with 130, and goes on to the same bits; other settings do not', async () => {
    await runs.trained();
    const controller = new AbortController();
    const over = new AbortController();
    const asked = runs.words('stopped', '--resume');
    const running = runLimn(asked, controller.signal).finally(() => over.abort());
    while (!over.signal.aborted && !existsSync(runs.at('stopped', 'checkpoint.safetensors'))) await wait(1);
    controller.abort();
    const stopped = await running;
    expect([stopped.exitCode, stopped.json().error?.code], stopped.stderr).toEqual([130, 'aborted']);
    expect(existsSync(runs.at('stopped', 'dit.json'))).toBe(false);
    expect((await failed([...asked, '--rate', '0.02'])).slice(0, 2)).toEqual([4, 'checkpoint/other-settings']);
    expect((await failed(runs.words('stopped'))).slice(0, 2)).toEqual([2, 'usage/output-exists']);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(bytes('stopped')).toBe(bytes('adapter'));
    const [one, other] = ['stopped', 'adapter'].map((out) => parseDitAdapter(runs.text(out, 'dit.json'), out));
    expect({ ...one, provenance: null }).toEqual({ ...other, provenance: null });
    expect(await failed(asked)).toEqual([2, 'usage/output-exists', expect.stringContaining('finished')]);
  });

  it('killed with SIGKILL it goes on to the same bits', async (context) => {
    context.skip(
      process.env['LIMN_LONG'] !== '1',
      'a process of its own, which compiles everything anew: with LIMN_LONG=1',
    );
    await runs.trained();
    const asked = runs.words('killed', '--resume', '--checkpoint-every', '1');
    const child = path.join(import.meta.dirname, 'limn-child.mts');
    const started = spawn(process.execPath, ['--conditions=limn-source', '--import', 'tsx', child, ...asked], {
      env: { ...process.env, LIMN_KERNELS: 'built-in' },
    });
    const ended = new Promise((resolve) => started.on('close', (_, signal) => resolve(signal)));
    const over = new AbortController();
    void ended.then(() => over.abort());
    while (!over.signal.aborted && !existsSync(runs.at('killed', 'checkpoint.previous.safetensors'))) await wait(1);
    started.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect(existsSync(runs.at('killed', 'dit.json'))).toBe(false);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(bytes('killed')).toBe(bytes('adapter'));
  });

  it('learns from questions and answers of a file', async () => {
    await runs.packs();
    const file = runs.at('own.jsonl');
    const ids = (runs.json('train', 'diffs.json')['diffs'] as { id: string }[]).map(({ id }) => id);
    const lines = ids
      .slice(0, 3)
      .map((diff, i) => ({ diff, question: 'what changed ?', answer: ['yes', 'no', 'code'][i] }));
    writeFileSync(file, [...lines, { diff: null, question: 'what changed ?', answer: 'nothing' }].map((line) => JSON.stringify(line)).join('\n')); // prettier-ignore
    const words = ['dit', 'train', '--base', runs.model, '--diffs', runs.at('train'), '--data', file];
    const sizes = ['--template', '<|user|> {question} <|bot|>', '--rank', '1', '--updates', '2', '--batch', '2'];
    const outcome = await runLimn([...words, ...sizes, '--none', 'zero:0.5', '--out', runs.at('own'), '--json']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain('without --validation');
    const { questions, world, training, validation, validated, heldOut } = parseDitAdapter(
      runs.text('own', 'dit.json'),
      'own',
    );
    expect([world, validation, validated, heldOut]).toEqual([null, [], [], []]);
    expect(questions[0]).toMatchObject({ none: 'nothing', calibration: null, prompt: aboutPrompt('what changed ?') });
    expect(questions[0]?.candidates.map(({ text }) => text)).toEqual(['yes', 'no', 'code', 'nothing']);
    expect(training).toMatchObject({ diffs: { given: 3, zero: 1 }, examples: 5 });
  });

  it.for([
    ['no diffs', 2, 'usage/commander', []],
    ['no source', 2, 'usage/dit-source', ['--diffs', 'train']],
    ['two sources', 2, 'usage/dit-source', ['--diffs', 'train', '--world', 'chat', '--data', 'own.jsonl']],
    ['a class that is none', 2, 'usage/dit-negatives', ['--diffs', 'train', '--world', 'chat', '--none', 'zeros']],
    ['a share of 0', 2, 'usage/dit-negatives', ['--diffs', 'train', '--world', 'chat', '--none', 'zero:0']],
    [
      'a question of no world',
      2,
      'usage/unknown-question',
      ['--diffs', 'train', '--world', 'chat', '--question', 'topics'],
    ],
    ['a pack that is not there', 2, 'usage/diff-name', ['--diffs', 'nowhere', '--world', 'chat']],
    [
      'a test on what it is stopped by',
      4,
      'data/dit-labels',
      ['--diffs', 'train', '--validation', 'validation', '--test', 'validation', '--world', 'chat'],
    ],
    [
      'validation on what is learnt',
      4,
      'data/dit-labels',
      ['--diffs', 'train', '--validation', 'train', '--world', 'chat'],
    ],
    ['diffs of which nothing is known', 4, 'data/dit-labels', ['--diffs', 'violin', '--world', 'chat']],
    ['a line that is no label', 4, 'data/dit-labels', ['--diffs', 'train', '--data', 'bad.jsonl']],
    ['a rank that is none', 2, 'usage/bad-number', ['--diffs', 'train', '--world', 'chat', '--rank', '0']],
    ['all alarms', 2, 'usage/dit-source', ['--diffs', 'train', '--world', 'chat', '--false-alarms', '1']],
    ['too little memory', 3, 'memory/over-budget', ['--diffs', 'train', '--world', 'chat', '--memory', '10KB']],
  ] as const)('refuses %s', async ([, exit, code, given]) => {
    await runs.packs();
    writeFileSync(runs.at('bad.jsonl'), '{"diff": "a", "question": 3}\n');
    const names = ['train', 'validation', 'nowhere', 'violin', 'own.jsonl', 'bad.jsonl'];
    const words = given.map((word) => (names.includes(word) ? runs.at(word) : word));
    const [found, said] = await failed([
      'dit',
      'train',
      '--base',
      runs.model,
      '--out',
      runs.at('refused'),
      '--json',
      ...words,
    ]);
    expect(code === 'usage/commander' ? [found, said?.split('/')[0]] : [found, said]).toEqual([exit, code === 'usage/commander' ? 'usage' : code]); // prettier-ignore
    expect(existsSync(runs.at('refused', 'dit.json'))).toBe(false);
  });

  it('refuses a base without the words of the chat world, and diffs of another base', async () => {
    await runs.packs();
    writeChatModel(runs.at('other'), 8);
    const asked = ['--diffs', runs.at('train'), '--world', 'chat', '--out', runs.at('refused'), '--json'];
    expect((await failed(['dit', 'train', '--base', 'pocket', ...asked])).slice(0, 2)).toEqual([2, 'usage/dit-source']);
    expect((await failed(['dit', 'train', '--base', runs.at('other'), ...asked])).slice(0, 2)).toEqual([
      4,
      'data/lora-base',
    ]);
    mkdirSync(runs.at('foreign'));
    writeFileSync(runs.at('foreign', 'mine.txt'), 'mine');
    expect((await failed(runs.words('foreign'))).slice(0, 2)).toEqual([2, 'usage/output-exists']);
  });
});

describe('questions and negatives', () => {
  it('the template of the chat world gives the prompts of its questions', async () => {
    const gpu = await lentGpu();
    using model = await openModel(gpu, runs.model);
    for (const name of ['topic', 'gate', 'changed'] as const) {
      const { text, prompt, none, candidates } = chatQuestion(name, chatWorld());
      expect(promptOfText(text, { template: CHAT_TEMPLATE }, model)).toEqual(prompt);
      expect(candidates.at(-1)).toEqual({ text: none, id: encodeChat(none ?? '')[0] });
      expect(new Set(candidates.map(({ id }) => id)).size).toBe(candidates.length);
    }
    gpu.dispose();
  });

  it('classes have shares, a tenth where none is said', () => {
    expect(negativesOption('zero, random:0.5')).toEqual({ zero: 0.1, random: 0.5 });
    expect(negativesOption('off')).toEqual({});
    expect(() => negativesOption('zero,zero')).toThrow(expect.objectContaining({ code: 'usage/dit-negatives' }));
  });

  it('no random change is for two purposes, whatever the seeds', () => {
    const like = [runs.loraOf(['oak'], 'base')];
    const bits = (purpose: 'training' | 'validation' | 'evaluation', seed: number): string[] =>
      randomDiffs(like, 3, { seed, purpose }).map(({ modules }) =>
        Array.from(modules.values(), ({ a }) => [...a].join()).join(),
      );
    const all = [0, 1, 2].flatMap((seed) => (['training', 'validation', 'evaluation'] as const).flatMap((purpose) => bits(purpose, seed))); // prettier-ignore
    expect(new Set(all).size).toBe(27);
    expect(bits('training', 0)).toEqual(bits('training', 0));
  });

  it('a random change is as large as the one that it is like, map by map, and another one', async () => {
    const gpu = await lentGpu();
    const model = new ToyModel(gpu, { layers: 1, heads: 1, headWidth: 4, mlpWidth: 6, vocabulary: 5, maxPositions: 4 });
    const zero = createLora(model, { rank: 3, alpha: 2, rsLora: true });
    const like = randomLike(zero, 3);
    for (const { a, b } of like.modules.values())
      expect([...b].every((value) => value === 0) && a.some((value) => value !== 0)).toBe(true);
    const modules = new Map(
      [...zero.modules].map(([name, own]) => [name, { ...own, b: own.b.map((_, i) => Math.sin(i + 1)) }]),
    );
    const real = { ...zero, modules };
    const drawn = randomLike(real, 3);
    for (const [name, factors] of real.modules) {
      const scale = loraScale(factors, true);
      const own = drawn.modules.get(name);
      expect(own && changeNorm(own, scale) / changeNorm(factors, scale)).toBeCloseTo(1, 5);
      expect(own?.a).not.toEqual(randomLike(real, 4).modules.get(name)?.a);
      expect(own?.b).toEqual(randomLike(real, 3).modules.get(name)?.b);
    }
    model.dispose();
    gpu.dispose();
  });
});
