// What steering does on pocket's conflicts and IOI, on prompts about things that were never seen: learnt scales, vectors and probes beside what needs no
// learning, over several seeds and every model that is given; writes docs/steering.md. Goes on where it stopped: every finished task, seed and model
// is kept in bench/results.
// npm run steering [-- --model pocket --model DIR --updates 150 --examples 380 --seed 0 … --task ioi-abba --out DIR --page FILE]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import type { HookedModel } from '@limn/hooks';
import {
  candidateFigures,
  chooseCandidate,
  evaluateSteering,
  minimalityOf,
  splitByEntity,
  UNTOUCHED,
  type ChosenCandidate,
  type EntitySplit,
  type SteeringCandidate,
  type SteeringExample,
} from '@limn/steering';
import { steeringExamples } from '@limn/tasks';
import { openModel, POCKET, version } from 'limn';
import { whole } from './arguments.mjs';
import { keptStudy, onTheseWeights, wanted } from './kept-study.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';
import { candidates } from './steering/candidates.mjs';
import { learn, tableOf, type LearntCandidate, type LearntRow } from './steering/learnt.mjs';
import { steeringMarkdown } from './steering/markdown.mjs';
import { restricted } from './steering/restriction.mjs';
import {
  STUDY_TASKS,
  type LengthFinding,
  type RowFinding,
  type Study,
  type StudyRow,
  type StudyTask,
  type TaskFinding,
} from './steering/study.mjs';

const { values: options } = parseArgs({
  options: {
    updates: { type: 'string', default: '150' },
    examples: { type: 'string' },
    most: { type: 'string', default: '100' },
    seed: { type: 'string', multiple: true, default: ['0', '1', '2', '3', '4'] },
    task: { type: 'string', multiple: true, default: Object.keys(STUDY_TASKS) },
    model: { type: 'string', multiple: true, default: [POCKET] },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/steering.md') },
  },
});
const tasks = (Object.keys(STUDY_TASKS) as StudyTask[]).filter((task) => options.task.includes(task));
if (tasks.length < new Set(options.task).size)
  throw new Error(`a task is one of ${Object.keys(STUDY_TASKS).join(', ')}`);
const most = whole(options.most);
/** Distinct prompts of a task: all conflicts there are, and as many of the others as leave some hundred with all of their names in one part. */
const count = (task: StudyTask): number =>
  options.examples === undefined
    ? { 'country-capital-conflict': 380, 'ioi-abba': 1200 }[task]
    : whole(options.examples);

/** Lengths that DynScalar is not learnt at. */
const UNSEEN = [
  [28, 30],
  [36, 38],
] as const;
const isUnseen = (length: number): boolean => UNSEEN.some(([from, to]) => length >= from && length <= to);

/** p(c) + p(w) from which an untouched model is sure that the answer is one of the two. */
const SURE = 0.9;

const gpu = await openNodeGpu({ label: 'steering' });
const { adapter, source } = gpu.capabilities;
const header = {
  study: 'limn.steering',
  version: 3,
  adapter: adapter.description || adapter.device,
  limn: version,
  updates: whole(options.updates),
} as const;
const file = path.join(options.out, `steering-${adapterName(source, header.adapter)}.json`);
const seeds = options.seed.map(whole);
const kept = keptStudy<Study>(file, header);
let study: Study = {
  ...header,
  seeds,
  models: [],
  findings: wanted(kept?.findings, { models: options.model, seeds }),
};

