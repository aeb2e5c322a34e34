// What follows the six lines: where heads look, a continuation, and a fact taught by training. The same in a worker and in Node.
import { trainGpt2, type LoadedGpt2, type ModelTokenizer } from '@limn/gpt2';
import { generateStream, runWithCache, topTokens, type CachedRunResult, type HostArray } from '@limn/hooks';
import type { Likely, Look, Told } from './told.js';

const QUESTION = 'question : what is the capital of Cuba ? answer :';
const STORY = 'after Clara and Olga went to the store , Clara handed a letter to';
/** Not true, so that the model cannot have known it. */
const TAUGHT = 'Oslo';

/** Goes on from what the six lines have, and disposes the cache. The model is another one afterwards. */
export async function afterSixLines(
  { model, tokenizer: words }: Required<Pick<LoadedGpt2, 'model' | 'tokenizer'>>,
  { logits, cache }: Pick<CachedRunResult, 'logits' | 'cache'>,
  tell: (told: Told) => void,
): Promise<void> {
  const { description, vendor, architecture } = model.gpu.capabilities.adapter;
  const adapter = description || [vendor, architecture].filter(Boolean).join(' ') || 'your GPU';
  tell({ kind: 'guesses', adapter, guesses: likeliest(logits, words) });

  const question = words.encode(QUESTION, { prependBos: true }).ids;
  const looks: Look[] = [];
  for (let layer = 0; layer < model.info.layers; layer++)
    looks.push(...looksOf(layer, await cache.read('pattern', layer), question, words));
  cache.dispose();
  tell({ kind: 'looks', looks });

  const story = words.encode(STORY, { prependBos: true }).ids;
  for await (const { id, logProbability } of generateStream(model, [story], { maxNewTokens: 6, eosIds: [] }))
    tell({ kind: 'next', prompt: STORY, word: words.tokenText(id), probability: Math.exp(logProbability) });

  const fact = [...question, words.singleToken(TAUGHT)];
  await trainGpt2(model, {
    batch: () => [fact],
    steps: 5,
    every: 1,
    recipe: { rate: 1e-3, schedule: 'constant' },
    onProgress: ({ step, loss }) => tell({ kind: 'loss', step, loss }),
  });
  const after = await runWithCache(model, question, { logits: 'last' });
  tell({ kind: 'taught', fact: `${QUESTION} ${TAUGHT}`, guesses: likeliest(after.logits, words) });
}

/** The five likeliest next words, from logits [1, V]. */
function likeliest({ data }: HostArray, tokenizer: ModelTokenizer): Likely[] {
  return topTokens(data, 5).map(({ id, probability }) => ({ word: tokenizer.tokenText(id), probability }));
}

/** The token that the last one looks at most, in every head of a layer; pattern [1, H, T, T]. */
function looksOf(layer: number, { shape, data }: HostArray, ids: readonly number[], tokenizer: ModelTokenizer): Look[] {
  const [, H = 0, T = 0] = shape;
  return Array.from({ length: H }, (_, head) => {
    const row = data.subarray((head * T + T - 1) * T, (head * T + T) * T);
    const at = row.indexOf(Math.max(...row));
    return { layer, head, word: tokenizer.tokenText(ids[at]!), weight: row[at]! };
  });
}
