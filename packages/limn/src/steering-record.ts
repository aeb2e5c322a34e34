// What `limn steer train` writes down: learnt values on their cells, other measures of the same cells, and what the values do.
import type { HookedModel } from '@limn/hooks';
import type { Provenance, SteeringRecord } from '@limn/report';
import {
  cellGradients,
  cellGrid,
  compareGrids,
  gridOfCells,
  normAndDirection,
  positionTable,
  Steering,
  steererOf,
  zeroAblationGrid,
  type CellGrid,
  type NormAndDirection,
  type Objective,
  type PositionTable,
  type SteeringExample,
} from '@limn/steering';
import { steeredPrompts } from './steered-prompts.js';
import { SWEEP_STRENGTHS, type LearntSteering } from './steering-run.js';
import { partsOf, type SteeringSets } from './steering-source.js';

/** Prompts on the page. */
const SHOWN = 6;
/** Validation prompts that cells are measured on: one run a cell and prompt. */
const MEASURED = 16;
/** Cells whose overlap is compared. */
const TOP = 10;

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
  readonly signal: AbortSignal;
}

/** @throws LimnError as the measures of `@limn/steering`; AbortedError */
export async function steeringRecord(request: SteeringRecordRequest): Promise<SteeringRecord> {
  const { model, sets, found, objective, minimality, provenance, show, signal } = request;
  const { spec, trained, test, sweep } = found;
  const { kind } = spec.method;
  using steering = new Steering(model, spec, { values: [trained.values] });
  const shown = sets.split.test.slice(0, SHOWN);
  // What activations decide has no positions of its own: it is shown where it was decided, counted from the end of the prompts.
  const decided = kind === 'dyn-scalar';
  const positions = decided ? fromEnd(shown, spec.positions.skip) : spec.positions;
  const edited = kind === 'activ-scalar' ? undefined : await edits(request, steering, shown, positions);
  const learnt = decided ? undefined : cellGrid(model.info, trained.values, { examples: sets.split.test });
  const grid = learnt ?? (edited && { ...edited.norm, measure: 'mean α of the prompts shown' });
  const { name, train, validation, test: tested } = partsOf(sets);
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'steering',
    title: `${kind} on ${name}`,
    provenance,
    method: {
      kind,
      parameters: found.minimality.parameters,
      nonZero: found.minimality.nonZero,
      ...('form' in spec.method && spec.method.form ? { form: spec.method.form } : {}),
      ...('bound' in spec.method && spec.method.bound !== undefined ? { bound: spec.method.bound } : {}),
      settings: { sites: [...spec.sites], positions: spec.positions.mode, minimality, updates: trained.updates },
    },
    objective: JSON.parse(JSON.stringify(objective)) as SteeringRecord['objective'],
    task: { name, train, validation, test: tested },
    rule: { margin: 2, massShare: 0.8, drift: 0.1 },
    prompts: await steeredPrompts({ model, steering, positions, show, signal }, shown, SWEEP_STRENGTHS),
    ...(grid ? { grid } : {}),
    ...(learnt ? { comparisons: await comparisons(request, learnt) } : {}),
    ...(edited
      ? { edits: { strength: edited.strength, norm: [...edited.norm.values], direction: [...edited.direction.values] } }
      : {}),
    sweep: [...sweep.strengths],
    methods: [
      {
        name: kind,
        seeds: 1,
        twoWaySuccess: { mean: test.twoWaySuccess, deviation: null },
        drift: { mean: test.drift, deviation: null },
        parameters: found.minimality.parameters,
        nonZero: { mean: found.minimality.nonZero, deviation: null },
        gap: { mean: found.train.twoWaySuccess - test.twoWaySuccess, deviation: null },
        own: true,
      },
    ],
    history: trained.history.map(({ update, effect, drift, penalty, nonZero }) => ({
      update,
      effect,
      drift,
      penalty,
      nonZero,
    })),
  };
}

/** Gradient × activation and zero ablation of the same cells, with how far each agrees with what was learnt. */
async function comparisons(
  { model, sets, found, signal }: SteeringRecordRequest,
  learnt: CellGrid,
): Promise<NonNullable<SteeringRecord['comparisons']>> {
  const examples = sets.split.validation.slice(0, MEASURED);
  const { sites, layers, positions } = found.spec;
  const selection = { sites, positions, ...(layers === undefined ? {} : { layers }) };
  const { cells } = await cellGradients(model, examples, selection, { signal });
  const grids = [
    gridOfCells('gradient × activation', cells, positions),
    await zeroAblationGrid(model, examples, selection, { signal }),
  ];
  return grids.map((grid) => {
    const {
      spearman,
      topJaccard,
      cells: common,
      spearmanOfSizes,
      signAgreement,
    } = compareGrids(learnt, grid, { k: TOP });
    return {
      measure: grid.measure,
      values: [...grid.values],
      agreement: { spearman, topJaccard, cells: common, spearmanOfSizes, signAgreement },
    };
  });
}

/** The change of norm and direction at strength 1. */
function edits(
  { model, found, signal }: SteeringRecordRequest,
  steering: Steering,
  examples: readonly SteeringExample[],
  positions: PositionTable,
): Promise<NormAndDirection> {
  const steerer = steererOf(found.spec.method.kind, steering, { nonZero: 0 });
  return normAndDirection(model, examples, steerer, { positions, signal });
}

function fromEnd(examples: readonly SteeringExample[], skip: number): PositionTable {
  return positionTable(
    examples.map(({ prompt }) => ({ length: prompt.length })),
    'from-end',
    { skip },
  );
}
