// What every diff of many shows and hides: its answers to prompts of several conditions, sampled with its own factors on its own rows, and scored.
import type { HookedModel } from '@limn/hooks';
import { sampleAnswers, type SampleOptions } from '../baselines/sample-answers.js';
import type { GateFigure, TrainedDiff } from './trained-diff.js';

/** Prompts by condition, such as the right code, a wrong one and none. */
export type GatePrompts = Readonly<Record<string, readonly (readonly number[])[]>>;

/** What is asked of every diff, and what counts. */
export interface GateOptions extends Omit<SampleOptions, 'anyBase'> {
  /** Of a diff: no prompt may be empty. */
  readonly prompts: (spec: TrainedDiff['spec']) => GatePrompts;
  /** How much of what is looked for an answer has: the share of slots with the diff's own word, 1 or 0 for its topic, …. */
  readonly score: (
    answer: readonly number[],
    asked: { readonly spec: TrainedDiff['spec']; readonly condition: string; readonly prompt: readonly number[] },
  ) => number;
}

/** One diff: no diff is left out, whatever it shows. */
export interface GateRecord {
  readonly id: string;
  readonly key: string;
  readonly gate: Readonly<Record<string, GateFigure>>;
}

/**
 * Asks every diff and scores its answers. A diff's answers do not depend on which others are asked beyond f32 round-off.
 * @throws LimnError as `sampleAnswers`; AbortedError
 */
export async function gateReport(
  model: HookedModel,
  diffs: readonly TrainedDiff[],
  { prompts, score, ...options }: GateOptions,
): Promise<GateRecord[]> {
  const asked = diffs.map(({ spec, lora }) => ({ spec, lora, conditions: Object.entries(prompts(spec)) }));
  const answers = await sampleAnswers(
    model,
    asked.map(({ spec, lora, conditions }) => ({
      lora,
      seed: spec.seed,
      prompts: conditions.flatMap(([, own]) => own),
      // The same place of every condition has the same random numbers.
      draws: conditions.flatMap(([, own]) => [...own.keys()]),
    })),
    options,
  );
  return diffs.map(({ spec, key }, place): GateRecord => {
    let next = 0;
    const gate = (asked[place]?.conditions ?? []).map(([condition, own]): [string, GateFigure] => {
      const scores = own.map((prompt) => score(answers[place]?.[next++] ?? [], { spec, condition, prompt }));
      const mean = scores.length === 0 ? null : scores.reduce((sum, each) => sum + each, 0) / scores.length;
      return [condition, { mean, answers: scores.length }];
    });
    return { id: spec.id, key, gate: Object.fromEntries(gate) };
  });
}
