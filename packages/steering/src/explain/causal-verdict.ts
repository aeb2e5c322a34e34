// Whether learnt steering explains anything: what its cells are enough and needed for, against controls that only look like it.
import { LimnError } from '@limn/gpu';
import { bootstrapMean, drawAgain, type HookedModel, type Interval, type RunControls } from '@limn/hooks';
import { randomU32 } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { Steering, type SteeringValues } from '../steering.js';
import { steererOf } from '../steerer.js';
import {
  meanOf,
  measureControls,
  measureRandomVectors,
  shiftOf,
  type ControlDraws,
  type ControlSettings,
  type CurvePoint,
} from './causal-controls.js';
import { cellGrid, type CellGrid } from './cell-grid.js';
import { compareGrids, type GridAgreement } from './compare-grids.js';
import { expectCells } from './live-cells.js';
import { differencesAt, measureCandidates } from './measure-candidates.js';
import { offTaskFigures, type ControlPrompt, type OffTaskFigures } from './off-task.js';
import { offTaskPerplexity, type PerplexityFigures } from './perplexity.js';
import { selectionStability, STABLE, type SelectionStability } from './selection-stability.js';

/** Learns values from examples as those of the verdict were learnt; the seed is that of the draw. */
export type Refit = (examples: readonly SteeringExample[], seed: number) => Promise<SteeringValues>;

/** What to compare with, and how often. */
export interface CausalVerdictOptions extends RunControls {
  /** β: effects are Δ_{+β} − Δ_{−β}. Default 1. */
  readonly strength?: number | undefined;
  /** m in logits: both ways are reached where Δ_{+β} > m and Δ_{−β} < −m. Default 0. */
  readonly margin?: number | undefined;
  /** Of each control. Default 20, the least whose p can be below .05. */
  readonly draws?: number | undefined;
  /** Default 0. The same seed draws the same controls on every machine. */
  readonly seed?: number | undefined;
  /** Numbers of cells of the curves. Default 1, 2, 4, … and all. */
  readonly sizes?: readonly number[] | undefined;
  /** Other examples by name: other names, another template. */
  readonly transfer?: Readonly<Record<string, readonly SteeringExample[]>> | undefined;
  /** Prompts of no task. */
  readonly controls?: readonly ControlPrompt[] | undefined;
  /** Values learnt from examples drawn again; or `refit`, which learns them. */
  readonly refits?: readonly SteeringValues[] | undefined;
  readonly refit?: Refit | undefined;
  /** What `refit` draws from. Default: the examples of the verdict. */
  readonly training?: readonly SteeringExample[] | undefined;
  /** How many refits to learn. Default 20. */
  readonly bootstraps?: number | undefined;
  /** Other measures of the same cells. */
  readonly grids?: readonly CellGrid[] | undefined;
}

/** An effect on some examples. */
export interface MeasuredEffect {
  readonly examples: number;
  /** Mean Δ_{+β} − Δ_{−β} in logits. */
  readonly effect: number;
  /** Over examples, percentile bootstrap; null for one example. */
  readonly ci95: Interval | null;
  /** Share of examples with Δ_{+β} > m and Δ_{−β} < −m. */
  readonly twoWay: number;
}

/** A pair of tokens drawn at random in the place of the answers. */
export interface PlaceboFigures {
  readonly answers: readonly [correct: number, wrong: number];
  /** The effect of the values on the pair: near 0 where they are about the answers. */
  readonly onPlacebo: number;
  /** The effect on the answers themselves of values learnt for the pair; null without `refit`. */
  readonly ofPlaceboFit: number | null;
}

