// What a model takes on the GPU: planned from its steps before they run, measured while it reads a prompt and continues it.
import { tensorsOf, type Gpt2 } from '@limn/gpt2';
import { formatBytes, LimnError } from '@limn/gpu';
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
  /** What buffers take beside the values in them, at most: it grows with their number, not with their size. */
  readonly overhead: number;
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

/** limn's own promise: a measured peak is at most this times the planned one, and the overhead, which shows in the smallest models only. */
export const PEAK_BOUND = 1.3;

/** Buffers are sized, and uniforms of a dispatch placed, in multiples of this (WebGPU's offset alignment). */
const ALIGNMENT = 256;
/** The uniforms' buffer begins with this; beyond it, it doubles, with the one before still there. */
const UNIFORM_BYTES = 65536;

/** Of a step with so many dispatches, each of which makes at most one buffer of its own, beside `buffers` others and the one that is read. */
function overheadOf(buffers: number, dispatches: number): number {
  return ALIGNMENT * (buffers + dispatches + 1) + Math.max(UNIFORM_BYTES, 3 * ALIGNMENT * dispatches);
}

/** What limn promises not to pass. */
export function allowedPeak({ peak, overhead }: Pick<MemoryPlan, 'peak' | 'overhead'>): number {
  return PEAK_BOUND * peak + overhead;
}

/** @throws LimnError `gpu/memory-bound` for a peak beyond what limn promises */
export function expectWithinBound({ peak, ratio }: MemoryMeasurement, plan: MemoryPlan): void {
  const allowed = allowedPeak(plan);
  if (peak <= allowed) return;
  throw new LimnError(
    'gpu/memory-bound',
    `the measured peak of ${formatBytes(peak)} is ${ratio.toFixed(3)} of the planned ${formatBytes(plan.peak)}; limn promises at most ${formatBytes(allowed)}`,
    {
      details: { peak, planned: plan.peak, overhead: plan.overhead, allowed },
      hint: 'This is a fault of limn. Report it with the lines above and the model.',
    },
  );
}

/** Ids of a prompt that no cache has seen: a walk through the vocabulary. */
function promptOf({ vocabulary }: { readonly vocabulary: number }, length: number): number[] {
  return Array.from({ length }, (_, t) => (7919 * t + 13) % vocabulary);
}

/** Records the first and the last step of a passage, and runs neither. */
export function planMemory(model: Gpt2, { promptTokens, newTokens }: Passage): MemoryPlan {
  const { info, gpu } = model;
  const { capacity } = planGeneration(info, [promptTokens], { maxNewTokens: newTokens, eosIds: [] });
  const tensors = [...model.parameters().values()].flatMap(tensorsOf);
  const weights = tensors.reduce((sum, { storage }) => sum + storage.byteLength, 0);
  using reading = gpu.step({ label: 'prefill' });
  const tokens = tokenBatch([promptOf(info, promptTokens)], info);
  const { cache } = model.prefill(reading, tokens, { logits: 'last', capacity });
  try {
    const { bytesLowerBound: prefill, dispatches } = reading.plan();
    let decode = 0;
    if (newTokens > 1) {
      using adding = gpu.step({ label: 'decode' });
      model.decode(adding, tokenBatch([[0]], info), cache, { logits: 'last' });
      decode = adding.plan().bytesLowerBound;
    }
    const cached = 2 * info.layers * capacity * info.heads * info.headWidth * 4;
    const peak = weights + cached + Math.max(prefill, decode);
    const overhead = overheadOf(tensors.length + 2 * info.layers, dispatches);
    return { weights, cache: cached, prefill, decode, peak, overhead };
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
