// What each example asks of the values: its own gradient, and how far that points the way the values went.
import type { Step } from '@limn/gpu';
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { add, fromData, gradients, readFloats, scale, type Tensor } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { parameterForms } from '../method.js';
import { recordRowObjectives, settleObjective, type Objective, type SettledObjective } from '../objective.js';
import { prepareExamples } from '../prepare-examples.js';
import { steeredPlaces } from '../sites.js';
import { Steering, type SteeringValues } from '../steering.js';
import type { PreparedExample } from '../training-step.js';
import { fillGrid, type CellGrid } from './cell-grid.js';
import { liveSlots } from '../live-slots.js';
import { setsAtOnce } from './measure-candidates.js';

/** One example. */
export interface ExampleInfluence {
  readonly example: number;
  /** L_n = E_n + λ_F F_n where the gradient was taken: E the sum, F the mean over strengths. */
  readonly loss: number;
  /** ‖∂L_n/∂θ‖₂ */
  readonly norm: number;
  /** cos(−∂L_n/∂θ, θ): 1 where the values are what this example alone asks for; null where either is 0. */
  readonly alignment: number | null;
  /** ∂L_n/∂α, of scalars by position only. */
  readonly gradient?: CellGrid;
}

/** What `exampleInfluence` takes. */
export interface ExampleInfluenceOptions extends RunControls {
  /** That of the training. */
  readonly objective: Objective;
  /** Where the gradient is taken: 'zeros' (default), the untouched model, or at the 'values', where an example that is content has none. */
  readonly at?: 'zeros' | 'values' | undefined;
}

/**
 * ∂L_n/∂θ of every example, θ the values that are 0 in the untouched model (α, vectors, probes), and its alignment with the final ones. Each
 * example of a batch has a set of values of its own, so one backward pass gives the gradients of all.
 * @throws LimnError `usage/steering-…`, `data/steering-…`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function exampleInfluence(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  { objective, at = 'zeros', ...controls }: ExampleInfluenceOptions,
): Promise<ExampleInfluence[]> {
  checkExamples(examples, model.info);
  const settled = settleControls(controls);
  const goal = settleObjective(objective);
  const sets = Math.min(setsAtOnce(model, values.spec, settled.memoryBytes), settled.batchSize, examples.length);
  const prepared = await prepareExamples(model, examples, [], { ...controls, onProgress: undefined });
  const set = at === 'values' ? values : zeroed(model, values);
  const steering = new Steering(model, values.spec, { values: Array.from({ length: sets }, () => set) });
  const found: ExampleInfluence[] = [];
  try {
    const parameters = steering.parameters.filter(({ form }) => form.strength);
    const targets = parameters.map(({ tensor }) => tensor);
    const finals = parameters.map(({ at, form }) => values.places.get(at)?.get(form.name) ?? new Float32Array(0));
    await inBatches(
      model.gpu,
      prepared,
      {
        what: 'Measuring the influence of examples',
        unit: 'example',
        label: 'influence',
        lengthOf: ({ prompt }) => prompt.length,
        record: (step, batch) => {
          const { effect, drift } = recordLosses(step, model, steering, goal, batch);
          const loss = add(step, effect, scale(step, drift, goal.faithfulnessWeight / goal.strengths.length));
          return { loss, slopes: gradients(step, loss, 'ones', targets, { missing: 'zeros' }) };
        },
        take: async (step, { loss, slopes }, places) => {
          const read = await Promise.all([loss, ...slopes].map((x) => readFloats(step, x)));
          const [losses, ...tables] = read as [Float32Array, ...Float32Array[]];
          places.forEach((example, n) => {
            const own = tables.map((table) => {
              const size = table.length / sets;
              return table.subarray(n * size, (n + 1) * size);
            });
            const grid = gradientGrid(model, values, examples, parameters, own);
            found[example] = {
              example,
              loss: goal.strengths.reduce((sum, _, s) => sum + (losses[s * places.length + n] as number), 0),
              ...alignment(own, finals),
              ...(grid ? { gradient: grid } : {}),
            };
          });
        },
      },
      { ...controls, ...settled, batchSize: sets },
    );
  } finally {
    steering.dispose();
  }
  return found;
}

/** The same values with everything at 0 that is 0 in the untouched model. */
function zeroed(model: HookedModel, values: SteeringValues): SteeringValues {
  const { spec } = values;
  const places = new Map(
    steeredPlaces(model.info, spec).map((place) => {
      const own = new Map(values.places.get(place.at));
      for (const { name, shape, strength } of parameterForms(spec.method, place, spec.positions.names.length))
        if (strength) own.set(name, new Float32Array(shape[0] * shape[1]));
      return [place.at, own] as const;
    }),
  );
  return { ...values, places };
}

/** E and F of every strength and example, strength by strength, [S · n]; row s · n + i takes the i-th set of values. */
function recordLosses(
  step: Step,
  model: HookedModel,
  steering: Steering,
  objective: SettledObjective,
  batch: readonly PreparedExample[],
): { readonly effect: Tensor; readonly drift: Tensor } {
  const rows = objective.strengths.flatMap((strength) =>
    batch.map((example, candidate) => ({ ...example, strength, candidate })),
  );
  const tokens = tokenBatch(
    rows.map(({ prompt }) => prompt),
    model.info,
  );
  const interventions = steering.interventions({
    strength: rows.map(({ strength }) => strength),
    roles: rows.map(({ roles }) => roles),
    candidates: rows.map(({ candidate }) => candidate),
  });
  const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
  const V = model.info.vocabulary;
  const reference = new Float32Array(batch.length * V);
  batch.forEach((example, i) => reference.set(example.reference, i * V));
  return recordRowObjectives(step, objective, logits, {
    answers: rows.map(({ correct, wrong }) => [correct, wrong]),
    strengths: rows.map(({ strength }) => strength),
    retained: rows.map(({ retained }) => retained),
    reference: fromData(step, reference, [batch.length, V], { label: 'untouched model' }),
  });
}

/** cos(−slope, final) and ‖slope‖ over all tables together. */
function alignment(
  slopes: readonly Float32Array[],
  finals: readonly Float32Array[],
): Pick<ExampleInfluence, 'norm' | 'alignment'> {
  let [along, slope2, final2] = [0, 0, 0];
  slopes.forEach((slope, i) =>
    slope.forEach((value, j) => {
      const final = finals[i]?.[j] ?? 0;
      along -= value * final;
      slope2 += value * value;
      final2 += final * final;
    }),
  );
  const lengths = Math.sqrt(slope2) * Math.sqrt(final2);
  return { norm: Math.sqrt(slope2), alignment: lengths === 0 ? null : along / lengths };
}

/** ∂L_n/∂α as a grid, summed over the units of a cell. */
function gradientGrid(
  { info }: HookedModel,
  { spec }: SteeringValues,
  examples: readonly SteeringExample[],
  parameters: Steering['parameters'],
  slopes: readonly Float32Array[],
): CellGrid | undefined {
  if (spec.method.kind !== 'activ-scalar') return undefined;
  return fillGrid('gradient of the loss', steeredPlaces(info, spec), spec.positions, {
    valuesOf: ({ at, units }, slot) =>
      slopes[parameters.findIndex((each) => each.at === at)]?.subarray(slot * units, (slot + 1) * units) ?? null,
    live: (place) => liveSlots(info, place, spec.positions, examples),
  });
}
