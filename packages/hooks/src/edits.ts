// Constructors of interventions: patch, scale, add, ablate, interpolate, freeze, replaceMlp, withAdapter, and intervene for any other.
import { LimnError, type Step } from '@limn/gpu';
import {
  add as plus,
  detach,
  headProject,
  headResults,
  matmul,
  mul,
  reshape,
  scale as times,
  slice,
  sub,
  type Tensor,
} from '@limn/tensor';
import { isSlot, resultSite } from './adapter-by-head.js';
import { extentOf, type Extent, type Intervention, type InterventionContext } from './intervention.js';
import { makeIntervention, type ByHead } from './make-intervention.js';
import type { LinearSite } from './model.js';
import type { BlockSite, HookName } from './names.js';

/**
 * A value given for the caller's whole batch [N, …], for this run's rows only [B, …], or without leading axes (repeated):
 * brought to the shape of the site in this run.
 */
function fit(value: Tensor, x: Tensor, ctx: InterventionContext): Tensor {
  const [rows, ...rest] = value.shape;
  if (value.shape.length === x.shape.length && rest.join() === x.shape.slice(1).join()) {
    if (rows === ctx.rows.count) return value;
    if (rows !== undefined && rows >= ctx.rows.start + ctx.rows.count)
      return slice(ctx.step, value, 0, ctx.rows.start, ctx.rows.count);
  }
  if (x.shape.slice(x.shape.length - value.shape.length).join() === value.shape.join()) return value;
  throw new LimnError(
    'hooks/wrong-shape',
    `a value of shape [${value.shape.join(', ')}] does not fit ${ctx.site} of shape [${x.shape.join(', ')}]`,
    {
      details: { site: ctx.site, given: value.shape, expected: x.shape },
      hint: 'Give the whole shape of the site, or its trailing axes, which are then repeated.',
    },
  );
}

/** `fit`, with repeated trailing axes written out. */
function spread(value: Tensor, x: Tensor, ctx: InterventionContext): Tensor {
  const fitted = fit(value, x, ctx);
  return fitted.shape.length === x.shape.length ? fitted : plus(ctx.step, times(ctx.step, detach(x), 0), fitted);
}

/**
 * Replaces the tensor at a site by `value`: activation patching.
 * @throws LimnError `hooks/wrong-shape` in the run, for a tensor that does not fit the site
 */
export function patch(at: HookName, value: Tensor, extent: Extent = {}): Intervention {
  return makeIntervention('patch', at, extent, 'patch', {}, { value }, (x, ctx) => spread(value, x, ctx));
}

/**
 * Multiplies the site by a number, or by a tensor over its trailing axes (per head: [H, 1] is not one; give [H, K]).
 * @throws LimnError `hooks/wrong-shape` in the run, for a tensor that does not fit the site
 */
export function scale(at: HookName, factor: number | Tensor, extent: Extent = {}): Intervention {
  if (typeof factor === 'number')
    return makeIntervention('scale', at, extent, `scale by ${factor}`, { factor }, {}, (x, ctx) =>
      times(ctx.step, x, factor),
    );
  return makeIntervention('scale', at, extent, 'scale', {}, { factor }, (x, ctx) =>
    mul(ctx.step, x, fit(factor, x, ctx)),
  );
}

/**
 * Adds a vector or a whole tensor to the site: steering.
 * @throws LimnError `hooks/wrong-shape` in the run, for a tensor that does not fit the site
 */
export function add(at: HookName, vector: Tensor, extent: Extent = {}): Intervention {
  return makeIntervention('add', at, extent, 'add to', {}, { vector }, (x, ctx) =>
    plus(ctx.step, x, fit(vector, x, ctx)),
  );
}

/**
 * Sets the site to zero, or to a mean given as a tensor over its trailing axes.
 * @throws LimnError `hooks/wrong-shape` in the run, for a tensor that does not fit the site
 */
export function ablate(at: HookName, to: 'zero' | Tensor, extent: Extent = {}): Intervention {
  if (to === 'zero')
    return makeIntervention('ablate', at, extent, 'zero', { to }, {}, (x, ctx) => times(ctx.step, detach(x), 0));
  return makeIntervention('ablate', at, extent, 'mean-ablate', { to: 'mean' }, { mean: to }, (x, ctx) =>
    spread(to, x, ctx),
  );
}

/**
 * Sets the site to from + alpha·(to − from): a point on the path of integrated gradients.
 * @throws LimnError `hooks/wrong-shape` in the run, for a tensor that does not fit the site
 */
