// z'_u − ẑ_u of a run that is restricted to a circuit: what every edge that is removed adds to its slot. Made once a run, for all slots that read it.
import { blockHook } from '@limn/hooks';
import type { HookName, InterventionContext } from '@limn/hooks';
import { LimnError, type Step } from '@limn/gpu';
import { concat, permute, reshape, slice, sub, type Tensor } from '@limn/tensor';
import type { Graph } from './graph.js';
import { layersOf } from './node-outputs.js';
import type { SourceBlock } from './node-outputs.js';

/** The changes of the runs that go with `ablated` (blocks of [sources, B, T, C] for the caller's whole batch). */
export class NodeChanges {
  /** By step, and by the output of a run that completes a block. */
  readonly #made = new WeakMap<Step, Map<Tensor, Tensor>>();

  constructor(
    readonly graph: Graph,
    readonly ablated: readonly SourceBlock[],
  ) {}

  /** The sites that {@link NodeChanges.of} reads for the first `sources` sources. */
  sites(sources: number): HookName[] {
    const sites: HookName[] = ['hook_embed'];
    for (const layer of layersOf(this.graph)) {
      const first = this.#firstOf(layer);
      if (first < sources) sites.push(blockHook(layer, 'attn.hook_result'));
      if (first + this.graph.heads < sources) sites.push(blockHook(layer, 'hook_mlp_out'));
    }
    return sites;
  }

  /**
   * Of the first `sources` sources in order, [count, B, T, C] a block: the input, then the sources of each layer, of the last of
   * them maybe its heads alone.
   */
  *of(ctx: InterventionContext, sources: number): Generator<SourceBlock> {
    yield { first: 0, tensor: this.#once(ctx, 'hook_embed', () => this.#alone(ctx, 'hook_embed', 0)) };
    for (const layer of layersOf(this.graph)) {
      const first = this.#firstOf(layer);
      if (first >= sources) return;
      const whole = first + this.graph.heads < sources;
      yield { first, tensor: whole ? this.#layer(ctx, layer) : this.#heads(ctx, layer) };
    }
  }

  #firstOf(layer: number): number {
    return 1 + layer * (this.graph.heads + 1);
  }

  #layer(ctx: InterventionContext, layer: number): Tensor {
    const name = blockHook(layer, 'hook_mlp_out');
    const last = this.#firstOf(layer) + this.graph.heads;
    return this.#once(ctx, name, () => concat(ctx.step, [this.#heads(ctx, layer), this.#alone(ctx, name, last)], 0));
  }

  #heads(ctx: InterventionContext, layer: number): Tensor {
    const name = blockHook(layer, 'attn.hook_result');
    return this.#once(ctx, name, () =>
      sub(
        ctx.step,
        this.#ablated(ctx, this.#firstOf(layer), this.graph.heads),
        permute(ctx.step, ctx.at(name), [2, 0, 1, 3]),
      ),
    );
  }

  /** [1, B, T, C] of a source that has its site to itself. */
  #alone(ctx: InterventionContext, name: HookName, source: number): Tensor {
    const out = ctx.at(name);
    return sub(ctx.step, this.#ablated(ctx, source, 1), reshape(out, [1, ...out.shape]));
  }

  #once(ctx: InterventionContext, name: HookName, make: () => Tensor): Tensor {
    const made = this.#made.get(ctx.step) ?? new Map<Tensor, Tensor>();
    this.#made.set(ctx.step, made);
    const out = ctx.at(name);
    const known = made.get(out) ?? make();
    made.set(out, known);
    return known;
  }

  /** z' of neighbouring sources of one block for this run's rows, [count, B, T, C]. */
  #ablated({ step, rows }: InterventionContext, source: number, count: number): Tensor {
    const block = this.ablated.find(({ first, tensor }) => source >= first && source < first + (tensor.shape[0] ?? 0));
    const { first, tensor } = block as SourceBlock;
    const [size = 0, B = 0] = tensor.shape;
    if (rows.start + rows.count > B)
      throw new LimnError(
        'tensor/shape',
        `The ablated outputs hold ${B} rows; this run needs rows ${rows.start} to ${rows.start + rows.count - 1}.`,
        {
          details: { rows: B, start: rows.start, count: rows.count },
          hint: 'Record the ablated run over the same batch of prompts.',
        },
      );
    const wanted = size === count ? tensor : slice(step, tensor, 0, source - first, count);
    return rows.count === B ? wanted : slice(step, wanted, 1, rows.start, rows.count);
  }
}
