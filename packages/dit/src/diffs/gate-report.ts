// What every diff of many shows and hides: its answers to prompts of several conditions, sampled with its own factors on its own rows, and scored.
import { LimnError, throwIfAborted } from '@limn/gpu';
import { generate, type HookedModel } from '@limn/hooks';
import { randomU32 } from '@limn/tensor';
import type { SettledDiff } from './diff-spec.js';
import { stackRank } from './diff-spec.js';
import { DiffStack } from './diff-stack.js';
import type { TrainedDiff } from './trained-diff.js';

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
  /** Of the answers, with each diff's own seed. Default 0. */
  readonly seed?: number | undefined;
  /** Diffs whose factors are on the device at a time. Default 64. */
  readonly tasks?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** One condition of one diff. */
export interface GateFigure {
  /** Mean score of the answers; NaN where nothing was asked. */
  readonly mean: number;
  readonly answers: number;
}

/** One diff: no diff is left out, whatever it shows. */
export interface GateRecord {
  readonly id: string;
  readonly key: string;
  readonly gate: Readonly<Record<string, GateFigure>>;
}

/**
 * Asks every diff and scores its answers. A diff's answers do not depend on which others are asked beyond f32 round-off.
 * @throws LimnError `usage/diff-training` for numbers that mean nothing; `data/lora-module` for a diff of another model, `hooks/…`, `tokens/…`; AbortedError
 */
export async function gateReport(
  model: HookedModel,
  diffs: readonly TrainedDiff[],
  options: GateOptions,
): Promise<GateRecord[]> {
  const { tasks = 64, seed = 0 } = options;
  for (const [what, given] of Object.entries({ tasks, seed, maxNewTokens: options.maxNewTokens }))
    if (!Number.isSafeInteger(given) || given < (what === 'seed' ? 0 : 1)) throw refuse(what, given);
  const records: GateRecord[] = [];
  const byPlace = new Map<TrainedDiff, GateRecord>();
  for (const group of groupsOf(diffs, tasks)) {
    throwIfAborted(options.signal, 'Asking diffs');
    for (const [diff, record] of await askGroup(model, group, options)) byPlace.set(diff, record);
    options.onProgress?.({ done: byPlace.size, total: diffs.length });
  }
  for (const diff of diffs) records.push(byPlace.get(diff) as GateRecord);
  return records;
}

async function askGroup(
  model: HookedModel,
  group: readonly TrainedDiff[],
  options: GateOptions,
): Promise<Map<TrainedDiff, GateRecord>> {
  const { maxNewTokens, eosIds, temperature = 1, seed = 0, signal } = options;
  const names = new Set(group.flatMap(({ lora }) => [...lora.modules.keys()]));
  const linears = model.linears().filter(({ name }) => names.has(name));
  if (linears.length < names.size)
    throw ofAnotherModel(
      names,
      linears.map(({ name }) => name),
    );
  const asked = group.flatMap((diff, place) =>
    Object.entries(options.prompts(diff.spec)).flatMap(([condition, prompts]) =>
      prompts.map((prompt, i) => ({ diff, place, condition, prompt, i })),
    ),
  );
  const scores = new Map(
    group.map((diff) => [
      diff,
      new Map<string, number[]>(Object.keys(options.prompts(diff.spec)).map((name) => [name, []])),
    ]),
  );
  const rank = Math.max(...group.map(({ spec }) => stackRank(spec.rank)));
  using stack = DiffStack.create(
    model.gpu,
    linears,
    group.map(({ lora }) => lora),
    rank,
  );
  stack.write(group.map(({ lora }) => lora));
  if (asked.length > 0) {
    const made = await generate(
      model,
      asked.map(({ prompt }) => prompt),
      {
        maxNewTokens,
        ...(eosIds ? { eosIds } : {}),
        sampling:
          temperature === 'greedy'
            ? { kind: 'greedy' }
            : {
                kind: 'sample',
                seed,
                temperature,
                streams: asked.map(({ diff, i }) => randomU32(diff.spec.seed, 0, i)),
              },
        interventions: stack.interventions({ taskOfRow: asked.map(({ place }) => place) }),
        ...(signal ? { signal } : {}),
      },
    );
    asked.forEach(({ diff, condition, prompt }, row) => {
      const answer = (made.rows[row]?.newTokens ?? []).map(({ id }) => id);
      scores
        .get(diff)
        ?.get(condition)
        ?.push(options.score(answer, { spec: diff.spec, condition, prompt }));
    });
  }
  return new Map(group.map((diff) => [diff, recordOf(diff, scores.get(diff) as Map<string, number[]>)]));
}

function recordOf({ spec, key }: TrainedDiff, scores: ReadonlyMap<string, readonly number[]>): GateRecord {
  const gate = Array.from(scores, ([condition, all]): [string, GateFigure] => [
    condition,
    { mean: all.reduce((sum, score) => sum + score, 0) / all.length, answers: all.length },
  ]);
  return { id: spec.id, key, gate: Object.fromEntries(gate) };
}

/** Those of one rank and of the same maps together. */
function groupsOf(diffs: readonly TrainedDiff[], tasks: number): TrainedDiff[][] {
  const alike = new Map<string, TrainedDiff[]>();
  const keyOf = ({ rank, modules }: Pick<SettledDiff, 'rank' | 'modules'>): string =>
    `${stackRank(rank)} ${modules.join()}`;
  for (const diff of diffs) alike.set(keyOf(diff.spec), [...(alike.get(keyOf(diff.spec)) ?? []), diff]);
  return [...alike.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / tasks) }, (_, i) => group.slice(i * tasks, (i + 1) * tasks)),
  );
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

function ofAnotherModel(names: ReadonlySet<string>, known: readonly string[]): LimnError {
  const odd = [...names].find((name) => !known.includes(name)) as string;
  return new LimnError('data/lora-module', `A diff changes '${odd}', which is no linear map of the model.`, {
    details: { module: odd },
    hint: 'Ask diffs of this model.',
  });
}