/** The verdict. Plain data: it survives JSON. */
export interface CausalVerdict extends MeasuredEffect {
  readonly strength: number;
  readonly margin: number;
  readonly seed: number;
  /** Live cells that are not 0, of the live cells. */
  readonly kept: number;
  readonly live: number;
  readonly sufficiency: readonly CurvePoint[];
  readonly necessity: readonly CurvePoint[];
  /** The least number of cells of the curve that have .9 of the effect; null where none has. */
  readonly cellsFor90: number | null;
  /** Of the permutation control. */
  readonly pPerm: number;
  readonly permutation: ControlDraws;
  readonly signShuffle: ControlDraws;
  readonly randomVectors: ControlDraws;
  readonly placebo: PlaceboFigures;
  readonly transfer: Readonly<Record<string, MeasuredEffect>>;
  /** null without refits. */
  readonly stability: SelectionStability | null;
  /** null without control prompts. */
  readonly offTask: OffTaskFigures | null;
  /** Of the same prompts as texts; null without controls, and where one is a single token, which predicts nothing. */
  readonly perplexity: PerplexityFigures | null;
  readonly agreement: readonly GridAgreement[];
  /** Whether p < .05 and at least half of the kept cells are stable. */
  readonly supported: boolean;
  /** Why it is not. */
  readonly because: readonly string[];
}

/** Streams of the placebo pair and of the refits' seeds. */
const [PLACEBO, REFITS] = [2 ** 19, 2 ** 20] as const;

/**
 * Runs the whole suite on examples that the values were not learnt from. All sets of equal numbers are rows of the same batches.
 * @throws LimnError `usage/steering-…` (`method`: values that belong to no cell), `data/steering-…`, `usage/top-k`, `memory/over-budget`,
 * `usage/batch-size`, `usage/memory`, and what `refit` throws; AbortedError
 */
export async function causalVerdict(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  options: CausalVerdictOptions = {},
): Promise<CausalVerdict> {
  const { strength = 1, margin = 0, draws = 20, seed = 0, sizes, bootstraps = 20, ...given } = options;
  checkExamples(examples, model.info);
  const settings: ControlSettings = { strength, draws, seed, sizes };
  checkSettings(settings, bootstraps);
  const cells = expectCells(model.info, values, examples);
  const controls: RunControls = {
    signal: given.signal,
    onProgress: given.onProgress,
    batchSize: given.batchSize,
    memoryBytes: given.memoryBytes,
  };
  const main = await measureControls(model, examples, values, cells, settings, controls);
  const own = effectOf(main, margin, seed);
  const randomVectors = await measureRandomVectors(model, examples, values, own.effect, settings, controls);
  const transfer: Record<string, MeasuredEffect> = {};
  for (const [name, others] of Object.entries(given.transfer ?? {})) {
    const measured = await measureCandidates(model, [() => values], others, [strength, -strength], controls);
    transfer[name] = effectOf({ up: differencesAt(measured, 0, 0), down: differencesAt(measured, 0, 1) }, margin, seed);
  }
  const placebo = await measurePlacebo(model, examples, values, settings, given, controls);
  const refits = given.refits ?? (await learnAgain(given.training ?? examples, given.refit, bootstraps, seed));
  const stability = refits.length === 0 ? null : selectionStability(model.info, values, cells, refits);
  const because = reasons(main.permutation, stability);
  const grid = (given.grids ?? []).length > 0 ? cellGrid(model.info, values, { examples }) : undefined;
  return {
    ...own,
    strength,
    margin,
    seed,
    kept: cells.filter(({ live, value }) => live && value !== 0).length,
    live: cells.filter(({ live }) => live).length,
    sufficiency: main.sufficiency,
    necessity: main.necessity,
    cellsFor90: main.sufficiency.find(({ share }) => share !== null && share >= 0.9)?.cells ?? null,
    pPerm: main.permutation.p,
    permutation: main.permutation,
    signShuffle: main.signShuffle,
    randomVectors,
    placebo,
    transfer,
    stability,
    ...(await measureOffTask(model, values, given.controls ?? [], strength, controls)),
    agreement: grid ? (given.grids ?? []).map((other) => compareGrids(grid, other)) : [],
    supported: because.length === 0,
    because,
  };
}

/** @throws LimnError `usage/steering-option` */
function checkSettings({ strength, draws, sizes = [] }: ControlSettings, bootstraps: number): void {
  const whole = (value: number): boolean => Number.isInteger(value) && value >= 1;
  if (Number.isFinite(strength) && strength !== 0 && [draws, bootstraps, ...sizes].every(whole)) return;
  throw new LimnError(
    'usage/steering-option',
    'A verdict needs a strength that is not 0 and whole numbers of draws, refits and cells.',
    {
      details: { strength, draws, bootstraps },
      hint: 'Twenty draws are the least whose p can be below .05.',
    },
  );
}

