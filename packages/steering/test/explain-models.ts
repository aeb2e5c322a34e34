// What the tests of explanations share: a tiny GPT-2, the parallel toy, values on them, and Δ of one plain run.
import type { HookedModel, Intervention } from '@limn/hooks';
import { tokenBatch } from '@limn/hooks';
import { fillNormal, readFloats } from '@limn/tensor';
import { referenceEap, testGpu, ToyModel } from '@limn/testing';
import { parameterForms } from '../src/method.js';
import { steeredPlaces, type SteeringExample, type SteeringSpec, type SteeringValues } from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const made = new Map<string, Promise<HookedModel>>();

/** A sequential GPT-2 of random weights, and a parallel model with rotary positions. */
export const MODELS = ['gpt-2', 'parallel toy'] as const;

export function modelOf(name: (typeof MODELS)[number]): Promise<HookedModel> {
  const known =
    made.get(name) ??
    (name === 'gpt-2'
      ? gpt2Of(referenceEap.randomModel(SIZES, 7))
      : testGpu().then(
          (gpu) =>
            new ToyModel(gpu, {
              layers: 2,
              heads: 3,
              headWidth: 5,
              mlpWidth: 11,
              vocabulary: SIZES.vocabulary,
              maxPositions: 12,
            }),
        ));
  made.set(name, known);
  return known;
}

/** Five examples of one length, or of three. */
export const SAME = examplesOf(5);
export const MIXED = examplesOf(5, { lengths: [5, 3, 7] });

/** Values drawn from a normal distribution; `keep` decides which numbers stay, by their count in the table. */
export function randomValues(
  model: HookedModel,
  spec: SteeringSpec,
  {
    seed = 3,
    size = 0.6,
    keep = () => true,
  }: { seed?: number; size?: number; keep?: (at: string, i: number) => boolean } = {},
): SteeringValues {
  let stream = 0;
  const places = new Map(
    steeredPlaces(model.info, spec).map((place) => [
      place.at,
      new Map(
        parameterForms(spec.method, place, spec.positions.names.length).map(({ name, shape }) => {
          const data = fillNormal(new Float32Array(shape[0] * shape[1]), { seed, stream: stream++ }, size);
          return [name, data.map((value, i) => (keep(place.at, i) ? value : 0))] as const;
        }),
      ),
    ]),
  );
  return { spec, fingerprint: model.info.fingerprint, places };
}

/** Δ of every example, each in a run of its own. */
export async function differencesOf(
  model: HookedModel,
  examples: readonly SteeringExample[],
  edits: (example: SteeringExample, n: number) => readonly Intervention[] = () => [],
): Promise<number[]> {
  using step = model.gpu.step();
  const logits = examples.map((example, n) => {
    const tokens = tokenBatch([example.prompt], model.info);
    return model.run(step, { tokens }, { interventions: edits(example, n), logits: 'last' }).logits;
  });
  const values = await Promise.all(logits.map((each) => readFloats(step, each)));
  return examples.map(({ correct, wrong }, n) => (values[n]?.[correct] as number) - (values[n]?.[wrong] as number));
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
