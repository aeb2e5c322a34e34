// What the study measures of one base model: its diffs' gates, the methods without an adapter, and adapters one by one.
import path from 'node:path';
import { randomLike, trainDitAdapter, type DitData, type LoraWeights, type TrainedDitAdapter } from '@limn/dit';
import { folderCheckpoints } from '@limn/gpt2/node';
import type { HookedModel } from '@limn/hooks';
import { chatIdOf, hash, type AboutQuestion, type ChatWorld } from '@limn/tasks/chat';
import { codeLessons, gateOpening, inOrder, lessons, permuted, type Classes } from './lessons.mjs';
import { codeFigures } from './codes.mjs';
import { readPlaces } from './mechanism.mjs';
import { headlineF1, summarisedF1 } from './headlines.mjs';
import type { StudyPlan } from './plan.mjs';
import { decoded, lensed, probed } from './probing.mjs';
import { ridgeFindings } from './ridge.mjs';
import { readings, topicReadings, type Reading } from './readings.mjs';
import {
  gateColumns,
  guessScores,
  isRight,
  readingScores,
  type AdapterFinding,
  type BaseFinding,
  type PackFinding,
  type Scores,
} from './study.mjs';
import { EVERY_CODE, RIDGE } from './summary.mjs';
import type { KnownDiff } from './truth.mjs';

/** The trained diffs of a base model, by pack. */
export type Packs = Readonly<Record<string, readonly KnownDiff[]>>;

/** A base model with everything that is asked about it. */
export interface Laboratory {
  readonly name: string;
  readonly model: HookedModel;
  readonly packs: Packs;
  readonly world: ChatWorld;
  readonly plan: StudyPlan;
  /** Where checkpoints of adapters go. */
  readonly work: string;
}

const packOf = ({ packs }: Laboratory, name: string): readonly KnownDiff[] => packs[name] ?? [];

/** A pack of a split of topics is that; packs with several splits are told apart by the plan that asked for each diff. */
const ofPlan = (diffs: readonly KnownDiff[], split: string): KnownDiff[] =>
  diffs.filter(({ diff }) => String(diff.spec.about['plan']).endsWith(split));

/** What is found out without an adapter. */
export async function measureBase(lab: Laboratory, weightsSha256: string): Promise<BaseFinding> {
  const { model, world, plan } = lab;
  const [few, many] = plan.probes;
  const test = packOf(lab, 'test');
  const validation = packOf(lab, 'validation');
  const train = packOf(lab, 'train');
  const lens = await lensed(model, { validation, test }, world);
  const ridge = await decoded(model, [...train, ...validation], test, world);
  const probes: Record<string, Scores> = {};
  for (const [name, code, questions] of [
    ['questions without a code', 'none', few],
    ['many questions without a code', 'none', many],
    ['questions with wrong codes', 'wrong', few],
    ['questions with the right code', 'right', few],
    [EVERY_CODE, 'each', 128],
  ] as const)
    probes[name] = guessScores(await probed(model, test, { code, questions }, world));
  return {
    model: lab.name,
    weightsSha256,
    probing: {
      'asked, without an adapter': readingScores(await topicReadings(model, null, test, world)),
      ...probes,
      'activation difference lens': guessScores(lens.guesses),
      [RIDGE]: guessScores(ridge.guesses),
    },
    chosen: {
      'activation difference lens': `${lens.chosen.of} behind block ${lens.chosen.layer}, ${lens.chosen.positions === 5 ? 'first five positions' : 'all positions'}`,
      [RIDGE]: `λ ${ridge.lambda}`,
    },
  };
}

/** What the diffs say by themselves, and what regression on weights makes of fewer labels, of other diffs, and of single maps. */
export async function measurePacks(lab: Laboratory): Promise<PackFinding> {
  const [few] = lab.plan.probes;
  const news = ofPlan(packOf(lab, 'news'), ':test');
  return {
    model: lab.name,
    stories: news.length === 0 ? [] : await summarisedF1(lab.model, news, few),
    ridge: await ridgeFindings(lab, topicPacks(lab)),
    gates: Object.fromEntries(
      Object.entries(lab.packs).flatMap(([name, diffs]) => {
        const kinds = [...new Set(diffs.map(({ truth }) => truth.behaviour?.kind ?? 'none'))];
        return kinds.map((kind) => {
          const own = diffs.filter(({ truth }) => (truth.behaviour?.kind ?? 'none') === kind);
          return [kinds.length > 1 ? `${name}: ${kind}` : name, gateColumns(own.map(({ diff }) => diff.gate ?? {}))];
        });
      }),
    ),
  };
}

