// The basis of 'subspace-scale': per place the few directions that hold most of what activations are, found on examples.
import { LimnError } from '@limn/gpu';
import { inBatches, settleControls, tokenBatch, type HookedModel, type HookName, type RunControls } from '@limn/hooks';
import { fromData, gatherRows, readFloats, reshape } from '@limn/tensor';
import { principalSubspace } from './baselines/principal-subspace.js';
import { checkExamples, type SteeringExample } from './examples.js';
import { parameterForms, type ParameterForm } from './method.js';
import { slotsOf } from './positions.js';
import { steeredPlaces, type SteeredPlace } from './sites.js';
import type { SteeringSpec, SteeringValues } from './steering.js';

/** Tokens whose activations a basis is found from, spread evenly over all that are steered: the matrix that is solved is no larger. */
const MOST_ROWS = 1024;

/**
 * Values to start learning 'subspace-scale' from: a = 0, and per place U [elements, rank] with orthonormal columns that maximise Σ ‖Uᵀh‖² over
 * the steered tokens of the examples, u₁ that of the longest part. The mean is not taken away: h̃ = h + βU diag(a)Uᵀh scales h itself, mean
 * and all, so a basis of what activations are reaches most of it with few columns, and one of what they vary by would leave the mean,
 * which is most of them, as it is. One basis for all positions; in float64; the same examples in batches of the same size give the same bits.
 * @throws LimnError `usage/steering-method` for another method; `data/steering-basis` where activations have fewer directions than `rank`;
 * `usage/steering-site`, `usage/steering-layer`, `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`,
 * `data/steering-length`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function activationSubspace(
  model: HookedModel,
  examples: readonly SteeringExample[],
  spec: SteeringSpec,
  controls: RunControls = {},
): Promise<SteeringValues> {
  const { method, positions } = spec;
  if (method.kind !== 'subspace-scale')
    throw new LimnError('usage/steering-method', `Values of '${method.kind}' are in no basis.`, {
      details: { method: method.kind },
      hint: "Give the spec of 'subspace-scale'.",
    });
  checkExamples(examples, model.info);
  const places = steeredPlaces(model.info, spec);
  const rows = await steeredActivations(model, examples, spec, places, controls);
  return {
    spec,
    fingerprint: model.info.fingerprint,
    places: new Map(
      places.map((place) => {
        const basis = basisOf(place, rows.get(place.at) as readonly Float32Array[], method.rank);
        const own = parameterForms(method, place, positions.names.length).map(
          ({ name, shape }) =>
            [name, name === 'basis' ? basis : new Float32Array(shape[0] * shape[1])] satisfies [
              ParameterForm['name'],
              Float32Array,
            ],
        );
        return [place.at, new Map<ParameterForm['name'], Float32Array>(own)] as const;
      }),
    ),
  };
}

/** Directions as columns, row-major [elements, rank]. */
function basisOf({ at, elements }: SteeredPlace, rows: readonly Float32Array[], rank: number): Float32Array {
  const found = principalSubspace(rows, rank);
  if (found.rank < rank)
    throw new LimnError(
      'data/steering-basis',
      `${rows.length} activations at ${at} have ${found.rank} directions; a basis of ${rank} cannot be made of them.`,
      {
        details: { at, rank, found: found.rank, activations: rows.length, elements },
        hint: `Give a rank of at most ${found.rank}, or more prompts.`,
      },
    );
  const basis = new Float32Array(elements * rank);
  found.directions.forEach((direction, k) => direction.forEach((value, j) => (basis[j * rank + k] = value)));
  return basis;
}

/** Activations [elements] of steered tokens by place, in the order of examples and tokens. */
async function steeredActivations(
  model: HookedModel,
  examples: readonly SteeringExample[],
  { positions }: SteeringSpec,
  places: readonly SteeredPlace[],
  controls: RunControls,
): Promise<ReadonlyMap<HookName, readonly Float32Array[]>> {
  const all = examples.flatMap(({ prompt, roles }, example) =>
    [...slotsOf(positions, { length: prompt.length, roles }, example)].flatMap((slot, t) =>
      slot < 0 ? [] : [{ example, t }],
    ),
  );
  const count = Math.min(all.length, MOST_ROWS);
  const wanted = examples.map((): { readonly t: number; readonly row: number }[] => []);
  for (let row = 0; row < count; row++) {
    const { example, t } = all[Math.floor((row * all.length) / count)] as (typeof all)[number];
    wanted[example]?.push({ t, row });
  }
  const read = [...wanted.keys()].filter((example) => (wanted[example] ?? []).length > 0);
  const found = new Map(places.map(({ at }) => [at, [] as Float32Array[]]));
  const stopAtLayer = Math.max(...places.map(({ layer }) => layer)) + 1;
  const at = places.map((place) => place.at);
  await inBatches(
    model.gpu,
    read,
    {
      what: 'Reading activations',
      unit: 'prompt',
      label: 'activations',
      lengthOf: (example) => (examples[example] as SteeringExample).prompt.length,
      record: (step, batch) => {
        const tokens = tokenBatch(
          batch.map((example) => (examples[example] as SteeringExample).prompt),
          model.info,
        );
        const run = model.run(step, { tokens }, { capture: at, stopAtLayer });
        const own = batch.flatMap((example, b) => (wanted[example] ?? []).map(({ t }) => b * tokens.T + t));
        const rows = fromData(step, Uint32Array.from(own), [own.length]);
        return places.map((place) =>
          gatherRows(step, reshape(run.at(place.at), [tokens.B * tokens.T, place.elements]), rows),
        );
      },
      take: async (step, recorded, order) => {
        const values = await Promise.all(recorded.map((rows) => readFloats(step, rows)));
        const own = order.flatMap((i) => wanted[read[i] as number] ?? []);
        places.forEach((place, p) => {
          const list = found.get(place.at) as Float32Array[];
          own.forEach(
            ({ row }, i) =>
              (list[row] = (values[p] as Float32Array).slice(i * place.elements, (i + 1) * place.elements)),
          );
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return found;
}
