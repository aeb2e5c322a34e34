// Activations of one run by name: full names, or TransformerLens's short names with a layer; on the GPU until disposed.
import { LimnError, type Step } from '@limn/gpu';
import { detach, gatherRows, fromData, keep, reshape, stack, type Tensor } from '@limn/tensor';
import type { HostArray } from './host-array.js';
import type { HookedModel, Run } from './model.js';
import { blockHook, parseHookName, type HookName } from './names.js';
import { actName, blockSiteOf, type ShortBlockName, type ShortOuterName } from './short-names.js';
import { lastRows } from './token-batch.js';

/** A site in a cache: a full name, a short name outside the blocks, or a short name with its layer. */
export type SiteInCache = [name: HookName | ShortOuterName] | [short: ShortBlockName, layer: number];

/** One position of every prompt: the last real token of each, or a position counted from the start. */
export type Position = 'last' | number;

/**
 * Flat rows b·T + t of one position of every prompt.
 * @throws LimnError `hooks/bad-extent` for a position that some prompt does not have.
 */
export function positionRows(lengths: readonly number[], T: number, position: Position): Uint32Array {
  if (position === 'last') return lastRows(lengths, T);
  const shortest = Math.min(...lengths);
  if (Number.isInteger(position) && position >= 0 && position < shortest)
    return Uint32Array.from(lengths, (_, b) => b * T + position);
  throw new LimnError('hooks/bad-extent', `position ${position}: every prompt has positions 0–${shortest - 1}`, {
    details: { position, lengths },
    hint: "Give a whole number from 0 that all prompts have, or 'last' for the last token of each.",
  });
}

/** The activations that one forward pass kept. */
export class ActivationCache {
  /** Rows of the batch. */
  readonly B: number;
  /** Length of the longest prompt. */
  readonly T: number;
  /** Real tokens of each row. */
  readonly lengths: readonly number[];
  #tensors: ReadonlyMap<HookName, Tensor>;

  /** Made by `runWithCache`, `ActivationCache.keep` and `ActivationCache.view`. */
  private constructor(
    readonly model: HookedModel,
    run: Run,
    tensors: ReadonlyMap<HookName, Tensor>,
    /** Whether its tensors outlive the step of the run. */
    readonly kept: boolean,
    private readonly owned: ReadonlySet<Tensor['storage']> = new Set(),
  ) {
    ({ B: this.B, T: this.T, lengths: this.lengths } = run);
    this.#tensors = tensors;
  }

  /** A cache over captured sites of a run in its open step: its tensors are on the tape and end with the step. */
  static view(model: HookedModel, run: Run, names: readonly HookName[]): ActivationCache {
    return new ActivationCache(model, run, new Map(names.map((name) => [name, run.at(name)])), false);
  }

  /** Takes captured sites of a run out of its step, which must still be run: they live until `dispose()`, without history. */
  static keep(step: Step, model: HookedModel, run: Run, names: readonly HookName[]): ActivationCache {
    // What the run was started from may be a kept tensor of the caller's, seen at a site: it stays the caller's.
    const owned = new Set(names.map((name) => run.at(name).storage).filter(({ kind }) => kind === 'step'));
    const tensors = new Map<HookName, Tensor>();
    const cache = new ActivationCache(model, run, tensors, true, owned);
    try {
      for (const name of names) tensors.set(name, keep(step, detach(run.at(name))));
    } catch (error) {
      cache.dispose();
      throw error;
    }
    return cache;
  }

  /** Names of what it holds, in the order of the forward pass. */
  get names(): readonly HookName[] {
    return [...this.#tensors.keys()];
  }

  /** Bytes on the GPU. Sites that are one tensor (resid_post of a layer, resid_pre of the next) count once. */
  get byteLength(): number {
    const storages = new Set(Array.from(this.#tensors.values(), ({ storage }) => storage));
    return [...storages].reduce((bytes, { byteLength }) => bytes + byteLength, 0);
  }

  /**
   * Whether it holds a site, named as in `get`.
   * @throws LimnError `hooks/unknown-site`
   */
  has(...site: SiteInCache): boolean {
    return this.#tensors.has(this.resolve(site));
  }

  /**
   * The tensor at a site: `get('blocks.5.hook_resid_post')`, `get('resid_post', 5)`, `get('ln1.scale', 5)`, `get('embed')`. A negative
   * layer counts from the end. Shape: the site's axes in names.ts.
   * @throws LimnError `hooks/unknown-site`, or `hooks/not-captured` with what is there.
   */
  get(...site: SiteInCache): Tensor {
    return this.take(this.resolve(site));
  }

  /**
   * The values at a site, on the host. Only of a cache that was kept.
   * @throws LimnError as `get`; `hooks/not-kept` for a view on an open step, whose tensors `readFloats(step, …)` reads.
   */
  async read(...site: SiteInCache): Promise<HostArray> {
    const tensor = this.take(this.resolve(site));
    if (!this.kept)
      throw new LimnError('hooks/not-kept', 'this cache is a view on a step, so it has no values of its own', {
        hint: 'Read the tensor with readFloats(step, cache.get(…)), or keep it: ActivationCache.keep, runWithCache.',
      });
    return { shape: tensor.shape, data: await this.model.gpu.read(tensor.storage, 'f32') };
  }

  /**
   * Attention probabilities of a layer, [B, H, T, T]: query position, then key position; 0 where a query cannot look.
   * @throws LimnError as `get`
   */
  pattern(layer: number): Tensor {
    return this.get('pattern', layer);
  }

  /**
   * One site of every layer, or of chosen ones: [layers, …]. TransformerLens's `stack_activation`.
   * @throws LimnError as `get`
   */
  stackActivation(
    step: Step,
    short: ShortBlockName,
    layers: readonly number[] = Array.from({ length: this.model.info.layers }, (_, layer) => layer),
  ): Tensor {
    return stack(
      step,
      layers.map((layer) => this.get(short, layer)),
    );
  }

  /**
   * A tensor [B, T, …] at one position: [B, …]. Without a position it is given back as it is.
   * @throws LimnError `hooks/bad-extent` for a position that some prompt does not have.
   */
  pick(step: Step, x: Tensor, position?: Position): Tensor {
    if (position === undefined) return x;
    const [B, T, ...rest] = x.shape as [number, number, ...number[]];
    const flat = reshape(x, [B * T, x.size / (B * T)]);
    return reshape(gatherRows(step, flat, fromData(step, positionRows(this.lengths, this.T, position), [B])), [
      B,
      ...rest,
    ]);
  }

  /** Frees what was kept. Disposing twice is allowed. */
  dispose(): void {
    for (const storage of this.owned) storage.dispose();
    this.#tensors = new Map();
  }

  /** `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private resolve([name, layer]: SiteInCache): HookName {
    const { info } = this.model;
    const site = layer === undefined ? undefined : blockSiteOf(name);
    if (layer === undefined || site === undefined) return actName(name, layer, undefined, info);
    return parseHookName(blockHook(layer < 0 ? info.layers + layer : layer, site), info).name;
  }

  private take(name: HookName): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor) return tensor;
    throw new LimnError('hooks/not-captured', `${name} is not in this cache`, {
      details: { site: name, captured: this.names },
      hint: `Name it in 'names' when the run is made. Here: ${this.names.slice(0, 12).join(', ') || 'nothing'}${this.names.length > 12 ? ', …' : ''}.`,
    });
  }
}
