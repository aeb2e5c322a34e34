// What pocket's MLPs do for two tasks, in features of a set of transcoders: which features and heads carry the answer, found on graphs and paths,
// tried by intervening beside random ones, and how far the graphs predict what happens; writes docs/features.md and its drawings. Finished cases are
// kept in bench/results, and with --work every finished part of one.
// npm run features [-- --transcoders DIR --find 24 --trial 32 --checked 4 --draws 4 --case sva --fresh --work DIR --out DIR --page FILE]
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { openNodeGpu } from '@limn/gpu/node';
import { ablate, blockHook } from '@limn/hooks';
import { wordOf, type Pair } from '@limn/tasks';
import type { Dictionary } from '@limn/transcoders';
import { openModel, openSet, POCKET, transcodersOf, version } from 'limn';
import { whole } from './arguments.mjs';
import { command, WrongArguments } from './command.mjs';
import { agreementFindings } from './features/agreement.mjs';
import { headFindings, lookingFinding } from './features/attention.mjs';
import { caseOf, CASES, contrastOf, type Case, type CaseId } from './features/cases.mjs';
import { describeFeatures } from './features/described.mjs';
import { featureFigures } from './features/found-effects.mjs';
import { featureDrawings } from './features/drawings.mjs';
import { featuresMarkdown } from './features/markdown.mjs';
import { PairRuns } from './features/pair-runs.mjs';
import { graphFindings, promptFinding, type PromptFinding } from './features/prompt-findings.mjs';
import { rankingFindings } from './features/ranking-findings.mjs';
import { gradientScores } from './features/rankings.mjs';
import { stages, type Stage } from './features/stages.mjs';
import type { CaseFinding, FeatureStudy, HeadFinding, ModelFinding } from './features/study.mjs';
import {
  circuitFeatures,
  circuitHeads,
  inTurn,
  isOfCircuit,
  likenessOf,
  ordersOf,
  tryCircuit,
} from './features/trials.mjs';
import { yearCurves } from './features/years.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const USAGE =
  'npm run features [-- --transcoders DIR --find 24 --trial 32 --checked 4 --draws 4 --case sva --fresh --work DIR --out DIR --page FILE]';

