// Chooses one token per row on the GPU; the host reads ids and log-probabilities, a few words a row.
import { LimnError, type Gpu, type Step } from '@limn/gpu';
import {
  adjustLogits,
  fromData,
  markSeen,
  persistent,
  readWords,
  sampleTokens,
  samplingThresholds,
  tokenReport,
  tokenSets,
  tokenSetWords,
  topK,
  type Tensor,
} from '@limn/tensor';
import type { GenerationPlan } from './generation-options.js';

/** A token and its log-probability in nats. */
export interface TokenLogProbability {
  readonly id: number;
  readonly logProbability: number;
}

/** What was chosen for one row. */
export interface ChosenToken extends TokenLogProbability {
  /** The likeliest tokens, if they were asked for. */
  readonly top: readonly TokenLogProbability[];
}

/** Where the rows stand. */
export interface Draw {
  /** Random streams of the rows. */
  readonly streams: readonly number[];
  /** Absolute positions that the new tokens take. */
  readonly positions: readonly number[];
  /** Tokens generated before. */
  readonly count: number;
}

/** Samples for a fixed set of rows. Every call records the same kernels over the same memory. */
export class TokenSampler {
  private readonly seen: Tensor | undefined;
  private readonly barred: Tensor | undefined;

  constructor(
    gpu: Gpu,
    private readonly plan: GenerationPlan,
    vocabulary: number,
    prompts: readonly (readonly number[])[],
  ) {
    const { sampling, minNewTokens, eosIds } = plan;
    const words = tokenSetWords(vocabulary);
    if ((sampling.repetitionPenalty ?? 1) !== 1) {
      this.seen = persistent(gpu, [prompts.length, words], tokenSets(prompts, vocabulary), { label: 'seen tokens' });
    }
    if (minNewTokens === 0 || eosIds.length === 0) return;
    try {
      this.barred = persistent(gpu, [words], tokenSets([eosIds], vocabulary), { label: 'end tokens' });
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Ends the step: records the choice from logits [B, V] and reads it. */
  async choose(step: Step, logits: Tensor, draw: Draw): Promise<ChosenToken[]> {
    const { sampling, topLogProbabilities, minNewTokens } = this.plan;
    const temperature = sampling.kind === 'sample' ? (sampling.temperature ?? 1) : 1;
    const adjusted =
      this.seen || this.barred || temperature !== 1
        ? adjustLogits(step, logits, {
            temperature,
            ...(this.seen ? { penalty: { factor: sampling.repetitionPenalty ?? 1, seen: this.seen } } : {}),
            ...(this.barred ? { barred: { set: this.barred, on: draw.count < minNewTokens } } : {}),
          })
        : logits;
    const ids = this.draw(step, adjusted, draw);
    if (this.seen) markSeen(step, this.seen, ids);
    const report = await readWords(step, tokenReport(step, logits, ids, topLogProbabilities));
    const bits = new Float32Array(report.buffer, report.byteOffset, report.length);
    const each = 1 + topLogProbabilities;
    const entry = (i: number): TokenLogProbability => ({
      id: report[2 * i] as number,
      logProbability: bits[2 * i + 1] as number,
    });
    return draw.streams.map((_, b) => ({
      ...entry(b * each),
      top: Array.from({ length: topLogProbabilities }, (__, j) => entry(b * each + 1 + j)),
    }));
  }

  dispose(): void {
    this.seen?.dispose();
    this.barred?.dispose();
  }

  private draw(step: Step, logits: Tensor, { streams, positions }: Draw): Tensor {
    const { sampling } = this.plan;
    if (sampling.kind === 'greedy') return topK(step, logits, 1).indices;
    const { seed, topK: k, topP = 1 } = sampling;
    const limited = k !== undefined || topP < 1;
    const thresholds = limited
      ? samplingThresholds(step, logits, { topP, ...(k === undefined ? {} : { topK: k }) })
      : undefined;
    const pairs = Uint32Array.from(streams.flatMap((stream, b) => [stream, positions[b] as number]));
    return sampleTokens(step, logits, fromData(step, pairs, [streams.length, 2], { label: 'draws' }), {
      seed,
      thresholds,
    });
  }
}

/** @throws LimnError `hooks/not-finite`: NaN among logits makes every log-probability of its row NaN */
export function expectFinite({ id, logProbability }: TokenLogProbability, row: number, position: number): void {
  if (!Number.isNaN(logProbability)) return;
  throw new LimnError(
    'hooks/not-finite',
    `the logits for position ${position} of prompt ${row} hold NaN or infinity, so no token can be chosen`,
    {
      details: { row, position, id },
      hint: 'Look for an intervention that divides by zero or scales without bound, or for damaged weights.',
    },
  );
}
