// What `limn steer` writes down: learnt values on their cells, other measures of the same cells, what the values do, and what explains them.
import type { HookedModel, RunProgress } from '@limn/hooks';
import type { Provenance, SteeringRecord } from '@limn/report';
import { Steering, steererOf, type CellGrid, type Objective } from '@limn/steering';
import { comparedGrids } from './compared-grids.js';
import { explainValues } from './explained-values.js';
import { judgeSteering, type JudgementPlan } from './judged-steering.js';
import { parityRecord } from './parity-record.js';
import { shownCells } from './shown-cells.js';
import { steeredPrompts } from './steered-prompts.js';
import { SWEEP_STRENGTHS, type LearntSteering } from './steering-run.js';
import { partsOf, type SteeringSets } from './steering-source.js';

/** Prompts on the page. */
const SHOWN = 6;
/** Validation prompts that cells are measured on: one run a cell and prompt. */
const MEASURED = 16;

/** What is true of a steering learnt from one prompt. */
export const ALONE =
  'Learnt from this one prompt, and measured on it: it says how the model answers here, and nothing of other prompts.';

/** What a record is made of. */
export interface SteeringRecordRequest {
  readonly model: HookedModel;
  readonly sets: SteeringSets;
  readonly found: LearntSteering;
  readonly objective: Objective;
  /** λ_M. */
  readonly minimality: number;
  readonly provenance: Provenance;
  readonly show: (id: number) => string;
  /** The text of a prompt. */
  readonly textOf: (ids: readonly number[]) => string;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: RunProgress & { readonly phase: string }) => void) | undefined;
  /** Told what is left out, and why. */
  readonly onNote?: ((line: string) => void) | undefined;
  /** Explain the values; with a plan also judge whether their cells are the cause. */
  readonly explain?: { readonly judge?: JudgementPlan | undefined } | undefined;
}

/** @throws LimnError as the measures of `@limn/steering`; AbortedError */
export async function steeringRecord(request: SteeringRecordRequest): Promise<SteeringRecord> {
  const { model, sets, found, objective, minimality, provenance, show, signal, explain } = request;
  const { spec, trained, sweep } = found;
  const { kind } = spec.method;
  const flips = objective.goal.kind === 'flip';
  const { split } = sets;
  const told = { signal, onProgress: request.onProgress ?? (() => {}), onNote: request.onNote ?? (() => {}) };
  using steering = new Steering(model, spec, { values: [trained.values] });
  const steerer = steererOf(kind, steering, { nonZero: 0 });
  const shown = split.test.slice(0, SHOWN);
  const measured = split.validation.slice(0, MEASURED);
  const { values } = trained;
  const cells = await shownCells({ model, values, steerer, shown, examples: split.test, signal });
  const { grid, positions, edits } = cells;
  const selection = { sites: spec.sites, positions, ...(spec.layers === undefined ? {} : { layers: spec.layers }) };
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'steering',
    title: `${kind} on ${sets.name}`,
    provenance,
    method: methodRecord(found, minimality),
    objective: JSON.parse(JSON.stringify(objective)) as SteeringRecord['objective'],
    task: taskRecord(sets),
    // A rule of success, and rows of it, are of flips at both strengths.
    ...(flips ? { rule: { margin: 2, massShare: 0.8, drift: 0.1 } } : {}),
    prompts: await steeredPrompts({ model, steering, positions, show, signal }, shown, SWEEP_STRENGTHS),
    grid: recordGrid(grid),
    // What activations decided is compared where more is asked for than to learn.
    ...(kind === 'dyn-scalar' && !explain
      ? {}
      : {
          comparisons: await comparedGrids({
            model,
            examples: measured,
            selection,
            learnt: grid,
            all: explain !== undefined,
            ...told,
          }),
        }),
    ...(edits ? { edits } : {}),
    sweep: [...sweep.strengths],
    ...(await parityRecord(request, steerer)),
    // Of a single prompt there are no unseen ones, on which methods are compared.
    ...(sets.alone || !flips ? {} : { methods: [methodOf(found)] }),
    ...(explain?.judge ? await verdictOf(request, explain.judge) : {}),
    ...(explain
      ? await explainValues({
          model,
          values,
          steerer,
          objective,
          grid,
          positions,
          shown,
          measured,
          training: split.train,
          show,
          textOf: request.textOf,
          ...told,
        })
      : {}),
    history: trained.history.map(({ update, effect, drift, penalty, nonZero }) => ({
      update,
      effect,
      drift,
      penalty,
      nonZero,
    })),
  };
}

function methodRecord(
  { spec, trained, minimality: figures }: LearntSteering,
  minimality: number,
): SteeringRecord['method'] {
  const { method, sites, positions } = spec;
  return {
    kind: method.kind,
    parameters: figures.parameters,
    nonZero: figures.nonZero,
    ...('form' in method && method.form ? { form: method.form } : {}),
    ...('bound' in method && method.bound !== undefined ? { bound: method.bound } : {}),
    settings: {
      ...(method.kind === 'subspace-scale' ? { rank: method.rank } : {}),
      sites: [...sites],
      positions: positions.mode,
      minimality,
      updates: trained.updates,
    },
  };
}

function taskRecord(sets: SteeringSets): NonNullable<SteeringRecord['task']> {
  const { name, train, validation, test } = partsOf(sets);
  return sets.alone ? { name, description: ALONE, train } : { name, train, validation, test };
}

/** The row of the table of methods. */
function methodOf({ spec, minimality, train, test }: LearntSteering): NonNullable<SteeringRecord['methods']>[number] {
  return {
    name: spec.method.kind,
    seeds: 1,
    twoWaySuccess: { mean: test.twoWaySuccess, deviation: null },
    drift: { mean: test.drift, deviation: null },
    parameters: minimality.parameters,
    nonZero: { mean: minimality.nonZero, deviation: null },
    gap: { mean: train.twoWaySuccess - test.twoWaySuccess, deviation: null },
    own: true,
  };
}

/** The grid as plain lists. */
function recordGrid({
  measure,
  sites,
  layers,
  positions,
  values,
  live,
  heads,
}: CellGrid): NonNullable<SteeringRecord['grid']> {
  return {
    measure,
    sites: [...sites],
    layers: [...layers],
    positions: [...positions],
    values: [...values],
    live: [...live],
    ...(heads ? { heads: heads.map((each) => (each ? [...each] : null)) } : {}),
  };
}

/** Where there are cells that favour one answer at +1 and the other at −1. */
async function verdictOf(
  { model, sets, found, objective, signal, onProgress = () => {}, onNote = () => {} }: SteeringRecordRequest,
  plan: JudgementPlan,
): Promise<Pick<SteeringRecord, 'verdict'>> {
  const { kind } = found.spec.method;
  if (kind === 'dyn-scalar' || objective.goal.kind !== 'flip') {
    onNote(
      kind === 'dyn-scalar'
        ? `${kind} has no cells that controls could shuffle: the verdict is left out`
        : 'of a parity the effect Δ₊₁ − Δ₋₁ is not what was learnt: the verdict is left out',
    );
    return {};
  }
  const { controls, refits } = plan;
  if (controls.length === 0) onNote('no prompts of other tasks fit: the KL off the task is not measured');
  onNote(
    refits === 0
      ? 'no refits: whether the same cells are found again is not measured'
      : `the verdict learns ${refits + 1} more times: from redrawn prompts, and once for other answers`,
  );
  const { train: training, test } = sets.split;
  const verdict = await judgeSteering({
    ...plan,
    model,
    values: found.trained.values,
    training,
    test,
    signal,
    onProgress,
  });
  return { verdict };
}
