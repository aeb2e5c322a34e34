// How long vectors are beside the activations that they are added to: ‖v‖ / median ‖h‖, which means the same in every layer and model.
import { LimnError } from '@limn/gpu';
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { dot, readFloats, reshape } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { cellsOf, type SteeringCell } from '../minimality.js';
import { slotsOf } from '../positions.js';
import type { SteeredPlace } from '../sites.js';
import type { SteeringValues } from '../steering.js';

/** One vector beside the activations of its place and position. */
export interface RelativeNorm extends Pick<SteeringCell, 'place' | 'slot'> {
  /** ‖v‖₂ at strength 1. */
  readonly norm: number;
  /** Median of ‖h‖₂ of the untouched model over the tokens that take the vector; NaN where none does. */
  readonly median: number;
  /** norm / median: α of scaling has this unit by itself. */
  readonly relative: number;
}

/**
 * Measures the vectors of 'steer-vec' against the activations of some prompts.
 * @throws LimnError `usage/steering-method` for other methods; `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`,
 * `data/steering-roles`, `data/steering-length`, `usage/steering-site`, `usage/steering-layer`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function relativeNorms(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  controls: RunControls = {},
): Promise<RelativeNorm[]> {
  const { method, positions } = values.spec;
  if (method.kind !== 'steer-vec')
    throw new LimnError('usage/steering-method', `Values of '${method.kind}' have no length beside activations.`, {
      details: { method: method.kind },
      hint: "Give vectors, of 'steer-vec'; a scalar α is a length in units of ‖h‖ by itself.",
    });
  checkExamples(examples, model.info);
  const cells = cellsOf(model.info, values);
  const places = [...new Set(cells.map(({ place }) => place))];
  const norms = new Map(places.map((place) => [place, positions.names.map((): number[] => [])]));
  await inBatches(
    model.gpu,
    examples,
    {
      what: 'Measuring norms',
      unit: 'prompt',
      label: 'norms',
      lengthOf: ({ prompt }) => prompt.length,
      record: (step, batch) => {
        const tokens = tokenBatch(
          batch.map(({ prompt }) => prompt),
          model.info,
        );
        const stopAtLayer = Math.max(...places.map(({ layer }) => layer)) + 1;
        const run = model.run(step, { tokens }, { capture: places.map(({ at }) => at), stopAtLayer });
        return places.map(({ at, elements }) => {
          const h = reshape(run.at(at), [tokens.B * tokens.T, elements]);
          return { squares: dot(step, h, h, { axes: 1 }), T: tokens.T };
        });
      },
      take: async (step, recorded, order) => {
        const read = await Promise.all(recorded.map(({ squares }) => readFloats(step, squares)));
        read.forEach((squares, p) => {
          const { T } = recorded[p] as (typeof recorded)[number];
          const lists = norms.get(places[p] as SteeredPlace) as number[][];
          order.forEach((at, b) => {
            const { prompt, roles } = examples[at] as SteeringExample;
            slotsOf(positions, { length: prompt.length, roles }, at).forEach((slot, t) => {
              if (slot >= 0) lists[slot]?.push(Math.sqrt(squares[b * T + t] as number));
            });
          });
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return cells.map(({ place, slot, value }) => {
    const median = medianOf(norms.get(place)?.[slot] ?? []);
    return { place, slot, norm: value, median, relative: value / median };
  });
}

/**
 * The vectors scaled, each by itself, so that ‖v‖ = share · median ‖h‖ at strength 1; those of length 0, or without a median, stay.
 */
export function toRelativeNorm(values: SteeringValues, norms: readonly RelativeNorm[], share = 1): SteeringValues {
  const P = values.spec.positions.names.length;
  const places = new Map(
    [...values.places].map(([at, own]) => {
      const vector = Float32Array.from(own.get('vector') ?? []);
      const width = vector.length / P;
      for (const { place, slot, relative } of norms)
        if (place.at === at && relative > 0)
          for (let i = slot * width; i < (slot + 1) * width; i++)
            vector[i] = ((vector[i] as number) * share) / relative;
      return [at, new Map([['vector', vector] as const])] as const;
    }),
  );
  return { ...values, places };
}

/** The middle of a list, or the mean of the two in the middle; NaN of none. */
function medianOf(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}
