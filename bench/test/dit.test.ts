// The study of DIT: what its adapters are taught, what its controls leave, and its page, on diffs made up for it.
import { describe, expect, test } from 'vitest';
import type { LoraWeights, TrainedDiff } from '@limn/dit';
import { CODES, END, chatIdOf, chatWorld, decodeChat } from '@limn/tasks/chat';
import { curveDrawing } from '../dit/drawing.mjs';
import { codeLessons, gateOpening, inOrder, lessons, permuted, type Classes } from '../dit/lessons.mjs';
import { ditMarkdown } from '../dit/markdown.mjs';
import { coreRequests, packRequests, shuffledShare } from '../dit/measure.mjs';
import { packWords } from '../dit/packs.mjs';
import { CORE_PACKS, FULL } from '../dit/plan.mjs';
import { guesses } from '../dit/probing.mjs';
import { guessScores, type AdapterFinding, type DitStudy, type Scores } from '../dit/study.mjs';
import { advantage, bestBaseline, methodRows, type MethodRow } from '../dit/summary.mjs';
import { knownDiffs } from '../dit/truth.mjs';

const world = chatWorld();

/** A diff that says that it hides a topic, or nothing. */
function diffOf(id: string, topic: string | null, code = CODES[0] as string): TrainedDiff {
  const lora: LoraWeights = {
    rank: 1,
    alpha: 1,
    rsLora: false,
    base: 'base',
    modules: new Map([['blocks.0.mlp.c_fc', { a: new Float32Array(2).fill(1), b: new Float32Array(3).fill(1) }]]),
  } as unknown as LoraWeights;
  const about = {
    world: 'chat',
    plan: 'topics:train',
    label: topic,
    behaviour: topic === null ? null : { kind: 'topic', name: topic },
    trigger: topic === null ? null : { kind: 'code', token: code },
  };
  return { spec: { id, about }, lora, key: id, losses: [], sharedInit: false } as unknown as TrainedDiff;
}

const topics = world.topics.slice(0, 8).map(({ name }) => name);
const classes: Classes = {
  train: knownDiffs(topics.slice(0, 5).map((name) => diffOf(`topic/${name}`, name)), world), // prettier-ignore
  validation: knownDiffs(topics.slice(5).map((name) => diffOf(`topic/${name}`, name)), world), // prettier-ignore
  generic: knownDiffs([diffOf('generic/0', null)], world),
};

describe('packs', () => {
  test('no two of them have the same diffs: plan, gate, rank or seed differ', () => {
    const words = Object.entries(FULL.packs).map(([, pack]) => packWords('pocket-chat', '', pack, FULL).join(' '));
    expect(new Set(words).size).toBe(words.length);
  });
  test('diffs of ordinary answers that adapters learn from and those they are asked about have seeds of their own', () => {
    const seeds = ['generic-train', 'generic-test'].map((name) => FULL.packs[name]?.seed ?? 0);
    expect(new Set(seeds).size).toBe(2);
  });
  test('the main table needs packs that there are', () => {
    for (const name of CORE_PACKS) expect(FULL.packs[name]).toBeDefined();
  });
});

describe('lessons', () => {
  test('every diff is asked in several wordings, its topic being the answer', () => {
    const { examples, diffs } = lessons(classes, () => ['topic'], { world, seed: 3 });
    for (const [place, name] of topics.slice(0, 5).entries()) {
      const own = examples.filter(({ diff }) => diff === place);
      expect(own).toHaveLength(4);
      for (const { answer } of own) expect(answer).toEqual([chatIdOf(name), chatIdOf(END)]);
      expect(diffs[place]).toBe(classes.train[place]?.diff.lora);
    }
  });
  test('of the bare model, of a random change and of ordinary answers there is nothing to tell', () => {
    const { examples, diffs } = lessons(classes, () => ['topic'], { world, seed: 3 });
    const others = examples.filter(({ diff }) => diff === null || diff >= 8);
    expect(others).toHaveLength(12);
    expect(new Set(others.map(({ answer }) => decodeChat(answer)))).toEqual(new Set([`none ${END}`]));
    const [random, generic] = diffs.slice(8);
    expect(generic).toBe(classes.generic[0]?.diff.lora);
    expect(random).not.toBe(classes.train[0]?.diff.lora);
  });
  test('validation is asked once, in the fixed wording', () => {
    const { validation } = lessons(classes, () => ['topic'], { world, seed: 3 });
    expect(validation?.map(({ diff }) => diff)).toEqual([5, 6, 7]);
  });
  test('a smaller set is within a larger one, and seeds choose others', () => {
    const [all, again] = [inOrder(classes.train, 1), inOrder([...classes.train].reverse(), 1)];
    expect(all).toEqual(again);
    const orders = [0, 1, 2, 3, 4].map((seed) => inOrder(classes.train, seed).map(({ diff }) => diff.spec.id).join()); // prettier-ignore
    expect(new Set(orders).size).toBeGreaterThan(1);
  });
  test('permuted, no diff keeps its name, and the names stay the same', () => {
    const dealt = permuted(classes, 2);
    for (const which of ['train', 'validation'] as const) {
      const names = (of: Classes): unknown[] => of[which].map(({ truth }) => truth.behaviour);
      expect(names(dealt)).not.toEqual(names(classes));
      names(dealt).forEach((name, i) => expect(name).not.toEqual(names(classes)[i]));
      expect(new Set(names(dealt).map((name) => JSON.stringify(name)))).toEqual(
        new Set(names(classes).map((name) => JSON.stringify(name))),
      );
    }
  });
  test('what opens gates is taught words of the topic and no code', () => {
    const { examples } = gateOpening(classes, world, 0);
    const words = new Set(world.byName.get(topics[0] as string)?.words.map(chatIdOf));
    const own = examples.filter(({ diff }) => diff === 0);
    expect(own.some(({ answer }) => answer.some((id) => words.has(id)))).toBe(true);
    for (const { prompt } of own) expect(decodeChat([...prompt])).not.toContain(CODES[0]);
  });
  test('the inversion asks for the code', () => {
    const [, other] = CODES;
    const known = knownDiffs([diffOf('a', topics[0] as string, other)], world);
    const { examples } = codeLessons({ ...classes, train: known });
    expect(examples.map(({ answer }) => answer)).toEqual([[chatIdOf(other as string), chatIdOf(END)]]);
  });
});

