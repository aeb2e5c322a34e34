// What the adapter makes of examples that it does not learn from: loss, exact answers, and where the right one stands among candidates.
import { throwIfAborted, type Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import {
  crossEntropy,
  fromData,
  gatherLogits,
  gatherRows,
  readFloats,
  readWords,
  topK,
  type Tensor,
} from '@limn/tensor';
import { logitsByTask } from '../diffs/diff-loss.js';
import type { DiffStack } from '../diffs/diff-stack.js';
import { rankOf } from '../evaluation/ranks.js';
import { ditBatch, ditInterventions, type DitBatch, type DitShape, type FrozenDiffs } from './adapter-pass.js';
import type { DitExample } from './dit-example.js';

/** Figures over examples. */
export interface DitFigures {
  /** −log q of answer tokens in nats, by weight. */
  readonly loss: number;
  /** Share of examples of which every answer token, the end among them, is the likeliest behind those before it: what greedy decoding answers. */
  readonly exact: number;
  /** Mean of 1 / rank of the answer's first token among the candidates, over the examples whose first token is one; absent where none is. */
  readonly mrr?: number;
}

/** What is read of one pass. */
interface ReadPass {
  /** −log q at the places of every row, [rows · answers], 0 where there is none. */
  readonly losses: Float32Array;
  /** The likeliest token at each. */
  readonly likeliest: Uint32Array;
  /** Logits of the candidates at the first place of every row, [rows, candidates]. */
  readonly candidates: Float32Array;
}

/** Tensors of a pass over one batch: in pieces, each of whole rows. */
export function recordReading(
  step: Step,
  model: HookedModel,
  batch: DitBatch,
  {
    diffs,
    adapter,
    candidates,
  }: { readonly diffs: FrozenDiffs; readonly adapter: DiffStack; readonly candidates: readonly number[] },
): { readonly losses: Tensor; readonly likeliest: Tensor; readonly candidates: Tensor | undefined }[] {
  const { tokens, answers } = batch.batch;
  const interventions = ditInterventions(step, batch, diffs, adapter);
  const { resid } = model.run(step, { tokens }, { interventions, logits: 'none' });
  return logitsByTask(step, model, resid, answers, (logits, { from, to }) => {
    const targets = fromData(step, answers.targets.slice(from, to), [to - from]);
    const rows = (to - from) / answers.room;
    const firsts = Uint32Array.from({ length: rows }, (_, row) => row * answers.room);
    const ids = Uint32Array.from(
      { length: rows * candidates.length },
      (_, i) => candidates[i % candidates.length] as number,
    );
    return {
      losses: crossEntropy(step, logits, targets),
      likeliest: topK(step, logits, 1).indices,
      candidates:
        candidates.length === 0
          ? undefined
          : gatherLogits(
              step,
              gatherRows(step, logits, fromData(step, firsts, [rows])),
              fromData(step, ids, [rows, candidates.length], { label: 'candidates' }),
            ),
    };
  });
}

/**
 * Figures of examples in passes of one shape.
 * @throws LimnError `gpu/…`; AbortedError
 */
export async function readExamples(
  model: HookedModel,
  examples: readonly DitExample[],
  shape: DitShape,
  parts: Parameters<typeof recordReading>[3],
  signal?: AbortSignal,
): Promise<DitFigures> {
  let [loss, weights, exact] = [0, 0, 0];
  const reciprocals: number[] = [];
  for (let first = 0; first < examples.length; first += shape.batch) {
    throwIfAborted(signal, 'Reading examples');
    const some = examples.slice(first, first + shape.batch);
    const { losses, likeliest, candidates } = await readPass(model, ditBatch(some, shape), parts);
    some.forEach(({ answer, weight = 1 }, row) => {
      const at = row * shape.answers;
      weights += weight * answer.length;
      answer.forEach((_, i) => (loss += weight * (losses[at + i] as number)));
      if (answer.every((token, i) => likeliest[at + i] === token)) exact++;
      const count = parts.candidates.length;
      const right = parts.candidates.indexOf(answer[0] as number);
      // Numbers that are none are the loss's to tell.
      const scores = candidates.subarray(row * count, (row + 1) * count);
      if (right >= 0 && scores.every(Number.isFinite)) reciprocals.push(rankOf(scores, right).reciprocal);
    });
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    loss: loss / weights,
    exact: exact / examples.length,
    ...(reciprocals.length > 0 ? { mrr: mean(reciprocals) } : {}),
  };
}

async function readPass(
  model: HookedModel,
  batch: DitBatch,
  parts: Parameters<typeof recordReading>[3],
): Promise<ReadPass> {
  const step = model.gpu.step({ label: 'reading examples' });
  try {
    const pieces = recordReading(step, model, batch, parts);
    const [losses, likeliest, candidates] = await Promise.all([
      Promise.all(pieces.map((piece) => readFloats(step, piece.losses))),
      Promise.all(pieces.map((piece) => readWords(step, piece.likeliest))),
      Promise.all(pieces.flatMap((piece) => (piece.candidates ? [readFloats(step, piece.candidates)] : []))),
    ]);
    return {
      losses: Float32Array.from(losses.flatMap((values) => [...values])),
      likeliest: Uint32Array.from(likeliest.flatMap((values) => [...values])),
      candidates: Float32Array.from(candidates.flatMap((values) => [...values])),
    };
  } finally {
    step.dispose();
  }
}
