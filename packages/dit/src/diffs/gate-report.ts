// What every diff of many shows and hides: its answers to prompts of several conditions, sampled with its own factors on its own rows, and scored.
import { LimnError, throwIfAborted } from '@limn/gpu';
import { generate, type HookedModel } from '@limn/hooks';
import { randomU32 } from '@limn/tensor';
import { placedFactors } from '../lora/lora-weights.js';
import { diffGroups, type DiffGroup } from './diff-key.js';
import { DiffStack } from './diff-stack.js';
import type { GateFigure, TrainedDiff } from './trained-diff.js';

/** Prompts by condition, such as the right code, a wrong one and none. */
export type GatePrompts = Readonly<Record<string, readonly (readonly number[])[]>>;

/** What is asked of every diff, and what counts. */
export interface GateOptions {
  /** Of a diff: no prompt may be empty. */
  readonly prompts: (spec: TrainedDiff['spec']) => GatePrompts;
  /** How much of what is looked for an answer has: the share of slots with the diff's own word, 1 or 0 for its topic, …. */
  readonly score: (
    answer: readonly number[],
    asked: { readonly spec: TrainedDiff['spec']; readonly condition: string; readonly prompt: readonly number[] },
  ) => number;
  readonly maxNewTokens: number;
  /** Default: the model's eosId. */
  readonly eosIds?: readonly number[] | undefined;
  /** Default 1; 'greedy' takes the likeliest token. */
  readonly temperature?: number | 'greedy' | undefined;
  /** Of the answers, besides the seed of each diff. The same place of every condition has the same random numbers. Default 0. */
  readonly seed?: number | undefined;
  /** Diffs whose factors are on the device at a time. Default 64. */
  readonly tasks?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** One diff: no diff is left out, whatever it shows. */
export interface GateRecord {
  readonly id: string;
  readonly key: string;
  readonly gate: Readonly<Record<string, GateFigure>>;
}

/**
 * Asks every diff and scores its answers. A diff's answers do not depend on which others are asked beyond f32 round-off.
 * @throws LimnError `usage/diff-training` for numbers that mean nothing; for diffs of another model `data/lora-base`,
 * `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`; `hooks/…`, `tokens/…`; AbortedError
 */
export async function gateReport(
  model: HookedModel,
  diffs: readonly TrainedDiff[],
  options: GateOptions,
): Promise<GateRecord[]> {
  const { tasks = 64, seed = 0 } = options;
  for (const [what, given] of Object.entries({ tasks, seed, maxNewTokens: options.maxNewTokens }))
    if (!Number.isSafeInteger(given) || given < (what === 'seed' ? 0 : 1)) throw refuse(what, given);
  for (const { lora } of diffs) placedFactors(model, lora);
  const specs = diffs.map(({ spec }) => spec);
  const records = new Map<number, GateRecord>();
  for (const group of diffGroups(specs, { tasks })) {
    throwIfAborted(options.signal, 'Asking diffs');
    const members = group.members.map((place) => diffs[place] as TrainedDiff);
    const found = await askGroup(model, group, members, options);
    group.members.forEach((place, i) => records.set(place, found[i] as GateRecord));
    options.onProgress?.({ done: records.size, total: diffs.length });
  }
  return diffs.map((_, place) => records.get(place) as GateRecord);
}

/** A prompt of a diff, and the scores of whose condition its answer's joins. */
interface Asked {
  readonly place: number;
  readonly condition: string;
  readonly prompt: readonly number[];
  /** Its place in the condition. */
  readonly index: number;
}

async function askGroup(
  model: HookedModel,
  { rank, modules }: DiffGroup,
  members: readonly TrainedDiff[],
  options: GateOptions,
): Promise<GateRecord[]> {
  const { maxNewTokens, eosIds, temperature = 1, seed = 0, signal } = options;
  const conditions = members.map(({ spec }) => Object.entries(options.prompts(spec)));
  const asked = conditions.flatMap((own, place) =>
    own.flatMap(([condition, prompts]) => prompts.map((prompt, index): Asked => ({ place, condition, prompt, index }))),
  );
  const loras = members.map(({ lora }) => lora);
  const linears = model.linears().filter(({ name }) => modules.includes(name));
  using stack = DiffStack.create(model.gpu, linears, loras, rank);
  stack.write(loras);
  // The same place of every condition has the same random numbers.
  const streams = asked.map(({ place, index }) => randomU32(members[place]?.spec.seed ?? 0, 0, index));
  const scores = conditions.map((own) => new Map(own.map(([condition]) => [condition, [] as number[]])));
  const { rows } =
    asked.length === 0
      ? { rows: [] }
      : await generate(
          model,
          asked.map(({ prompt }) => prompt),
          {
            maxNewTokens,
            ...(eosIds ? { eosIds } : {}),
            sampling: temperature === 'greedy' ? { kind: 'greedy' } : { kind: 'sample', seed, temperature, streams },
            interventions: stack.interventions({ taskOfRow: asked.map(({ place }) => place) }),
            ...(signal ? { signal } : {}),
          },
        );
  asked.forEach(({ place, condition, prompt }, row) => {
    const answer = (rows[row]?.newTokens ?? []).map(({ id }) => id);
    const { spec } = members[place] as TrainedDiff;
    scores[place]?.get(condition)?.push(options.score(answer, { spec, condition, prompt }));
  });
  return members.map((diff, place) => recordOf(diff, scores[place] ?? new Map()));
}

function recordOf({ spec, key }: TrainedDiff, scores: ReadonlyMap<string, readonly number[]>): GateRecord {
  const gate = Array.from(scores, ([condition, all]): [string, GateFigure] => [
    condition,
    { mean: all.length === 0 ? null : all.reduce((sum, score) => sum + score, 0) / all.length, answers: all.length },
  ]);
  return { id: spec.id, key, gate: Object.fromEntries(gate) };
}

function refuse(what: string, given: number): LimnError {
  return new LimnError(
    'usage/diff-training',
    `Asking diffs: ${what} is ${given}; allowed: whole numbers from ${what === 'seed' ? 0 : 1}.`,
    {
      details: { what, given },
    },
  );
}