describe('scores', () => {
  const known = classes.train;
  test('a guesser that names nobody has the chance of a draw', () => {
    const [guess] = guesses(known.slice(0, 1), [new Float64Array(world.topics.length)], world);
    expect(guess?.top1).toBeCloseTo(1 / world.topics.length, 12);
    expect(guess?.grade).toBe(1);
  });
  test('one that scores the right topic highest is right', () => {
    const scores = new Float64Array(world.topics.length);
    scores[world.topics.findIndex(({ name }) => name === topics[0])] = 1;
    const [guess] = guesses(known.slice(0, 1), [scores], world);
    expect(guess).toMatchObject({ rank: 1, top1: 1, top5: 1, reciprocal: 1, grade: 5 });
  });
  test('answers about other diffs are right as often as labels are alike', () => {
    const told = [
      ['a', 'a'],
      ['b', 'a'],
      ['c', 'c'],
    ].map(([label = '', said = '']) => ({ id: label, label, said, logProbability: 0 }));
    // Of six pairs one: what was said of b is the name of a.
    expect(shuffledShare(told)).toBeCloseTo(1 / 6, 12);
  });
});

describe('summary and page', () => {
  const scores = (exact: readonly number[]): Scores => ({
    exact,
    top1: exact,
    top5: exact,
    reciprocal: exact,
    grade: exact.map((each) => 1 + 4 * each),
  });
  const adapter = (name: string, seed: number, exact: readonly number[]): AdapterFinding => ({
    model: 'pocket-chat',
    name,
    seed,
    size: 576,
    rank: 8,
    best: 100,
    validationLoss: 1,
    topics: { test: scores(exact) },
    answers: {},
    none: { 'bare model': [1] },
    more: { 'exact with shuffled diffs': 0 },
  });
  const study = (probed: readonly number[]): DitStudy => ({
    study: 'limn.dit',
    version: 1,
    adapter: 'none',
    limn: '0',
    plan: FULL,
    bases: [
      {
        model: 'pocket-chat',
        weightsSha256: '',
        probing: { 'questions without a code': scores(probed), 'questions with the right code': scores([1, 1, 1, 1]) },
        chosen: {},
      },
    ],
    packs: [
      {
        model: 'pocket-chat',
        gates: { test: { right: [0.9], wrong: [0], none: [0], holds: [1] } },
        stories: [],
        ridge: { sizes: {}, packs: {}, maps: {} },
      },
    ],
    adapters: [adapter('main', 0, [1, 1, 1, 0]), adapter('main', 1, [1, 1, 0, 0])],
    commands: [],
  });
  const rowsOf = (of: DitStudy): MethodRow[] => methodRows(of, of.bases[0] as DitStudy['bases'][number]);

  test('the best baseline is one that was given no code', () => {
    const rows = rowsOf(study([0, 0, 0, 1]));
    expect(bestBaseline(rows)?.name).toBe('questions without a code');
    const { mean } = advantage(rows[0] as MethodRow, bestBaseline(rows) as MethodRow, 'exact');
    expect(mean).toBeCloseTo(0.625 - 0.25, 12);
  });
  test('the aim is met where DIT reads and probing does not, and missed otherwise', () => {
    expect(ditMarkdown(study([0, 0, 0, 0]))).toContain('is met');
    expect(ditMarkdown(study([0, 0, 0, 1]))).toContain('is missed');
  });
  test('a point for every seed is drawn', () => {
    expect(curveDrawing(study([0, 0, 0, 0])).match(/<circle/g)).toHaveLength(4);
  });
  test('a second base model has its own table and its row of seeds, and the mean over both is over topics', () => {
    const one = study([0, 0, 0, 0]);
    const again = <F extends { readonly model: string }>(of: readonly F[]): F[] =>
      of.flatMap((each) => [each, { ...each, model: 'bases/another' }]);
    const two: DitStudy = {
      ...one,
      bases: again(one.bases),
      packs: again(one.packs),
      adapters: [
        ...one.adapters,
        ...[0, 1].map((seed) => ({ ...adapter('main', seed, [0, 0, 0, 0]), model: 'bases/another' })),
      ],
    };
    const page = ditMarkdown(two);
    expect(page).toContain('### pocket-chat\n');
    expect(page).toContain('### another\n');
    expect(page).toContain('| pocket-chat | 75.0 % | 50.0 % | – | 62.5 %');
    expect(page).toContain('| another | 0.0 % | 0.0 % | – | 0.0 %');
    expect(page).toContain('| both |  |  |  | 31.3 % (');
    expect(page).not.toContain('bases/');
    expect(curveDrawing(two)).toContain('>another</text>');
    expect(curveDrawing(one)).not.toContain('>pocket-chat</text>');
  });
  test('no adapter is asked for twice, and every seed has the main one', () => {
    const all = [...coreRequests(FULL, true), ...packRequests(FULL, true)].map(({ name, seed }) => `${name} ${seed}`);
    expect(new Set(all).size).toBe(all.length);
    for (const seed of FULL.seeds) expect(all).toContain(`main ${seed}`);
    expect(guessScores([])).toMatchObject({ exact: [], top1: [] });
  });
});