await command(
  USAGE,
  {
    options: {
      transcoders: { type: 'string', default: POCKET },
      find: { type: 'string', default: '24' },
      trial: { type: 'string', default: '32' },
      checked: { type: 'string', default: '4' },
      draws: { type: 'string', default: '4' },
      case: { type: 'string', multiple: true, default: [...CASES] },
      fresh: { type: 'boolean', default: false },
      work: { type: 'string' },
      out: { type: 'string', default: RESULTS },
      page: { type: 'string', default: path.join(import.meta.dirname, '../docs/features.md') },
    },
  } as const,
  async ({ values: options }) => {
    const ids = options.case.map(caseName);
    const gpu = await openNodeGpu({ label: 'features' });
    const model = await openModel(gpu, POCKET);
    const set = await openSet(model, options.transcoders);
    const dictionaries = [...transcodersOf(set)].sort((a, b) => a.config.layer - b.config.layer);
    if (dictionaries.length !== model.hooked.info.layers)
      throw new WrongArguments(`${set.folder} has not a transcoder for every layer`);
    const { adapter, source } = gpu.capabilities;
    const header = {
      study: 'limn.features',
      version: 1,
      adapter: adapter.description || adapter.device,
      limn: version,
      model: { name: POCKET, weightsSha256: model.hooked.info.fingerprint },
      transcoders: { sha256: await sha256Of(dictionaries), words: wordsOf(dictionaries) },
      settings: {
        find: whole(options.find),
        trial: whole(options.trial),
        checked: whole(options.checked),
        draws: whole(options.draws),
      },
    } as const;
    const file = path.join(options.out, `features-${adapterName(source, header.adapter)}.json`);
    const kept = options.fresh ? undefined : keptCases(file, header);
    let study: FeatureStudy = { ...header, cases: [] };
    for (const id of CASES) {
      const known = kept?.find((each) => each.id === id);
      const found = known ?? (ids.includes(id) ? await measured(id) : undefined);
      if (!found) continue;
      study = { ...study, cases: [...study.cases, found] };
      save(file, `${JSON.stringify(rounded(study))}\n`);
    }
    const written = rounded(study);
    save(options.page, featuresMarkdown(written));
    for (const [name, svg] of Object.entries(featureDrawings(written)))
      save(path.join(path.dirname(options.page), name), svg);
    console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
    for (const dictionary of dictionaries) dictionary.dispose();
    model[Symbol.dispose]();
    gpu.dispose();
    return 0;

    async function measured(id: CaseId): Promise<CaseFinding> {
      const studied = caseOf(id, header.settings);
      let seconds = 0;
      const stage = stages(options.work, header, (name, took) => {
        seconds += took;
        console.log(`${name}: ${took.toFixed(1)} s`);
      });
      const finding = await studyCase(studied, stage);
      return { ...finding, seconds };
    }

    async function studyCase(studied: Case, stage: Stage): Promise<Omit<CaseFinding, 'seconds'>> {
      const { hooked, show } = model;
      const { id, find, trials } = studied;
      const [tried] = trials as [Case['trials'][number]];
      const asItIs = await stage(`${id} model`, () => modelFinding(tried.pairs));
      using runs = await PairRuns.of(hooked, dictionaries, find);
      const figures = await stage(`${id} effects`, () => featureFigures(runs));
      const gradients = await stage(`${id} gradients`, () => gradientScores(runs));
      const orders = ordersOf(figures, gradients, header.settings.draws);
      const [order = []] = orders.graph;
      const features = await stage(`${id} circuit`, () => circuitFeatures(runs, order));
      const heads = await stage(`${id} heads`, () => headFindings(runs, studied, features));
      const circuit = { features, heads: circuitHeads(heads) };
      console.log(`${id}: ${features.length} features, ${circuit.heads.length} heads`);
      const found = await inTurn(trials, async (trial) => {
        using of = await PairRuns.of(hooked, dictionaries, trial.pairs);
        return await tryCircuit(of, trial, circuit, orders, (name, work) => stage(`${id} ${trial.name} ${name}`, work));
      });
      const example = exampleOf(studied);
      const { up, down } = contrastOf(example);
      const output = `${up.map(wordOf).join(', ')} − ${down.map(wordOf).join(', ')}`;
      const prompts = [example, ...find.filter((pair) => pair !== example)].slice(0, header.settings.checked);
      const graphs = await inTurn([...prompts.entries()], ([seed, pair]) =>
        stage(`${id} graph ${seed}`, () =>
          promptFinding(hooked, dictionaries, pair, { features, seed, drawn: pair === example, show, output }),
        ),
      );
      const [{ shown }] = graphs as [PromptFinding];
      if (!shown) throw new Error('the first prompt is the one that is drawn');
      const described = await stage(`${id} features`, () => describeFeatures(runs, studied, features, figures, show));
      const checks = graphs.map(({ check }) => check);
      return {
        id,
        find: find.length,
        model: asItIs,
        example: {
          text: example.cleanText,
          corrupted: example.corruptedText,
          up: up.map(wordOf),
          down: down.map(wordOf),
        },
        ...shown,
        graphs: graphFindings(graphs.map(({ scores }) => scores)),
        features: described,
        heads,
        circuitHeads: circuit.heads.map(({ layer, unit }) => ({ layer, head: unit })),
        rankings: rankingFindings(orders, features.length),
        likeness: {
          active: likenessOf(features, orders['random, as active'], figures.activation),
          changing: likenessOf(features, orders['random, as changing'], figures.change),
        },
        trials: found,
        agreement: agreementFindings(checks),
        points: checks.flatMap(({ points }) => points),
        frozen: Math.max(...checks.map(({ frozen }) => frozen)),
        ...(id === 'greater-than'
          ? { years: await stage(`${id} years`, () => yearCurves(runs, studied, described, heads.filter(isOfCircuit))) }
          : {}),
        ...(studied.distractor === undefined
          ? {}
          : {
              looking: await stage(`${id} looking`, () =>
                lookingFinding(hooked, dictionaries, studied, strongestBehind(heads)),
              ),
            }),
      };
    }

    /** The model on held-out pairs: as it is, with MLPs replaced, and without them. */
    async function modelFinding(pairs: Case['trials'][number]['pairs']): Promise<ModelFinding> {
      using runs = await PairRuns.of(model.hooked, dictionaries, pairs);
      return {
        metric: runs.metric,
        replaced: {
          all: await runs.under(
            'clean',
            dictionaries.map((dictionary) => dictionary.replacement()),
          ),
          layers: await inTurn(dictionaries, (dictionary) => runs.under('clean', [dictionary.replacement()])),
        },
        zeroed: await inTurn(dictionaries, ({ config }) =>
          runs.under('clean', [ablate(blockHook(config.layer, 'hook_mlp_out'), 'zero')]),
        ),
      };
    }
  },
);

function caseName(text: string): CaseId {
  const found = CASES.find((id) => id === text);
  if (found) return found;
  throw new WrongArguments(`--case is one of ${CASES.join(', ')}, not ${text}`);
}

/** Cases of an earlier run with the same set, model and settings. */
function keptCases(file: string, header: Omit<FeatureStudy, 'cases'>): readonly CaseFinding[] | undefined {
  if (!existsSync(file)) return undefined;
  const { cases, ...others } = JSON.parse(readFileSync(file, 'utf8')) as FeatureStudy;
  return JSON.stringify(others) === JSON.stringify(header) ? cases : undefined;
}

async function sha256Of(dictionaries: readonly Dictionary[]): Promise<string> {
  const hash = createHash('sha256');
  for (const dictionary of dictionaries)
    for (const values of Object.values(await dictionary.weights())) hash.update(values as Float32Array);
  return hash.digest('hex');
}

function wordsOf(dictionaries: readonly Dictionary[]): string {
  const [{ config }] = dictionaries as readonly [Dictionary];
  const { features, activation } = config;
  const k = 'k' in activation ? ` of ${activation.k}` : '';
  return `${features} features a layer, ${activation.kind}${k}`;
}

/** The prompt that is drawn: of greater-than a start in the middle, of agreement one with an attractor of the other number. */
function exampleOf({ id, find }: Case): Pair {
  const found = find.find(({ labels }) =>
    id === 'greater-than'
      ? Math.abs(Number(labels['start']) - 40) <= 10
      : labels['opposed'] === 'true' && labels['attractors'] === '1',
  );
  return found ?? (find[0] as Pair);
}

/** The head behind layer 0 that loses most by itself. */
function strongestBehind(heads: readonly HeadFinding[]): HeadFinding {
  return heads.filter(({ layer }) => layer > 0).reduce((best, each) => (each.lost > best.lost ? each : best));
}

/** Numbers to six digits: the file is read by people too. */
function rounded(study: FeatureStudy): FeatureStudy {
  return JSON.parse(
    JSON.stringify(study, (_, value: unknown) =>
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value,
    ),
  ) as FeatureStudy;
}
