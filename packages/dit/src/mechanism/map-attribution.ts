// Which maps of a diff an answer rests on: integrated gradients over the diff's strength, the path that EAP-IG takes (arXiv 1703.01365; 2403.17806).
import { LimnError, shownValue, throwIfAborted } from '@limn/gpu';
import { tokenBatch, withTaskAdapters, type HookedModel } from '@limn/hooks';
import { crossEntropy, dot, fromData, gradients, readFloats, reshape, sumAll } from '@limn/tensor';
import { DiffStack } from '../diffs/diff-stack.js';
import { LoraAdapter } from '../lora/lora-adapter.js';
import { placedFactors, type BaseOptions, type LoraWeights, type PlacedFactors } from '../lora/lora-weights.js';
import { strengthCurve } from './layer-reading.js';

/** How a path is taken. */
export interface MapAttributionOptions extends BaseOptions {
  /** Points of the path, at strengths (k + ½) / steps. Default 16. */
  readonly steps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What every map of a diff adds to log P(answer | question), in nats. */
export interface MapAttribution {
  /** log P with the whole diff, and without it. */
  readonly whole: number;
  readonly none: number;
  /** In the model's order. */
  readonly maps: readonly { readonly map: string; readonly layer: number; readonly nats: number }[];
  /** whole − none − Σ nats: what so few steps leave; 0 in the limit. */
  readonly left: number;
}

/** Points of the path that are rows of one pass. */
const ROWS = 16;

/**
 * ∫₀¹ ∂/∂c_m log P(answer | question; base + Σ_m c_m·ΔW_m + adapter) at c = (α, …, α) dα of every map m, by the midpoint rule. The integrals of all maps add up to what the whole diff adds, as
 * log-probabilities with single maps zeroed do not. The derivative is ⟨∂/∂B_m, B_m⟩ / α, as the strength multiplies B_m. Cost: steps passes of one row, forward and backward.
 * @throws LimnError `usage/diff-reading` for steps that are none, and for a question or an answer without tokens; `tokens/…`; `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`,
 * `data/lora-base`, `data/lora-processed`, `usage/lora-strength`; `memory/over-budget`, `gpu/…`; AbortedError
 */
export async function mapAttribution(
  model: HookedModel,
  diff: LoraWeights,
  adapter: LoraWeights | null,
  question: readonly number[],
  answer: readonly number[],
  { steps = 16, anyBase, signal }: MapAttributionOptions = {},
): Promise<MapAttribution> {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw new LimnError(
      'usage/diff-reading',
      `The steps of a path are a whole number from 1; given ${shownValue(steps)}.`,
      {
        details: { given: shownValue(steps) },
      },
    );
  const ends = await strengthCurve(model, diff, adapter, question, answer, { strengths: [0, 1], anyBase, signal });
  const [none = 0, whole = 0] = ends.map(({ logProbability }) => logProbability);
  const placed = placedFactors(model, diff, { anyBase });
  const sums = placed.map(() => 0);
  using placedAdapter = adapter ? new LoraAdapter(model, adapter, { name: 'adapter', anyBase }) : null;
  for (let first = 0; first < steps; first += ROWS) {
    throwIfAborted(signal, 'attributing an answer to a diff');
    const strengths = Array.from({ length: Math.min(ROWS, steps - first) }, (_, i) => (first + i + 0.5) / steps);
    const slopes = await slopesAt(model, { diff, placed, adapter: placedAdapter }, { question, answer }, strengths);
    slopes.forEach((ofMap, m) => {
      for (const slope of ofMap) sums[m] = (sums[m] as number) + slope / steps;
    });
  }
  const maps = placed.map(({ linear: { name, layer } }, m) => ({ map: name, layer, nats: sums[m] as number }));
  return { whole, none, maps, left: whole - none - sums.reduce((sum, nats) => sum + nats, 0) };
}

interface PlacedDiff {
  readonly diff: LoraWeights;
  readonly placed: readonly PlacedFactors[];
  readonly adapter: LoraAdapter | null;
}

/** Of every map, the derivative of log P by the map's strength at each of `strengths`: rows of one batch. */
async function slopesAt(
  model: HookedModel,
  { diff, placed, adapter }: PlacedDiff,
  { question, answer }: { readonly question: readonly number[]; readonly answer: readonly number[] },
  strengths: readonly number[],
): Promise<number[][]> {
  const prompt = [...question, ...answer.slice(0, -1)];
  const [B, T] = [strengths.length, prompt.length];
  const rank = Math.max(...placed.map(({ factors }) => factors.rank));
  const linears = placed.map(({ linear }) => linear);
  using stack = DiffStack.create(
    model.gpu,
    linears,
    strengths.map(() => diff),
    rank,
  );
  stack.write(strengths.map(() => diff));
  const changes = stack.changes.map((change, m) => ({
    ...change,
    scales: strengths.map((strength) => strength * (placed[m] as PlacedFactors).scale),
  }));
  const step = model.gpu.step({ label: 'slopes by strength' });
  try {
    const edits = withTaskAdapters('diff', changes, { taskOfRow: strengths.map((_, row) => row) });
    const { logits } = model.run(
      step,
      {
        tokens: tokenBatch(
          Array.from({ length: B }, () => prompt),
          model.info,
        ),
      },
      {
        logits: strengths.flatMap((_, b) => answer.map((_id, i) => b * T + question.length - 1 + i)),
        interventions: [...edits, ...(adapter?.interventions() ?? [])],
      },
    );
    const targets = Uint32Array.from(strengths.flatMap(() => answer));
    const loss = sumAll(step, crossEntropy(step, logits, fromData(step, targets, [targets.length])));
    const factors = stack.changes.map(({ b }) => b);
    const slopes = gradients(step, loss, 'ones', factors);
    const products = factors.map((b, m) => {
      const flat = [B, b.size / B];
      return readFloats(step, dot(step, reshape(slopes[m] as typeof b, flat), reshape(b, flat), { axes: 1 }));
    });
    return (await Promise.all(products)).map((ofMap) =>
      // The loss is −log P.
      strengths.map((strength, row) => -(ofMap[row] as number) / strength),
    );
  } finally {
    step.dispose();
  }
}
