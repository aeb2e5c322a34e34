// Both prompts of many pairs run once and held: what every layer's features, neurons and heads are in each, and the metric under edits that set them.
import {
  blockHook,
  intervene,
  tokenBatch,
  type HookedModel,
  type HookName,
  type Intervention,
  type TokenBatch,
} from '@limn/hooks';
import { probDiff } from '@limn/tasks';
import { add, expand, fromData, keep, matmul, mul, readFloats, reshape, sub, type Tensor } from '@limn/tensor';
import type { Dictionary } from '@limn/transcoders';
import type { StudiedPair } from './cases.mjs';

export type Side = 'clean' | 'corrupted';

/** One prompt of every pair, by layer. */
export interface HeldSide {
  readonly tokens: TokenBatch;
  /** a [B·T, F] */
  readonly activations: readonly Tensor[];
  /** [B, T, C] */
  readonly mlpOut: readonly Tensor[];
  /** [B, T, M] */
  readonly neurons: readonly Tensor[];
  /** z [B, T, H, K] */
  readonly heads: readonly Tensor[];
}

/** By layer, what is meant: 1 for these features, neurons or heads. */
export type Masks = readonly Float32Array[];

/** Pairs whose two prompts are held on the GPU. */
export class PairRuns implements Disposable {
  private constructor(
    readonly model: HookedModel,
    readonly dictionaries: readonly Dictionary[],
    readonly pairs: readonly StudiedPair[],
    readonly sides: Readonly<Record<Side, HeldSide>>,
    /** Mean p(correct) − p(incorrect) of the prompts as they are, with the answers of the clean one. */
    readonly metric: Readonly<Record<Side, number>>,
  ) {}

  static async of(
    model: HookedModel,
    dictionaries: readonly Dictionary[],
    pairs: readonly StudiedPair[],
  ): Promise<PairRuns> {
    const clean = await hold(model, dictionaries, pairs, 'clean');
    const corrupted = await hold(model, dictionaries, pairs, 'corrupted');
    return new PairRuns(
      model,
      dictionaries,
      pairs,
      { clean: clean.side, corrupted: corrupted.side },
      {
        clean: clean.metric,
        corrupted: corrupted.metric,
      },
    );
  }

  /** The mean metric of one side's prompts under edits. */
  async under(side: Side, interventions: readonly Intervention[]): Promise<number> {
    using step = this.model.gpu.step({ label: 'features: edited run' });
    const run = this.model.run(step, { tokens: this.sides[side].tokens }, { interventions, logits: 'last' });
    return meanMetric(await readFloats(step, run.logits), this.pairs);
  }

  /** Share of the difference between the two prompts: of the metric lost when the clean prompt is edited like this. */
  async lost(interventions: readonly Intervention[]): Promise<number> {
    const { clean, corrupted } = this.metric;
    return (clean - (await this.under('clean', interventions))) / (clean - corrupted);
  }

  /** Share of it that is kept. */
  async kept(interventions: readonly Intervention[]): Promise<number> {
    return 1 - (await this.lost(interventions));
  }

  [Symbol.dispose](): void {
    for (const { activations, mlpOut, neurons, heads } of Object.values(this.sides))
      for (const tensor of [...activations, ...mlpOut, ...neurons, ...heads]) tensor.dispose();
  }
}

async function hold(
  model: HookedModel,
  dictionaries: readonly Dictionary[],
  pairs: readonly StudiedPair[],
  side: Side,
): Promise<{ readonly side: HeldSide; readonly metric: number }> {
  const tokens = tokenBatch(
    pairs.map((pair) => pair[side]),
    model.info,
  );
  const sites = dictionaries.map((dictionary, layer) => ({
    dictionary,
    out: blockHook(layer, 'hook_mlp_out'),
    post: blockHook(layer, 'mlp.hook_post'),
    z: blockHook(layer, 'attn.hook_z'),
  }));
  using step = model.gpu.step({ label: 'features: a side of the pairs' });
  const capture: HookName[] = sites.flatMap(({ dictionary, out, post, z }) => [dictionary.reads, out, post, z]);
  const run = model.run(step, { tokens }, { capture, logits: 'last' });
  const held = sites.map(({ dictionary, out, post, z }) => {
    const x = run.at(dictionary.reads);
    return {
      activations: keep(step, dictionary.encode(step, reshape(x, [tokens.B * tokens.T, x.shape.at(-1) as number]))),
      mlpOut: keep(step, run.at(out)),
      neurons: keep(step, run.at(post)),
      heads: keep(step, run.at(z)),
    };
  });
  const metric = meanMetric(await readFloats(step, run.logits), pairs);
  return {
    side: {
      tokens,
      activations: held.map((each) => each.activations),
      mlpOut: held.map((each) => each.mlpOut),
      neurons: held.map((each) => each.neurons),
      heads: held.map((each) => each.heads),
    },
    metric,
  };
}

