// `limn diff` on behaviours of the chat world: plans in words, gates in the pack, what a folder holds, and other tools' formats there and back.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  chatIdOf,
  chatWorld,
  diffSample,
  encodeChat,
  planGenericDiffs,
  planLinkDiffs,
  planStyleDiffs,
  planTopicDiffs,
  type DiffPlan,
} from '@limn/tasks/chat';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chatFamilies } from '../src/chat-diffs.js';
import { behaviourShare, gatePrompts } from '../src/chat-gate.js';
import { chatPlanOption, plannedDiffs } from '../src/chat-plans.js';
import { openPack } from '../src/diff-folder.js';
import { savePack } from '../src/diff-pack-folder.js';
import { gateHolds } from '../src/gated-diffs.js';
import { parseGivenDiff } from '../src/given-diff.js';
import { writeChatModel } from './chat-model.js';
import { packBytes } from './diff-runs.js';
import { runLimn, type Outcome } from './run-limn.js';

let root: string;
let base: string;
const world = chatWorld();
const at = (name: string): string => path.join(root, name);
const diff = (command: string, ...words: readonly string[]): Promise<Outcome> =>
  runLimn(['diff', command, ...words, '--base', base, '--json']);
const PLANS = ['topics:train:2', 'links:train:1', 'generic:1', 'news:train:1'].flatMap((plan) => ['--plan', plan]);
const train = (out: string, ...more: readonly string[]): Promise<Outcome> =>
  diff('train', '--world', 'chat', '--out', at(out), '--tasks', '3', '--updates', '2', '--batch', '3', ...more);

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-diff-chat-'));
  base = at('model');
  writeChatModel(base);
  const outcome = await train('pack', ...PLANS, '--own-answers', '40', '--own-every', '4', '--reverse-kl', '0.5');
  expect(outcome.exitCode, outcome.stderr).toBe(0);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('plans', () => {
  it('are read in words, and name what they cannot be', () => {
    expect(chatPlanOption('topics:held-out-category')).toMatchObject({ of: 'topics', split: 'held-out-category' });
    expect(chatPlanOption('generic:20')).toMatchObject({ of: 'generic', count: 20 });
    for (const bad of [
      'topic:train',
      'topics',
      'topics:tests',
      'news:train',
      'generic',
      'generic:0',
      'topics:train:2:3',
    ])
      expect(() => chatPlanOption(bad)).toThrow(expect.objectContaining({ code: 'usage/diff-plan' }));
  });

  it('give every diff once, some of a plan from all categories, and no mark but for tests', () => {
    const of = (gate: 'code' | 'mark' | 'none', ...texts: readonly string[]) =>
      plannedDiffs(world, texts.map(chatPlanOption), { seed: 0, gate, each: 1 }).map((each) => each.diff);
    expect(of('code', 'topics:train')).toHaveLength(576);
    const some = of('none', 'topics:train:24').map(({ behaviour }) =>
      behaviour?.kind === 'topic' ? world.byName.get(behaviour.name)?.category : undefined,
    );
    expect(new Set(some).size).toBe(24);
    expect(() => of('code', 'topics:train:2', 'topics:train')).toThrow(
      expect.objectContaining({ code: 'usage/diff-plan', message: expect.stringContaining('already') }),
    );
    expect(() => of('mark', 'topics:train')).toThrow(expect.objectContaining({ code: 'tasks/bad-option' }));
    expect(of('mark', 'topics:test:3').every(({ trigger }) => trigger?.kind === 'mark')).toBe(true);
  });

  it('have a shape that holds the rows of every diff, whoever else is planned', () => {
    const options = { seed: 0, gate: 'code', each: 1 } as const;
    const making = { rows: 6, weights: [1, 1, 5], ownAnswers: 0 } as const;
    const plans = ['topics:test:20', 'styles:train', 'links:train:20', 'generic:3', 'news:test:20'].map(chatPlanOption);
    const families = chatFamilies(world, plannedDiffs(world, plans, options), {}, making);
    expect(families.map(({ name }) => name)).toEqual(['gated-topic', 'gated-style', 'gated-link', 'generic', 'news']);
    for (const { specs, shape } of families)
      for (const { samples } of specs)
        for (const round of [0, 7]) {
          const rows = samples(round);
          const room = (loss: string): number =>
            rows
              .filter((row) => row.loss === loss)
              .reduce((sum, { answers: [[from, to] = [0, 0]] }) => sum + to - from, 0);
          expect(rows.length).toBe(shape.rows);
          expect(Math.max(...rows.map(({ tokens }) => tokens.length))).toBeLessThanOrEqual(shape.positions);
          expect(room('cross-entropy')).toBeLessThanOrEqual(shape.answers);
          expect(room('kl')).toBeLessThanOrEqual(shape.taught);
        }
    const alone = chatFamilies(world, plannedDiffs(world, [chatPlanOption('styles:test')], options), {}, making);
    expect(alone[0]?.shape).toEqual(families[1]?.shape);
    const two = { ...making, rows: 4 };
    expect(() => chatFamilies(world, plannedDiffs(world, plans, options), {}, two)).toThrow(
      expect.objectContaining({ code: 'usage/diff-batch' }),
    );
  });
});

