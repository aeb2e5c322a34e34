// What a model takes on the GPU: planned from its steps before they run, measured while it reads a prompt and continues it.
import { tensorsOf, type Gpt2 } from '@limn/gpt2';
import { generateStream, planGeneration, tokenBatch } from '@limn/hooks';

/** A prompt and its continuation. */
export interface Passage {
  readonly promptTokens: number;
  readonly newTokens: number;
}

/** Bytes on the GPU. */
export interface MemoryPlan {
  readonly weights: number;
  /** Keys and values of prompt and continuation. */
  readonly cache: number;
  /** Most bytes of values alive at one time while the prompt is read, and while a token is added: no plan can need less. */
  readonly prefill: number;
  readonly decode: number;
  /** Weights, cache and the larger of the two. */
  readonly peak: number;
}

/** What running it showed. */
export interface MemoryMeasurement {
  /** Most bytes of buffers that existed at one time, idle ones included. */
  readonly peak: number;
  /** Of the planned peak. */
  readonly ratio: number;
  /** Until the first new token was known, and for those after it. */
  readonly prefillSeconds: number;
  readonly decodeSeconds: number;
}

/** limn's own promise: a measured peak stays below this times the planned one. */
export const PEAK_BOUND = 1.3;

/** Ids of a prompt that no cache has seen: a walk through the vocabulary. */
function promptOf({ vocabulary }: { readonly vocabulary: number }, length: number): number[] {
  return Array.from({ length }, (_, t) => (7919 * t + 13) % vocabulary);
}

/** Records the first and the last step of a passage, and runs neither. */
export function planMemory(model: Gpt2, { promptTokens, newTokens }: Passage): MemoryPlan {
  const { info, gpu } = model;
  const { capacity } = planGeneration(info, [promptTokens], { maxNewTokens: newTokens, eosIds: [] });
  const weights = [...model.parameters().values()]
    .flatMap(tensorsOf)
    .reduce((sum, { storage }) => sum + storage.byteLength, 0);
  using reading = gpu.step({ label: 'prefill' });
  const tokens = tokenBatch([promptOf(info, promptTokens)], info);
  const { cache } = model.prefill(reading, tokens, { logits: 'last', capacity });
  try {
    const prefill = reading.plan().bytesLowerBound;
    let decode = 0;
    if (newTokens > 1) {
      using adding = gpu.step({ label: 'decode' });
      model.decode(adding, tokenBatch([[0]], info), cache, { logits: 'last' });
      decode = adding.plan().bytesLowerBound;
    }
    const cached = 2 * info.layers * capacity * info.heads * info.headWidth * 4;
    return { weights, cache: cached, prefill, decode, peak: weights + cached + Math.max(prefill, decode) };
  } finally {
    cache.dispose();
  }
}

/** Runs the passage, greedily, and counts from what is on the GPU when it is called. */
export async function measureMemory(
  model: Gpt2,
  { promptTokens, newTokens }: Passage,
  plan: MemoryPlan,
  controls: { readonly signal?: AbortSignal; readonly onToken?: (done: number) => void } = {},
): Promise<MemoryMeasurement> {
  const { info, gpu } = model;
  gpu.resetCounters();
  const started = performance.now();
  let first: number | undefined;
  const options = { maxNewTokens: newTokens, eosIds: [], ...(controls.signal ? { signal: controls.signal } : {}) };
  const stream = generateStream(model, [promptOf(info, promptTokens)], options);
  for await (const token of stream) {
    first ??= performance.now();
    controls.onToken?.(token.position - promptTokens + 1);
  }
  const ended = performance.now();
  const peak = gpu.counters.bytesPeak;
  return {
    peak,
    ratio: peak / plan.peak,
    prefillSeconds: ((first ?? ended) - started) / 1000,
    decodeSeconds: (ended - (first ?? ended)) / 1000,
  };
}
