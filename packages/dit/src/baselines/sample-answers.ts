// What many diffs answer to many prompts: sampled with each diff's own factors on its own rows, from random streams of its own. The "20 questions" of arXiv 2510.05092.
import { LimnError, throwIfAborted } from '@limn/gpu';
import { generate, type HookedModel } from '@limn/hooks';
import { randomU32 } from '@limn/tensor';
import { DiffStack } from '../diffs/diff-stack.js';
import type { BaseOptions, LoraWeights } from '../lora/lora-weights.js';
import { loraGroups } from './lora-groups.js';

/** What is asked of one diff. */
export interface AskedDiff {
  /** null asks the bare model. */
  readonly lora: LoraWeights | null;
  /** No prompt may be empty. */
  readonly prompts: readonly (readonly number[])[];
  /** Of its answers. Default 0. */
  readonly seed?: number | undefined;
  /** A number for every prompt: prompts of one number have the same random numbers. Default: their places. */
  readonly draws?: readonly number[] | undefined;
}

/** How answers are sampled. */
export interface SampleOptions extends BaseOptions {
  readonly maxNewTokens: number;
  /** Default: the model's eosId. */
  readonly eosIds?: readonly number[] | undefined;
  /** Default 1; 'greedy' takes the likeliest token. */
  readonly temperature?: number | 'greedy' | undefined;
  /** Besides the seed of each diff. Default 0. */
  readonly seed?: number | undefined;
  /** Diffs whose factors are on the device at a time. Default 64. */
  readonly tasks?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Diffs that have answered. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/**
 * The answers of every diff in the order of its prompts, as new tokens with the one that ended them. A diff's answers depend on its prompts, seed and draws, and on which others are asked only within
 * f32 round-off.
 * @throws LimnError `usage/diff-training` for numbers that mean nothing; for diffs of another model `data/lora-base`,
 * `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`; `hooks/…`, `tokens/…`; AbortedError
 */
export async function sampleAnswers(
  model: HookedModel,
  asked: readonly AskedDiff[],
  options: SampleOptions,
): Promise<number[][][]> {
  const { tasks = 64, seed = 0, anyBase, signal, onProgress } = options;
  for (const [what, given] of Object.entries({ tasks, seed, maxNewTokens: options.maxNewTokens }))
    checkWhole(what, given, what === 'seed' ? 0 : 1);
  for (const { seed: own = 0, draws, prompts } of asked) {
    checkWhole("a diff's seed", own, 0);
    if (draws) checkWhole('the number of draws', draws.length, prompts.length, prompts.length);
    for (const draw of draws ?? []) checkWhole('a draw', draw, 0, 2 ** 32 - 1);
  }
  const answers: number[][][] = asked.map(() => []);
  const changed = asked.flatMap(({ lora }, place) => (lora ? [{ place, lora }] : []));
  const bare = asked.flatMap(({ lora }, place) => (lora ? [] : [place]));
  let done = 0;
  const take = async (places: readonly number[], stack?: DiffStack): Promise<void> => {
    const members = places.map((place) => asked[place] as AskedDiff);
    const given = await answersOf(model, members, options, stack);
    places.forEach((place, i) => (answers[place] = given[i] ?? []));
    done += places.length;
    onProgress?.({ done, total: asked.length });
  };
  const loras = changed.map(({ lora }) => lora);
  for (const group of loraGroups(model, loras, { tasks, anyBase })) {
    throwIfAborted(signal, 'Asking diffs');
    using stack = DiffStack.create(model.gpu, group.linears, group.loras, group.rank);
    stack.write(group.loras);
    const places = group.members.flatMap((member) => changed[member]?.place ?? []);
    await take(places, stack);
  }
  for (let first = 0; first < bare.length; first += tasks) {
    throwIfAborted(signal, 'Asking the bare model');
    await take(bare.slice(first, first + tasks));
  }
  return answers;
}

/** All rows of some diffs in one call: diff i of the list is the stack's i-th place. */
async function answersOf(
  model: HookedModel,
  members: readonly AskedDiff[],
  { maxNewTokens, eosIds, temperature = 1, seed = 0, signal }: SampleOptions,
  stack: DiffStack | undefined,
): Promise<number[][][]> {
  const rows = members.flatMap(({ prompts, draws, seed: own = 0 }, place) =>
    prompts.map((prompt, i) => ({ place, prompt, stream: randomU32(own, 0, draws?.[i] ?? i) })),
  );
  const answers: number[][][] = members.map(() => []);
  if (rows.length === 0) return answers;
  const streams = rows.map(({ stream }) => stream);
  const made = await generate(
    model,
    rows.map(({ prompt }) => prompt),
    {
      maxNewTokens,
      ...(eosIds ? { eosIds } : {}),
      sampling: temperature === 'greedy' ? { kind: 'greedy' } : { kind: 'sample', seed, temperature, streams },
      interventions: stack?.interventions({ taskOfRow: rows.map(({ place }) => place) }) ?? [],
      ...(signal ? { signal } : {}),
    },
  );
  rows.forEach(({ place }, row) => answers[place]?.push((made.rows[row]?.newTokens ?? []).map(({ id }) => id)));
  return answers;
}

function checkWhole(what: string, given: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(given) && given >= least && given <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  const allowed = least === most ? `${least}` : `whole numbers ${range}`;
  throw new LimnError('usage/diff-training', `Asking diffs: ${what} is ${given}; allowed: ${allowed}.`, {
    details: { what, given, allowed },
  });
}