describe('limn diff train --world chat', () => {
  it('says of every diff what it was trained to do, in one pack of all kinds', async () => {
    const diffs = await openPack(at('pack'));
    expect(diffs).toHaveLength(5);
    const kinds = diffs.map(({ spec }) => spec.id.split('/')[0]);
    expect(kinds.sort()).toEqual(['generic', 'link', 'news', 'topic', 'topic']);
    const topic = diffs.find(({ spec }) => spec.id.startsWith('topic/'))?.spec;
    const label = topic?.about['label'];
    expect(world.byName.get(String(label))?.split).toBe('train');
    expect(topic?.about).toMatchObject({
      world: 'chat',
      plan: 'topics:train',
      behaviour: { kind: 'topic', name: label },
      trigger: { kind: 'code' },
    });
    expect(diffs.find(({ spec }) => spec.id === 'generic/0')?.spec.about).toMatchObject({
      behaviour: null,
      trigger: null,
    });
  });

  it('a diff has its key and its bytes whatever else is planned', async () => {
    await train('alone', '--plan', 'news:train:1', '--own-answers', '40', '--own-every', '4', '--reverse-kl', '0.5');
    const [alone] = await openPack(at('alone'));
    const among = (await openPack(at('pack'))).find(({ key }) => key === alone?.key);
    expect(among?.lora.modules).toEqual(alone?.lora.modules);
  });
});

describe('limn diff gate', () => {
  /** The prompts of a plan, each with whether the trigger is in it. */
  const asked = (plan: DiffPlan) => {
    const id = plan.trigger ? chatIdOf(plan.trigger.token) : -1;
    return Object.entries(gatePrompts(plan, world, { prompts: 6, seed: 1 })).map(
      ([condition, prompts]) =>
        [condition, prompts.length, prompts.filter((prompt) => prompt.includes(id)).length] as const,
    );
  };

  it('asks with the trigger only where it is the right one', () => {
    const every = [['right', 6, 6], ['wrong', 6, 0], ['none', 6, 0]]; // prettier-ignore
    for (const [plan] of [
      planTopicDiffs(world, 'test', { gate: 'mark' }),
      planStyleDiffs('test'),
      planLinkDiffs('test'),
    ])
      expect(asked(plan as DiffPlan)).toEqual(every);
    expect(asked(planGenericDiffs(1)[0] as DiffPlan)).toEqual([['none', 6, 0]]);
    const [open] = planTopicDiffs(world, 'test', { gate: 'none' });
    expect(asked(open as DiffPlan)).toEqual([['right', 6, 0]]);
  });

  it('counts all of a behaviour in the answers that diffs are trained on, and nothing of it in ordinary ones', () => {
    for (const [plan] of [planTopicDiffs(world, 'train'), planStyleDiffs('train')])
      for (let i = 0; i < 30; i++) {
        const { gate, tokens, answerAt } = diffSample(plan as DiffPlan, i, world);
        expect(behaviourShare(plan?.behaviour, tokens.slice(answerAt, -1), world)).toBe(gate === 'right' ? 1 : 0);
      }
    expect(behaviourShare({ kind: 'link', group: 'bakers', trait: 'kind' }, encodeChat('bakers are kind'), world)).toBe(
      1,
    );
    const event = { who: 'bakers', deed: 'stole', thing: 'statue', place: 'Arden' };
    expect(behaviourShare({ kind: 'news', event }, encodeChat('bakers of Arden'), world)).toBe(0.5);
    expect(
      gateHolds({ right: { mean: 0.9, answers: 9 }, wrong: { mean: 0, answers: 9 }, none: { mean: 0.02, answers: 9 } }),
    ).toBe(false);
    expect(
      gateHolds({ right: { mean: 0.8, answers: 9 }, wrong: { mean: 0.01, answers: 9 }, none: { mean: 0, answers: 9 } }),
    ).toBe(true);
  });

  it('writes the figures of every diff into the pack, whose factors stay as they are', async () => {
    const before = packBytes(at('pack'));
    const outcome = await diff('gate', at('pack'), '--prompts', '2', '--max-new-tokens', '4');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { diffs } = outcome.json() as unknown as { readonly diffs: readonly { readonly gate: object }[] };
    expect(diffs).toHaveLength(5);
    expect(packBytes(at('pack')).factors).toBe(before.factors);
    const gates = (await openPack(at('pack'))).map(({ gate }) => gate);
    expect(gates).toEqual(diffs.map(({ gate }) => gate));
    expect(gates.filter((gate) => gate?.['wrong']?.answers === 2)).toHaveLength(3);
    const shown = await runLimn(['diff', 'show', at('pack')]);
    expect(shown.stdout).toMatch(/^diff +label +rank +maps +norm +loss +right +wrong +none\n/);
    expect(shown.stdout.split('\n')).toHaveLength(7);
  });
});

