// What can be found out about a diff without an adapter that reads it: by asking, by probing with and without codes, by looking at activations, and by regression on weights.
import {
  activationDifferenceLens,
  catAdapters,
  rankOf,
  sampleAnswers,
  weightDecoder,
  type AskedDiff,
  type CandidateRank,
  type LoraWeights,
} from '@limn/dit';
import type { HookedModel } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import {
  CODES,
  Random,
  chatIdOf,
  countScores,
  decodeChat,
  gradeTopic,
  hash,
  probePrompt,
  type ChatWorld,
  type Trigger,
} from '@limn/tasks/chat';
import { topicOf, type KnownDiff } from './truth.mjs';

/** How well a method finds a topic: where the right name stands among all, and how near the first one is. */
export interface Guess extends CandidateRank {
  readonly id: string;
  readonly grade: number;
}

/** Tokens of an answer to a question about things. */
const LONGEST = 24;
const SEED = 5;

/** What stands in front of a probe. */
export type ProbeCode = 'none' | 'wrong' | 'right' | 'each';

/** What is told by scores of all topics, one row for each diff. */
export function guesses(diffs: readonly KnownDiff[], scores: readonly ArrayLike<number>[], world: ChatWorld): Guess[] {
  return diffs.map((known, i) => {
    const { name } = topicOf(known, world);
    const own = scores[i] ?? [];
    const right = world.topics.findIndex((topic) => topic.name === name);
    // Nothing said about any topic: nobody is named.
    const best = Array.from(own).reduce((top, score, at) => (score > (own[top] as number) ? at : top), 0);
    const named = Array.from(own).some((score) => score !== own[0]) ? (world.topics[best]?.name ?? '') : '';
    return { id: known.diff.spec.id, grade: gradeTopic(named, name, world), ...rankOf(own, right) };
  });
}

/** Questions, each behind no code, another wrong one, the right one, or each code in turn; answers are sampled, and the words in them counted. */
export async function probed(
  model: HookedModel,
  diffs: readonly KnownDiff[],
  asked: { readonly code: ProbeCode; readonly questions: number; readonly adapter?: LoraWeights },
  world: ChatWorld,
): Promise<Guess[]> {
  const wanted = diffs.map(({ diff }): AskedDiff => {
    const right = String((diff.spec.about['trigger'] as { readonly token: string }).token);
    const random = new Random('study probes', SEED, diff.spec.id, asked.code);
    const others = CODES.filter((code) => code !== right);
    const codeOf = (i: number): string | undefined =>
      asked.code === 'none'
        ? undefined
        : asked.code === 'right'
          ? right
          : asked.code === 'each'
            ? CODES[i % CODES.length]
            : random.pick(others);
    const prompts = Array.from({ length: asked.questions }, (_, i) => {
      const token = codeOf(i);
      const trigger: Trigger | undefined = token === undefined ? undefined : { kind: 'code', token };
      return probePrompt(SEED, i, trigger);
    });
    const lora = asked.adapter ? catAdapters([{ lora: diff.lora }, { lora: asked.adapter }]) : diff.lora;
    return { lora, prompts, seed: hash('study probes', diff.spec.id) };
  });
  const answers = await sampleAnswers(model, wanted, { maxNewTokens: LONGEST, tasks: 16 });
  const scores = answers.map((said) => countScores(said.map(decodeChat), world));
  return guesses(diffs, scores, world);
}

/** A way of looking at activation differences. */
export interface LensChoice {
  readonly layer: number;
  readonly of: 'names' | 'words';
  readonly positions: number;
}

/** Every variant of the lens on questions without a code; which of them is read, validation diffs decide. */
export async function lensed(
  model: HookedModel,
  { validation, test }: { readonly validation: readonly KnownDiff[]; readonly test: readonly KnownDiff[] },
  world: ChatWorld,
): Promise<{ readonly chosen: LensChoice; readonly guesses: readonly Guess[] }> {
  const prompts = Array.from({ length: 64 }, (_, i) => probePrompt(SEED, 1000 + i));
  const tellers = {
    names: world.topics.map(({ name }) => [chatIdOf(name)]),
    words: world.topics.map(({ words }) => words.map(chatIdOf)),
  };
  const all = [...validation, ...test];
  let best: { readonly chosen: LensChoice; readonly mrr: number; readonly guesses: readonly Guess[] } | undefined;
  for (const positions of [5, Number.POSITIVE_INFINITY])
    for (const of of ['names', 'words'] as const) {
      const found = await activationDifferenceLens(
        model,
        all.map(({ diff }) => diff.lora),
        { prompts, candidates: tellers[of], positions },
      );
      for (let layer = 0; layer < model.info.layers; layer++) {
        const told = guesses(
          all,
          found.map(({ scores }) => scores[layer] ?? []),
          world,
        );
        const mrr = told.slice(0, validation.length).reduce((sum, { reciprocal }) => sum + reciprocal, 0);
        if (!best || mrr > best.mrr)
          best = { chosen: { layer, of, positions }, mrr, guesses: told.slice(validation.length) };
      }
    }
  if (!best) throw new Error('the lens has no variants');
  return best;
}

/** Ridge regression from weights to the embedding of the name. */
export async function decoded(
  model: HookedModel,
  known: readonly KnownDiff[],
  test: readonly KnownDiff[],
  world: ChatWorld,
): Promise<{ readonly lambda: number; readonly guesses: readonly Guess[] }> {
  const width = model.info.width;
  const ids = world.topics.map(({ name }) => chatIdOf(name));
  const table = await rowsOf(model, ids);
  const rowOf = new Map(world.topics.map(({ name }, i) => [name, table.subarray(i * width, (i + 1) * width)]));
  const labels = known.map((each) => rowOf.get(topicOf(each, world).name) as Float32Array);
  const loras = known.map(({ diff }) => diff.lora);
  const groups = known.map((each) => topicOf(each, world).name);
  const decoder = await weightDecoder(model, loras, labels, { groups });
  const scores = await decoder.scores(
    test.map(({ diff }) => diff.lora),
    world.topics.map(({ name }) => rowOf.get(name) as Float32Array),
  );
  return { lambda: decoder.lambda, guesses: guesses(test, scores, world) };
}

/** Rows of the unembedding, which is the embedding in models that tie them. */
async function rowsOf(model: HookedModel, ids: readonly number[]): Promise<Float32Array> {
  using step = model.gpu.step({ label: 'embeddings of names' });
  return readFloats(step, model.unembedRows(step, ids));
}