export function interpolate(at: HookName, from: Tensor, to: Tensor, alpha: number, extent: Extent = {}): Intervention {
  return makeIntervention('interpolate', at, extent, `interpolate ${alpha} at`, { alpha }, { from, to }, (x, ctx) => {
    const start = spread(from, x, ctx);
    return plus(ctx.step, start, times(ctx.step, sub(ctx.step, spread(to, x, ctx), start), alpha));
  });
}

/** Keeps the value but lets no gradient through: attribution with frozen attention patterns and LayerNorm scales. */
export function freeze(at: HookName, extent: Extent = {}): Intervention {
  return makeIntervention('freeze', at, extent, 'freeze', {}, {}, (x) => detach(x));
}

/** Stands in for an MLP: a function of one of its inputs, recorded on the tape. */
export interface MlpReplacement {
  readonly label: string;
  /** Which site of the same layer it reads. */
  readonly input: Extract<BlockSite, 'ln2.hook_normalized' | 'hook_mlp_in' | 'hook_resid_mid'>;
  /** [B, T, C] → [B, T, C]. */
  apply(step: Step, x: Tensor): Tensor;
}

/** Replaces the output of layer `layer`'s MLP by a transcoder or another function of its input. */
export function replaceMlp(layer: number, replacement: MlpReplacement, extent: Extent = {}): Intervention {
  const read: HookName = `blocks.${layer}.${replacement.input}`;
  return makeIntervention(
    'replace-mlp',
    `blocks.${layer}.hook_mlp_out`,
    extent,
    `replace with ${replacement.label}`,
    { layer, replacement: replacement.label, input: replacement.input },
    {},
    (_, ctx) => replacement.apply(ctx.step, ctx.at(read)),
    [read],
  );
}

/** A low-rank change of one linear map: y += factor · x·A·B. */
export interface LowRank {
  readonly linear: LinearSite;
  /** [in, r] */
  readonly a: Tensor;
  /** [r, out] */
  readonly b: Tensor;
  /** alpha / r */
  readonly factor: number;
}

/**
 * Adds a LoRA to a model: one intervention per output site of each map it changes. With `rows`, different rows of a batch can carry
 * different adapters. Where a run tells heads apart, as circuits do, each head's part is changed by its own input.
 */
export function withAdapter(name: string, changes: readonly LowRank[], extent: Extent = {}): Intervention[] {
  return changes.flatMap(({ linear, a, b, factor }) => {
    const share = linear.outWidth / linear.outputs.length;
    return linear.outputs.map((at, part) => {
      const edit = (
        site: HookName,
        deltaOf: (step: Step, x: Tensor, y: Tensor) => Tensor,
        byHead?: ByHead,
      ): Intervention =>
        makeIntervention(
          'adapter',
          site,
          extent,
          `adapter ${name} on`,
          { adapter: name, linear: linear.name, factor, part },
          { a, b },
          (y, ctx) => {
            const delta = deltaOf(ctx.step, ctx.at(linear.input), y);
            return plus(ctx.step, y, reshape(times(ctx.step, delta, factor), y.shape));
          },
          [linear.input],
          byHead,
        );
      const joined = (step: Step, input: Tensor): Tensor => {
        const x = reshape(input, [input.size / linear.inWidth, linear.inWidth]);
        const columns = linear.outputs.length === 1 ? b : slice(step, b, 1, part * share, share);
        return matmul(step, matmul(step, x, a), columns);
      };
      const results = resultSite(linear);
      if (results)
        return edit(at, joined, {
          byHead: edit(results, (step, z) => matmul(step, headResults(step, z, a), b)),
        });
      if (!isSlot(at)) return edit(at, joined);
      return edit(
        at,
        (step, x, y) => {
          if (x.shape.length < y.shape.length) return joined(step, x);
          const headWidth = y.shape.at(-1) as number;
          return headProject(step, matmul(step, x, a), b, undefined, { headWidth, offset: part * share });
        },
        { readsSlot: true },
      );
    });
  });
}

/** Any other edit, written by hand. Its spec is `custom`: it cannot be stored or sent to a worker. */
export function intervene(
  at: HookName,
  label: string,
  apply: Intervention['apply'],
  options: Extent & { readonly reads?: readonly HookName[] } = {},
): Intervention {
  const { reads, ...extent } = options;
  return Object.freeze({
    at,
    ...extentOf(extent),
    ...(reads ? { reads: Object.freeze([...reads]) } : {}),
    spec: Object.freeze({ kind: 'custom' }),
    label,
    apply,
  });
}