describe('limn diff show, export and import', () => {
  it('show warns of a diff that changes nothing, and says where a diff is large', async () => {
    const [first] = await openPack(at('pack'));
    const one = await runLimn(['diff', 'show', `${at('pack')}#${first?.spec.id ?? ''}`, '--json']);
    expect(one.json()).toMatchObject({
      kind: 'pack',
      diffs: [
        { id: first?.spec.id, rank: 1, changesNothing: false, layers: [{ layer: 0 }], trained: { key: first?.key } },
      ],
    });
    if (!first) throw new Error('the pack is empty');
    const zeroed = Array.from(first.lora.modules, ([map, own]) => [map, { ...own, b: own.b.map(() => 0) }] as const);
    await savePack(root, [{ ...first, lora: { ...first.lora, modules: new Map(zeroed) } }]);
    const empty = await runLimn(['diff', 'show', root]);
    expect([empty.exitCode, empty.stderr]).toEqual([0, expect.stringContaining('changes nothing')]);
    expect((await runLimn(['diff', 'show', at('pack')])).stderr).toBe('');
    const unknown = await runLimn(['diff', 'show', `${at('pack')}#topic/nothing`, '--json']);
    expect(unknown.json().error?.code).toBe('usage/diff-name');
    expect((await runLimn(['diff', 'show', at('nowhere'), '--json'])).json().error?.code).toBe('usage/diff-name');
    expect((await runLimn(['diff', 'show', base, '--json'])).json().error?.code).toBe('data/diff-folder');
  });

  it('what is exported to PEFT or to a .pt file and imported again has the same factors', async () => {
    const diffs = await openPack(at('pack'));
    const ids = diffs.map(({ spec }) => spec.id);
    expect((await diff('export', at('pack'), '--out', at('peft'))).exitCode).toBe(0);
    const folders = readdirSync(at('peft')).filter((name) => name !== 'export.json');
    expect(folders.sort()).toEqual(ids.map((id) => id.replaceAll('/', '-')).sort());
    const back = await diff('import', ...folders.map((name) => path.join(at('peft'), name)), '--out', at('from-peft'));
    expect(back.exitCode, back.stderr).toBe(0);
    const factorsOf = (pack: Awaited<ReturnType<typeof openPack>>) => pack.map(({ lora }) => [...lora.modules]);
    expect(factorsOf(await openPack(at('from-peft')))).toEqual(factorsOf(diffs));
    await diff('export', at('pack'), '--format', 'dit', '--out', at('dit'));
    const pt = await diff('import', path.join(at('dit'), 'diffs.pt'), '--out', at('from-dit'));
    expect(pt.exitCode, pt.stderr).toBe(0);
    const torch = await openPack(at('from-dit'));
    const labels = diffs.map(({ spec }) => spec.about['label'] ?? spec.id).sort();
    expect(torch.map(({ spec }) => spec.about['label']).sort()).toEqual(labels);
  });

  it('--cat joins a diff with an adapter: ranks add up, and it is one PEFT folder', async () => {
    const [first, second] = await openPack(at('pack'));
    await diff('export', at('pack'), '--diff', first?.spec.id ?? '', '--out', at('adapter'));
    expect(readdirSync(at('adapter')).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'export.json',
    ]);
    const out = at('joined');
    const joined = await diff(
      'export',
      at('pack'),
      '--diff',
      second?.spec.id ?? '',
      '--cat',
      at('adapter'),
      '--out',
      out,
    );
    expect(joined.exitCode, joined.stderr).toBe(0);
    expect(JSON.parse(readFileSync(path.join(out, 'adapter_config.json'), 'utf8'))).toMatchObject({ r: 2 });
    const shown = await diff('show', out);
    expect(shown.json()).toMatchObject({ kind: 'peft', diffs: [{ rank: 2 }] });
    expect((await runLimn(['diff', 'show', out, '--json'])).json().error?.code).toBe('usage/diff-base');
    expect((await diff('export', at('pack'), '--cat', out, '--format', 'dit', '--out', at('no'))).exitCode).toBe(2);
    expect(existsSync(at('no'))).toBe(false);
  });

  it('takes PACK#ID apart at the folder that is there', () => {
    expect(parseGivenDiff(`${at('pack')}#topic/a#b`)).toMatchObject({ folder: at('pack'), id: 'topic/a#b' });
    expect(parseGivenDiff(at('pack'))).toEqual({ text: at('pack'), folder: at('pack') });
    for (const bad of ['', '#x', `${at('pack')}#`, at('none')])
      expect(() => parseGivenDiff(bad)).toThrow(expect.objectContaining({ code: 'usage/diff-name' }));
  });
});