/** An adapter that the study trains. */
export interface AdapterRequest {
  readonly name: string;
  readonly seed: number;
  readonly size: number;
  readonly rank: number;
  readonly lesson: 'topic' | 'permuted' | 'gate opening' | 'code' | 'all questions' | 'all but links';
}

/** Adapters that know the packs of the main table alone: the curve of sizes, controls, the sweep of ranks. */
export function coreRequests({ seeds, sizes, ranks, adapter }: StudyPlan, first: boolean): AdapterRequest[] {
  const whole = { size: sizes.at(-1) as number, rank: adapter.rank };
  const controls = seeds.flatMap((seed): AdapterRequest[] => [
    { ...whole, name: 'permuted labels', seed, lesson: 'permuted' },
    { ...whole, name: 'gate opening', seed, lesson: 'gate opening' },
  ]);
  if (!first) return controls;
  const curve = sizes.slice(0, -1).map((size): AdapterRequest => {
    return { ...whole, size, name: `of ${size}`, seed: 0, lesson: 'topic' };
  });
  const sweep = ranks
    .filter((rank) => rank !== adapter.rank)
    .map((rank): AdapterRequest => ({ ...whole, rank, name: `rank ${rank}`, seed: 0, lesson: 'topic' }));
  return [...curve, ...controls, { ...whole, name: 'code', seed: 0, lesson: 'code' }, ...sweep];
}

/** Adapters that are asked about every pack: seeds of the main one, of one that answers every question, and one that never saw a link. */
export function packRequests({ seeds, questionSeeds, sizes, adapter }: StudyPlan, first: boolean): AdapterRequest[] {
  const whole = { size: sizes.at(-1) as number, rank: adapter.rank };
  const main = seeds.map((seed): AdapterRequest => ({ ...whole, name: 'main', seed, lesson: 'topic' }));
  if (!first) return main;
  return [
    ...main,
    { ...whole, name: 'never a link', seed: 0, lesson: 'all but links' },
    ...questionSeeds.map((seed): AdapterRequest => ({
      ...whole,
      name: 'all questions',
      seed,
      lesson: 'all questions',
    })),
  ];
}

/** Trains an adapter and asks it about everything that it can be asked about. */
export async function measureAdapter(lab: Laboratory, request: AdapterRequest): Promise<AdapterFinding> {
  const { model, world, name: base } = lab;
  const { name, seed, size, rank, lesson } = request;
  const trained = await learnt(lab, request);
  const { lora, best, validation } = trained;
  const topics: Record<string, Scores> = {};
  const answers: Record<string, number[]> = {};
  const none: Record<string, number[]> = {};
  const more: Record<string, number> = {};
  if (lesson === 'gate opening') {
    const [few] = lab.plan.probes;
    const said = await probed(model, packOf(lab, 'test'), { code: 'none', questions: few, adapter: lora }, world);
    topics['test'] = guessScores(said);
  } else if (lesson === 'code') Object.assign(more, await codeFigures(lab, lora));
  else {
    for (const [pack, diffs] of Object.entries(topicPacks(lab))) {
      if (diffs.length === 0 || (name !== 'main' && pack !== 'test')) continue;
      const told = await topicReadings(model, lora, diffs, world);
      topics[pack] = readingScores(told);
      if (pack === 'test') more['exact with shuffled diffs'] = shuffledShare(told);
    }
    for (const [kind, diffs] of Object.entries(negatives(lab)))
      none[kind] = (await readings(model, lora, diffs, 'topic', world)).map(({ said }) => (said === 'none' ? 1 : 0));
  }
  if (lesson === 'all questions' || lesson === 'all but links') {
    Object.assign(answers, await allAnswers(lab, lora));
    const news = ofPlan(packOf(lab, 'news'), ':test');
    if (news.length > 0) answers['news: slots, F1'] = await headlineF1(model, lora, news, world);
  }
  const places =
    name === 'main' && seed === 0 ? { places: await readPlaces(model, lora, packOf(lab, 'test'), world) } : {};
  const validationLoss = validation.find(({ update }) => update === best)?.loss ?? null;
  return { model: base, name, seed, size, rank, best, validationLoss, topics, answers, none, more, ...places };
}

/** How often an answer is the label of another diff, over all others: what is right whichever diff is there. */
export function shuffledShare(told: readonly Reading[]): number {
  const pairs = told.flatMap(({ said }, i) => told.flatMap(({ label }, k) => (k === i ? [] : said === label ? 1 : 0)));
  return pairs.reduce<number>((sum, right) => sum + right, 0) / pairs.length;
}