function effectOf(
  { up, down }: { readonly up: Float64Array; readonly down: Float64Array },
  margin: number,
  seed: number,
): MeasuredEffect {
  const shifts = up.map((value, n) => value - (down[n] as number));
  const both = up.filter((value, n) => value > margin && (down[n] as number) < -margin).length;
  return { examples: up.length, effect: meanOf(shifts), ci95: bootstrapMean(shifts, seed), twoWay: both / up.length };
}

/** Two different tokens that are nobody's answer. */
function placeboAnswers(
  vocabulary: number,
  examples: readonly SteeringExample[],
  seed: number,
): readonly [number, number] {
  const taken = new Set(examples.flatMap(({ correct, wrong }) => [correct, wrong]));
  const free = Array.from({ length: vocabulary }, (_, id) => id).filter((id) => !taken.has(id));
  const from = free.length >= 2 ? free : Array.from({ length: vocabulary }, (_, id) => id);
  const first = Math.floor((randomU32(seed, PLACEBO, 0) / 2 ** 32) * from.length);
  const second = Math.floor((randomU32(seed, PLACEBO, 1) / 2 ** 32) * (from.length - 1));
  return [from[first] as number, from[second >= first ? second + 1 : second] as number];
}

async function measurePlacebo(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  { strength, seed }: ControlSettings,
  { refit, training = examples }: Pick<CausalVerdictOptions, 'refit' | 'training'>,
  controls: RunControls,
): Promise<PlaceboFigures> {
  const answers = placeboAnswers(model.info.vocabulary, [...examples, ...training], seed);
  const instead = (list: readonly SteeringExample[]): SteeringExample[] =>
    list.map((example) => ({ ...example, correct: answers[0], wrong: answers[1] }));
  const effect = async (set: SteeringValues, on: readonly SteeringExample[]): Promise<number> =>
    meanOf(shiftOf(await measureCandidates(model, [() => set], on, [strength, -strength], controls), 0));
  return {
    answers,
    onPlacebo: await effect(values, instead(examples)),
    ofPlaceboFit: refit ? await effect(await refit(instead(training), seed), examples) : null,
  };
}

/** Refits from examples drawn again, one after another. */
async function learnAgain(
  training: readonly SteeringExample[],
  refit: Refit | undefined,
  bootstraps: number,
  seed: number,
): Promise<SteeringValues[]> {
  const refits: SteeringValues[] = [];
  if (!refit) return refits;
  for (let draw = 0; draw < bootstraps; draw++) {
    const again = drawAgain(training.length, seed, REFITS + draw).map((i) => training[i] as SteeringExample);
    refits.push(await refit(again, draw));
  }
  return refits;
}

async function measureOffTask(
  model: HookedModel,
  values: SteeringValues,
  prompts: readonly ControlPrompt[],
  strength: number,
  controls: RunControls,
): Promise<Pick<CausalVerdict, 'offTask' | 'perplexity'>> {
  if (prompts.length === 0) return { offTask: null, perplexity: null };
  const steering = new Steering(model, values.spec, { values: [values] });
  try {
    const steerer = steererOf('the values', steering, { nonZero: 0 });
    const both = { ...controls, strengths: [strength, -strength] };
    const texts = prompts.every(({ prompt }) => prompt.length > 1);
    return {
      offTask: await offTaskFigures(model, prompts, steerer, both),
      perplexity: texts ? await offTaskPerplexity(model, prompts, steerer, both) : null,
    };
  } finally {
    steering.dispose();
  }
}

function reasons({ p }: ControlDraws, stability: SelectionStability | null): string[] {
  const { share = null, kept = 0, stable = 0 } = stability ?? {};
  return [
    ...(p < 0.05 ? [] : [`p = ${p.toPrecision(2)}: as large an effect comes from the same numbers in other cells`]),
    ...(stability === null ? ['whether the same cells are found again was not measured'] : []),
    ...(stability !== null && (share === null || share < 0.5)
      ? [`${stable} of ${kept} kept cells are found in ${100 * STABLE} % of the refits`]
      : []),
  ];
}