function meanMetric(logits: Float32Array, pairs: readonly StudiedPair[]): number {
  const V = logits.length / pairs.length;
  return (
    pairs.reduce(
      (sum, { correct, incorrect }, b) => sum + probDiff(logits.subarray(b * V, (b + 1) * V), correct, incorrect),
      0,
    ) / pairs.length
  );
}

/** Whether a layer has anything under a mask. */
const isEmpty = (mask: Float32Array): boolean => mask.every((each) => each === 0);

/** Features set to what they are in another run of the same pairs, wherever they are: y + ((a' − a)∘m)·W_dec. What the dictionary misses stays. */
export function featuresSetTo({ dictionaries }: PairRuns, to: HeldSide, masks: Masks): Intervention[] {
  return dictionaries.flatMap((dictionary, layer) => {
    const mask = masks[layer] as Float32Array;
    if (isEmpty(mask)) return [];
    return [
      intervene(
        blockHook(layer, 'hook_mlp_out'),
        'features set',
        (y, { step, at }) => {
          const x = at(dictionary.reads);
          const now = dictionary.encode(
            step,
            reshape(x, [x.size / dictionary.config.inputWidth, dictionary.config.inputWidth]),
          );
          const change = mul(
            step,
            sub(step, to.activations[layer] as Tensor, now),
            fromData(step, mask, [1, mask.length]),
          );
          return add(step, y, reshape(matmul(step, change, dictionary.tensor('wDec')), y.shape));
        },
        { reads: [dictionary.reads] },
      ),
    ];
  });
}

/** MLPs held at what they write in another run, but for some features, which go on as they fire: y' + ((a − a')∘m)·W_dec. */
export function onlyFeatures({ dictionaries }: PairRuns, others: HeldSide, masks: Masks): Intervention[] {
  return dictionaries.map((dictionary, layer) => {
    const mask = masks[layer] as Float32Array;
    return intervene(
      blockHook(layer, 'hook_mlp_out'),
      'all but features held',
      (y, { step, at }) => {
        const held = expand(step, others.mlpOut[layer] as Tensor, y.shape);
        if (isEmpty(mask)) return held;
        const x = at(dictionary.reads);
        const now = dictionary.encode(
          step,
          reshape(x, [x.size / dictionary.config.inputWidth, dictionary.config.inputWidth]),
        );
        const change = mul(
          step,
          sub(step, now, others.activations[layer] as Tensor),
          fromData(step, mask, [1, mask.length]),
        );
        return add(step, held, reshape(matmul(step, change, dictionary.tensor('wDec')), y.shape));
      },
      { reads: [dictionary.reads] },
    );
  });
}

/** x + (x' − x)∘m at a site of every layer, m over one axis. */
function mixed(
  site: 'mlp.hook_post' | 'attn.hook_z',
  from: readonly Tensor[],
  masks: Masks,
  axis: number,
): Intervention[] {
  return from.flatMap((other, layer) => {
    const mask = masks[layer] as Float32Array;
    if (isEmpty(mask)) return [];
    return [
      intervene(blockHook(layer, site), 'set', (x, { step }) => {
        const shape = x.shape.map((_, i) => (i === axis ? mask.length : 1));
        return add(step, x, mul(step, sub(step, other, x), fromData(step, mask, shape)));
      }),
    ];
  });
}

const inverted = (masks: Masks): Masks => masks.map((mask) => mask.map((each) => 1 - each));

/** Neurons set to what they are in another run. */
export const neuronsSetTo = (to: HeldSide, masks: Masks): Intervention[] =>
  mixed('mlp.hook_post', to.neurons, masks, 2);
/** All neurons but these set to it. */
export const onlyNeurons = (others: HeldSide, masks: Masks): Intervention[] => neuronsSetTo(others, inverted(masks));
/** Heads set to what they are in another run. */
export const headsSetTo = (to: HeldSide, masks: Masks): Intervention[] => mixed('attn.hook_z', to.heads, masks, 2);
/** All heads but these set to it. */
export const onlyHeads = (others: HeldSide, masks: Masks): Intervention[] => headsSetTo(others, inverted(masks));

/** Masks of `count` units in every layer: 1 for those named. */
export function masksOf(
  layers: number,
  count: number,
  units: readonly { readonly layer: number; readonly unit: number }[],
): Masks {
  const masks = Array.from({ length: layers }, () => new Float32Array(count));
  for (const { layer, unit } of units) (masks[layer] as Float32Array)[unit] = 1;
  return masks;
}