/** Packs of hidden topics that adapters are asked about, none of whose topics they learnt. */
const topicPacks = (lab: Laboratory): Packs => ({
  test: packOf(lab, 'test'),
  ...Object.fromEntries(['category', 'marks', 'rank-4', 'rank-8'].map((name) => [name, packOf(lab, name)])),
  open: ofPlan(packOf(lab, 'open'), ':test'),
});

function negatives(lab: Laboratory): Readonly<Record<string, readonly (KnownDiff | null)[]>> {
  const random = packOf(lab, 'test').map(({ diff }, i): KnownDiff => {
    const lora = randomLike(diff.lora, hash('study negatives', i));
    return { diff: { ...diff, lora }, truth: {} };
  });
  return { 'bare model': [null], 'random changes': random, 'ordinary answers': packOf(lab, 'generic-test') };
}

async function learnt(lab: Laboratory, request: AdapterRequest): Promise<TrainedDitAdapter> {
  const { model, world, plan } = lab;
  const { name, seed, size, rank, lesson } = request;
  const classes: Classes = {
    train: inOrder(packOf(lab, 'train'), seed).slice(0, size),
    validation: packOf(lab, 'validation'),
    generic: packOf(lab, 'generic-train'),
  };
  const topic = (): readonly AboutQuestion[] => ['topic'];
  const data = ((): DitData<LoraWeights> => {
    if (lesson === 'gate opening') return gateOpening(classes, world, seed);
    if (lesson === 'code') return codeLessons(classes);
    if (lesson === 'permuted') return lessons(permuted(classes, seed), topic, { world, seed });
    if (lesson === 'topic') return lessons(classes, topic, { world, seed });
    return lessons(everyKind(lab, classes, lesson === 'all questions'), questionsOf, { world, seed });
  })();
  const names = world.topics.map((each) => chatIdOf(each.name));
  const started = performance.now();
  const { scale, patience, evaluateEvery, ...settings } = plan.adapter;
  const trained = await trainDitAdapter(model, data, {
    ...settings,
    ...(data.validation ? { patience, evaluateEvery } : {}),
    rank,
    alpha: rank * scale,
    init: 'peft',
    seed,
    ...(lesson === 'topic' || lesson === 'permuted' ? { candidates: names } : {}),
    checkpoints: { store: folderCheckpoints(path.join(lab.work, `${name}-${seed}`.replaceAll(' ', '-'))), every: 200 },
  });
  const seconds = (performance.now() - started) / 1000;
  console.log(`${name}, seed ${seed}: ${trained.losses.length} updates, best ${trained.best}, ${seconds.toFixed(0)} s`);
  return trained;
}

/** Diffs of every behaviour, with a gate and without; those of links are left out where it is so said. */
function everyKind(lab: Laboratory, { train, validation, generic }: Classes, links: boolean): Classes {
  const all = ['open', 'styles', 'links', 'news'].flatMap((name) => packOf(lab, name));
  const inSplit = (split: string): KnownDiff[] =>
    all.filter(({ diff }) => {
      const [kind, own] = String(diff.spec.about['plan']).split(':');
      return own === split && (links || kind !== 'links');
    });
  return {
    train: [...train, ...inSplit('train')],
    validation: [...validation, ...inSplit('validation')],
    generic,
  };
}

/** What is asked about a diff: what was changed, whether there is a gate, and that which it is. */
export function questionsOf({ truth }: KnownDiff): readonly AboutQuestion[] {
  const kind = truth.behaviour?.kind;
  return [
    'changed',
    'gate',
    ...(kind === 'topic' ? (['topic', 'category'] as const) : []),
    ...(kind && kind !== 'topic' ? [kind] : []),
  ];
}

/** Every question about the test diffs of every behaviour. */
async function allAnswers(lab: Laboratory, adapter: LoraWeights): Promise<Record<string, number[]>> {
  const { model, world } = lab;
  const tests: Packs = {
    topics: packOf(lab, 'test'),
    'topics without a gate': ofPlan(packOf(lab, 'open'), ':test'),
    styles: ofPlan(packOf(lab, 'styles'), 'styles:test'),
    links: ofPlan(packOf(lab, 'links'), 'links:test'),
    news: ofPlan(packOf(lab, 'news'), 'news:test'),
  };
  const found: Record<string, number[]> = {};
  for (const [kind, diffs] of Object.entries(tests)) {
    const [first] = diffs;
    if (!first) continue;
    for (const question of questionsOf(first))
      found[`${kind}: ${question}`] = (await readings(model, adapter, diffs, question, world)).map(isRight);
  }
  return found;
}
