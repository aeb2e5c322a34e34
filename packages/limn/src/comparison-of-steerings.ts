// The record of a comparison: the first steering as `limn steer train` writes one, with the other files of its cells among the measures and every row in the table of methods.
import type { HookedModel } from '@limn/hooks';
import type { Provenance, SteeringRecord } from '@limn/report';
import { cellGrid, type Objective, type SteeringExample, type TrainedSteering } from '@limn/steering';
import {
  haveSameCells,
  type ComparedBaseline,
  type ComparedCells,
  type ComparedSteering,
  type ComparisonControls,
  type GivenSteering,
} from './compared-steerings.js';
import { steeringRecord } from './steering-record.js';
import { measureLearnt } from './steering-run.js';
import type { SteeringSets } from './steering-source.js';

/** What was compared. */
export interface SteeringComparison extends ComparisonControls {
  readonly model: HookedModel;
  readonly sets: SteeringSets;
  readonly given: readonly [GivenSteering, ...GivenSteering[]];
  readonly steerings: readonly ComparedSteering[];
  readonly baselines: readonly ComparedBaseline[];
  readonly agreements: readonly ComparedCells[];
  readonly provenance: Provenance;
  readonly show: (id: number) => string;
  /** The text of a prompt. */
  readonly textOf: (ids: readonly number[]) => string;
}

type MethodRow = NonNullable<SteeringRecord['methods']>[number];

/** What a file that does not say so is taken to be learnt for; the record then says nothing of it. */
const UNSAID: Objective = { goal: { kind: 'flip' } };

/** @throws LimnError as `steeringRecord` and `measureLearnt`; AbortedError */
export async function comparisonOfSteerings(comparison: SteeringComparison): Promise<SteeringRecord> {
  const { model, sets, given, steerings, baselines, provenance, show, textOf, signal, onProgress } = comparison;
  const [{ file, values, provenance: origin }] = given;
  // Nothing is learnt here: the values are those of the file, and their course is not in it.
  const trained: TrainedSteering = { values, sparse: values, history: [], updates: 0, settled: false };
  const objective = origin.objective ?? UNSAID;
  const found = await measureLearnt({ model, sets, objective, signal, onProgress }, trained);
  const { history: _history, ...record } = await steeringRecord({
    model,
    sets,
    found,
    objective,
    minimality: origin.minimality?.weight ?? 0,
    provenance,
    show,
    textOf,
    signal,
  });
  const { sites, positions } = values.spec;
  return {
    ...record,
    title: titleOf(comparison),
    method: { ...record.method, settings: { file, sites: [...sites], positions: positions.mode } },
    ...(origin.objective ? {} : { objective: {} }),
    comparisons: [...(record.comparisons ?? []), ...otherFiles(comparison, sets.split.test)],
    methods: [
      ...steerings.map((row, i): MethodRow => ({
        name: `${row.method} (${row.file})`,
        ...figuresOf(row),
        parameters: row.minimality.parameters,
        ...(i === 0 ? { own: true } : {}),
      })),
      ...baselines.map((row): MethodRow => ({ name: withSettings(row), ...figuresOf(row) })),
    ],
  };
}

function titleOf({ steerings, baselines, sets }: SteeringComparison): string {
  const [first, ...others] = steerings;
  const learnt = others.length === 0 ? (first?.method ?? '') : `${steerings.length} steerings`;
  const beside = baselines.length > 0 ? ` beside ${baselines.length} rows without learning` : '';
  return `${learnt}${beside} on ${sets.name}`;
}

/** 'CAA, layer 1, strength 0.5' */
export function withSettings({ name, chosen, strength }: ComparedBaseline): string {
  const settings = Object.entries(chosen).map(([what, value]) => `${what} ${value}`);
  return [name, ...settings, ...(strength === null ? [] : [`strength ${strength}`])].join(', ');
}

/** The cells of the other files beside those of the first. */
function otherFiles(
  { model, given, agreements }: SteeringComparison,
  examples: readonly SteeringExample[],
): NonNullable<SteeringRecord['comparisons']> {
  const [first, ...others] = given;
  return others
    .filter((other) => haveSameCells(first, other))
    .map((other) => {
      const { agreement } = agreements.find(({ a, b }) => a === first.file && b === other.file) as ComparedCells;
      const { spearman, topJaccard, cells, spearmanOfSizes, signAgreement } = agreement;
      return {
        measure: other.file,
        values: [...cellGrid(model.info, other.values, { examples }).values],
        agreement: { spearman, topJaccard, cells, spearmanOfSizes, signAgreement },
      };
    });
}

function figuresOf({
  figures,
  minimality,
}: Pick<ComparedBaseline, 'figures' | 'minimality'>): Omit<MethodRow, 'name' | 'own' | 'parameters'> {
  return {
    seeds: 1,
    twoWaySuccess: { mean: figures.twoWaySuccess, deviation: null },
    // Of what changes nothing the round-off of f32, on either side of 0.
    drift: { mean: Math.max(0, figures.drift), deviation: null },
    effect: { mean: figures.shift / 2, deviation: null },
    nonZero: { mean: minimality?.nonZero ?? 0, deviation: null },
  };
}
