// What every source node writes on average over some prompts: over all positions, or for each position of prompts of one length.
import { LimnError, sha256, type Step } from '@limn/gpu';
import { inBatches, settleControls, tokenBatch } from '@limn/hooks';
import type { HookedModel, HookName, RunControls } from '@limn/hooks';
import { expand, fromData, matmul, persistent, readFloats, reshape, type Tensor } from '@limn/tensor';
import { outputCaptures } from './node-outputs.js';

/** How means are taken. */
export interface MeanOptions extends RunControls {
  /** One mean for each position; all prompts then have one length. Default: one mean over all positions. */
  readonly positional?: boolean | undefined;
}

/** Mean outputs of every source, on the GPU; made by {@link meanOutputs}. */
export class MeanOutputs implements Disposable {
  readonly #sites: ReadonlyMap<HookName, Tensor>;

  constructor(
    /** Whether there is one mean for each position. */
    readonly positional: boolean,
    /** Positions that there are means for; 1 when they were taken over all positions. */
    readonly positions: number,
    /** How many prompts they were taken over. */
    readonly prompts: number,
    /** sha256 over the means: what decides every number that is computed with them. */
    readonly digest: string,
    sites: ReadonlyMap<HookName, Tensor>,
  ) {
    this.#sites = sites;
  }

  /**
   * The mean at a site of node outputs, repeated to `shape` [B, T, …].
   * @throws LimnError `data/mean-length`, `hooks/not-captured`
   */
  at(step: Step, name: HookName, shape: readonly number[]): Tensor {
    const mean = this.#sites.get(name);
    if (mean === undefined)
      throw new LimnError('hooks/not-captured', `There is no mean of ${name}: it holds no node's output.`, {
        details: { name, sites: [...this.#sites.keys()] },
      });
    const [, T = 0, ...rest] = shape;
    this.expectLength(T);
    return expand(step, reshape(mean, [1, this.positions, ...rest]), shape);
  }

  /**
   * Positional means belong to prompts of their own length.
   * @throws LimnError `data/mean-length`
   */
  expectLength(T: number): void {
    if (!this.positional || T === this.positions) return;
    throw new LimnError(
      'data/mean-length',
      `The means are of prompts with ${this.positions} tokens, position by position; a prompt here has ${T}.`,
      {
        details: { means: this.positions, prompt: T },
        hint: 'Take them over prompts of the same length, or over all positions (positional: false).',
      },
    );
  }

  /** Frees the means. */
  dispose(): void {
    for (const tensor of this.#sites.values()) tensor.dispose();
  }

  /** Frees the means at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * mean_u over `prompts`: of each prompt the mean over its own positions, and of these the mean, so that long prompts do not
 * count more; with `positional`, of each position the mean over prompts. f64 sums over batches. Dispose of the result.
 * @throws LimnError `data/mean-prompts` (none, or lengths that differ under `positional`), `memory/over-budget`,
 * `usage/batch-size`, `usage/memory`, `hooks/…` for tokens that the model does not take; AbortedError
 */
export async function meanOutputs(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  options: MeanOptions = {},
): Promise<MeanOutputs> {
  const { positional = false } = options;
  const controls = { ...options, ...settleControls(options) };
  const lengths = [...new Set(prompts.map(({ length }) => length))];
  if (lengths.length === 0 || (positional && lengths.length > 1))
    throw new LimnError(
      'data/mean-prompts',
      lengths.length === 0
        ? 'A mean needs at least one prompt.'
        : `Means for each position need prompts of one length; these have ${lengths.sort((a, b) => a - b).join(', ')} tokens.`,
      {
        details: { prompts: prompts.length, lengths },
        hint: 'Leave out prompts, or take the mean over all positions.',
      },
    );
  const positions = positional ? (lengths[0] as number) : 1;
  const names = outputCaptures(model);
  const sums = new Map<HookName, Float64Array>();
  await inBatches(
    model.gpu,
    prompts,
    {
      what: 'Mean outputs',
      unit: 'prompt',
      label: 'mean outputs',
      record(step, batch) {
        const tokens = tokenBatch(batch, model.info);
        const run = model.run(step, { tokens }, { capture: names, logits: 'none' });
        const weights = fromData(step, positionWeights(run.lengths, run.T, positional), [positions, run.B * run.T], {
          label: 'weights of the mean',
        });
        return names.map((name) => {
          const x = run.at(name);
          return matmul(step, weights, reshape(x, [run.B * run.T, x.size / (run.B * run.T)]));
        });
      },
      lengthOf: (prompt) => prompt.length,
      async take(step, recorded) {
        const values = await Promise.all(recorded.map((tensor) => readFloats(step, tensor)));
        for (const [i, name] of names.entries()) {
          const part = values[i] as Float32Array;
          const sum = sums.get(name) ?? new Float64Array(part.length);
          for (const [j, x] of part.entries()) sum[j] = (sum[j] as number) + x;
          sums.set(name, sum);
        }
      },
    },
    controls,
  );
  const means = [...sums].map(([name, sum]) => ({ name, mean: Float32Array.from(sum, (x) => x / prompts.length) }));
  const digests = await Promise.all(
    means.map(async ({ name, mean }) => `${name} ${await sha256(new Uint8Array(mean.buffer))}`),
  );
  const digest = await sha256(digests.join('\n'));
  const sites = new Map(
    means.map(({ name, mean }) => [
      name,
      persistent(model.gpu, [positions, mean.length / positions], mean, { label: `mean of ${name}` }),
    ]),
  );
  return new MeanOutputs(positional, positions, prompts.length, digest, sites);
}

/** [1, B·T] with 1/length at real positions, or [T, B·T] with 1 where the position is the row's. */
function positionWeights(lengths: readonly number[], T: number, positional: boolean): Float32Array {
  const rows = lengths.length * T;
  const weights = new Float32Array((positional ? T : 1) * rows);
  for (const [b, length] of lengths.entries())
    for (let t = 0; t < length; t++) weights[(positional ? t : 0) * rows + b * T + t] = positional ? 1 : 1 / length;
  return weights;
}