for (const name of options.model) {
  const model = await openModel(gpu, name);
  const own = { name, weightsSha256: model.hooked.info.fingerprint };
  study = { ...study, models: [...study.models, own], findings: onTheseWeights(study.findings, kept, own) };
  for (const seed of study.seeds)
    for (const task of tasks) {
      if (study.findings.some((each) => each.model === name && each.task === task && each.seed === seed)) continue;
      const started = performance.now();
      const finding = await measure(name, model.hooked, task, seed);
      study = { ...study, findings: [...study.findings, finding] };
      save(file, `${JSON.stringify(study, undefined, 1)}\n`);
      console.log(`${name}, ${task}, seed ${seed}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
    }
  model[Symbol.dispose]();
}
save(file, `${JSON.stringify(study, undefined, 1)}\n`);
save(options.page, steeringMarkdown(study));
console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
gpu.dispose();

/** Every row, the restrictions and the lengths of one task under one seed. */
async function measure(model: string, hooked: HookedModel, task: StudyTask, seed: number): Promise<TaskFinding> {
  const dealt = splitByEntity(steeringExamples(task, { seed, n: count(task), split: 'all' }), {
    seed,
    train: 0.5,
    validation: 0.25,
  });
  // The most frequent length of a task: values by place need one.
  const split = ofOneLength(dealt);
  const settings = { updates: header.updates, seed };
  const untouched = await evaluateSteering(hooked, UNTOUCHED, split.test, { strengths: [0] });
  const sure = split.test.filter((_, i) => (untouched[i]?.outcomes[0]?.untouchedMass ?? 0) >= SURE);
  const choose = async (settled: readonly SteeringCandidate[]) => {
    const chosen = await chooseCandidate(hooked, settled, split.validation);
    return { ...chosen, finding: await rowOf(hooked, split, sure, chosen) };
  };
  const learnt = (row: LearntRow, of = split): Promise<LearntCandidate[]> => learn(hooked, of, row, settings);
  const scalars = await choose(await learnt('ActivScalar'));
  const probes = await choose(
    await learnt('DynScalar', { ...split, train: [...split.train, ...longer(task, seed, split.train)] }),
  );
  const rows: Partial<Record<StudyRow, RowFinding>> = {
    ActivScalar: scalars.finding,
    'ActivScalar, by head': (await choose(await learnt('ActivScalar, by head'))).finding,
    SteerVec: (await choose(await learnt('SteerVec'))).finding,
    DynScalar: probes.finding,
  };
  const request = {
    model: hooked,
    task,
    split,
    positions: tableOf(split),
    scalars: (scalars.candidate as LearntCandidate).values,
  };
  for (const [row, settled] of Object.entries(await candidates(request)))
    rows[row as StudyRow] = (await choose(settled)).finding;
  const { heads, mlps, circuit, random } = await restricted(hooked, task, split, settings);
  return {
    model,
    task,
    seed,
    prompts: {
      train: split.train.length,
      validation: split.validation.length,
      test: split.test.length,
      sure: sure.length,
    },
    rows,
    restriction: { heads, mlps, circuit: (await choose(circuit)).finding, random: (await choose(random)).finding },
    lengths: await lengths(hooked, task, seed, split, probes),
    untouchedDeltas: untouched.map(({ untouchedDelta }) => untouchedDelta),
  };
}

/** What was chosen on validation prompts, measured on the other parts. */
async function rowOf(
  model: HookedModel,
  { train, test }: EntitySplit,
  sure: readonly SteeringExample[],
  { candidate, scale, validation }: ChosenCandidate,
): Promise<RowFinding> {
  const on = (part: readonly SteeringExample[]) => candidateFigures(model, candidate, scale, part);
  const figures = candidate.values && minimalityOf(model.info, candidate.values);
  const free = candidate.values?.spec.method.kind === 'dyn-scalar';
  return {
    train: await on(train),
    validation,
    test: await on(test),
    ...(sure.length > 0 ? { sure: await on(sure) } : {}),
    chosen: { ...candidate.chosen, ...(candidate.values ? { strength: scale } : {}) },
    parameters: figures?.parameters ?? 0,
    ...(figures && !free ? { live: figures.live, nonZero: figures.nonZero } : {}),
  };
}

/** Prompts behind one other document, about what some examples are about. */
function behindOthers(task: StudyTask, seed: number, of: readonly SteeringExample[]): SteeringExample[] {
  const about = new Set(of.flatMap(({ entities }) => entities ?? []));
  const drawn = steeringExamples(task, { seed, n: 2000, split: 'all', prefixDocuments: 1 });
  return drawn.filter(({ entities }) => entities.every((entity) => about.has(entity)));
}

/** Longer prompts to learn from, none of an unseen length: as many as there are short ones. */
function longer(task: StudyTask, seed: number, train: readonly SteeringExample[]): SteeringExample[] {
  return behindOthers(task, seed, train)
    .filter(({ prompt }) => !isUnseen(prompt.length))
    .slice(0, train.length);
}

/** Test prompts as they are, and behind another document at the two lengths that were not learnt. */
async function lengths(
  model: HookedModel,
  task: StudyTask,
  seed: number,
  { test }: EntitySplit,
  { candidate, scale }: ChosenCandidate,
): Promise<LengthFinding[]> {
  const long = behindOthers(task, seed, test);
  const parts = [
    { learnt: true, examples: test },
    ...UNSEEN.map(([from, to]) => ({
      learnt: false,
      examples: long.filter(({ prompt }) => prompt.length >= from && prompt.length <= to).slice(0, most),
    })),
  ];
  const found: LengthFinding[] = [];
  for (const { learnt, examples } of parts) {
    if (examples.length === 0) continue;
    const figures = await candidateFigures(model, candidate, scale, examples);
    const sizes = examples.map(({ prompt }) => prompt.length);
    found.push({
      learnt,
      shortest: Math.min(...sizes),
      longest: Math.max(...sizes),
      prompts: examples.length,
      figures,
    });
  }
  return found;
}

/** The examples of the most frequent length, at most so many of a part. */
function ofOneLength({ train, validation, test, mixed }: EntitySplit): EntitySplit {
  const counts = new Map<number, number>();
  for (const { prompt } of train) counts.set(prompt.length, (counts.get(prompt.length) ?? 0) + 1);
  const [length] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] as [number, number];
  const some = (part: readonly SteeringExample[]) =>
    part.filter(({ prompt }) => prompt.length === length).slice(0, most);
  return { train: some(train), validation: some(validation), test: some(test), mixed };
}
