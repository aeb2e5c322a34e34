// What steering does to each prompt: how far the answers move at every strength, and what else moves with them.
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import {
  bucketDivergence,
  fromData,
  gatherLogits,
  gatherProbabilities,
  readFloats,
  readWords,
  topK,
  type Tensor,
} from '@limn/tensor';
import type { Step } from '@limn/gpu';
import { checkExamples, type SteeringExample } from './examples.js';
import { referenceRows } from './reference-rows.js';
import type { Steerer, SteeredRow } from './steerer.js';

/** One prompt at one strength. */
export interface SteeredOutcome {
  readonly strength: number;
  /** Δ_β = z̃_c − z̃_w in logits. */
  readonly delta: number;
  /** KL in nats with the answers as one outcome, and renormalised outside them. */
  readonly bucket: number;
  readonly rest: number;
  /** p(c) + p(w), and the same of the untouched model. */
  readonly mass: number;
  readonly untouchedMass: number;
  /** Whether the likeliest token that is no answer is still the same one. */
  readonly sameTopOther: boolean;
}

/** One prompt at every strength, in the order they were asked for. */
export interface SteeredExample {
  /** Δ of the untouched model. */
  readonly untouchedDelta: number;
  readonly outcomes: readonly SteeredOutcome[];
}

/** What to measure. */
export interface EvaluateSteeringOptions extends RunControls {
  /** Default +1 and −1. */
  readonly strengths?: readonly number[] | undefined;
}

interface Case extends SteeredRow {
  readonly place: number;
  readonly prompt: readonly number[];
  readonly reference: Float32Array;
  readonly topOther: number;
}

/** Three tokens hold the likeliest that is neither of two answers. */
const TOP = 3;

/**
 * Runs every example at every strength and compares each with the untouched model behind the example's own prompt. A steerer by words runs
 * its own prompts.
 * @throws LimnError `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`, `data/steering-length`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function evaluateSteering(
  model: HookedModel,
  steerer: Steerer,
  examples: readonly SteeringExample[],
  options: EvaluateSteeringOptions = {},
): Promise<SteeredExample[]> {
  const { strengths = [1, -1], ...controls } = options;
  checkExamples(examples, model.info);
  const references = await referenceRows(
    model,
    examples.map(({ prompt }) => prompt),
    controls,
  );
  const cases = examples.flatMap((example, i): Case[] => {
    const reference = references[i] as Float32Array;
    const topOther = likeliestOther(reference, example);
    return strengths.map((strength, s) => {
      const row = { example, strength };
      const prompt = steerer.prompt?.(row) ?? example.prompt;
      return { ...row, place: i * strengths.length + s, prompt, reference, topOther };
    });
  });
  const outcomes: SteeredOutcome[] = [];
  await inBatches(
    model.gpu,
    cases,
    {
      what: `Measuring ${steerer.name}`,
      unit: 'prompt',
      label: 'steered prompts',
      lengthOf: ({ prompt }) => prompt.length,
      record: (step, batch) => recordOutcomes(step, model, steerer, batch),
      take: async (step, recorded, places) => {
        const [delta, bucket, rest, shares, top] = await Promise.all([
          readFloats(step, recorded.delta),
          readFloats(step, recorded.bucket),
          readFloats(step, recorded.rest),
          readFloats(step, recorded.shares),
          readWords(step, recorded.top),
        ]);
        places.forEach((at, i) => {
          const { place, strength, example, reference, topOther } = cases[at] as Case;
          const { correct, wrong } = example;
          const others = [...top.subarray(i * TOP, (i + 1) * TOP)].filter((id) => id !== correct && id !== wrong);
          outcomes[place] = {
            strength,
            delta: delta[i] as number,
            bucket: bucket[i] as number,
            rest: rest[i] as number,
            mass: (shares[2 * i] as number) + (shares[2 * i + 1] as number),
            untouchedMass: Math.exp(reference[correct] as number) + Math.exp(reference[wrong] as number),
            sameTopOther: others[0] === topOther,
          };
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return examples.map(({ correct, wrong }, i) => {
    const reference = references[i] as Float32Array;
    return {
      untouchedDelta: (reference[correct] as number) - (reference[wrong] as number),
      outcomes: outcomes.slice(i * strengths.length, (i + 1) * strengths.length),
    };
  });
}

interface RecordedOutcomes {
  readonly delta: Tensor;
  readonly bucket: Tensor;
  readonly rest: Tensor;
  /** [N, 2] */
  readonly shares: Tensor;
  /** [N, 3] */
  readonly top: Tensor;
}

function recordOutcomes(step: Step, model: HookedModel, steerer: Steerer, batch: readonly Case[]): RecordedOutcomes {
  const N = batch.length;
  const V = model.info.vocabulary;
  const tokens = tokenBatch(
    batch.map(({ prompt }) => prompt),
    model.info,
  );
  const { logits } = model.run(step, { tokens }, { interventions: steerer.interventions(batch), logits: 'last' });
  const ids = fromData(step, Uint32Array.from(batch.flatMap(({ example }) => [example.correct, example.wrong])), [
    N,
    2,
  ]);
  const signs = fromData(
    step,
    Float32Array.from({ length: 2 * N }, (_, i) => 1 - 2 * (i % 2)),
    [N, 2],
  );
  const before = new Float32Array(N * V);
  batch.forEach(({ reference }, i) => before.set(reference, i * V));
  const reference = fromData(step, before, [N, V], { label: 'untouched model' });
  return {
    delta: gatherLogits(step, logits, ids, signs),
    bucket: bucketDivergence(step, reference, logits, ids, 'bucket'),
    rest: bucketDivergence(step, reference, logits, ids, 'rest'),
    shares: gatherProbabilities(step, logits, ids),
    top: topK(step, logits, TOP).indices,
  };
}

/** The likeliest token that is no answer; of equal ones that with the lowest id, as `topK` has it. */
function likeliestOther(reference: Float32Array, { correct, wrong }: SteeringExample): number {
  let best = -1;
  reference.forEach((value, id) => {
    if (id !== correct && id !== wrong && (best < 0 || value > (reference[best] as number))) best = id;
  });
  return best;
}
