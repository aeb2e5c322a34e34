// What an edit of a forward pass is: a frozen value that names a site and gives the new tensor there.
import type { Step } from '@limn/gpu';
import type { Tensor } from '@limn/tensor';
import type { BlockSite, HookName } from './names.js';

/** A value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A description that goes into result files and travels to workers; `custom` says that code, not data, decides. */
export interface InterventionSpec {
  readonly kind: string;
  readonly options?: Readonly<Record<string, Json>>;
  readonly tensors?: Readonly<Record<string, Tensor>>;
}

/** Which part of generation a run belongs to. */
export type Phase = 'prompt' | 'generated';

/** Where an intervention holds. Whatever is left out is not restricted. Elsewhere the tensor stays what it was, bit for bit. */
export interface Extent {
  /** Absolute positions, counted from the start of the prompt. */
  readonly positions?: readonly number[];
  /** Rows of the caller's whole batch. */
  readonly rows?: readonly number[];
  readonly phase?: Phase;
}

/** What `apply` is told about the run it is in. */
export interface InterventionContext {
  readonly step: Step;
  readonly site: HookName;
  readonly layer?: number;
  /** The tensor at a site named in `reads`, after the interventions there. */
  at(name: HookName): Tensor;
  /** Absolute position of each of the B·T entries, −1 at padding. */
  readonly positions: Int32Array;
  /** Real tokens of each row of this run. */
  readonly lengths: readonly number[];
  /** Which rows of the caller's batch this run holds. */
  readonly rows: { readonly start: number; readonly count: number };
  readonly phase: Phase;
}

/**
 * One edit at one site. `apply` records tape operations on the step and returns a tensor of the same shape; it never awaits and never
 * sees numbers, so every intervention is differentiable. Several are given as an array and hold in that order.
 */
export interface Intervention extends Extent {
  readonly at: HookName;
  /** Earlier sites of the same run that `apply` looks at through `ctx.at`. */
  readonly reads?: readonly HookName[];
  /** Block sites that no intervention without this field may edit in the same run, as the two would contradict each other. */
  readonly excludes?: readonly BlockSite[];
  /** At hook_q, hook_k or hook_v: where the slot has an input of its own per head, `ctx.at` gives what the norm made of that, [B, T, H, C], in the place of the norm's site. */
  readonly readsSlot?: true;
  /** At hook_attn_out: the same edit head by head at `attn.hook_result`, which stands in its place in a run that looks at heads' results or rules out edits of all heads together. */
  readonly byHead?: Intervention;
  readonly spec: InterventionSpec;
  readonly label: string;
  /** The tensor that takes the place of `x`, of its shape, recorded on `ctx.step`. */
  apply(x: Tensor, ctx: InterventionContext): Tensor;
}

/** The fields of an Extent that are there, for spreading into an intervention and its spec. */
export function extentOf({ positions, rows, phase }: Extent): Extent {
  return {
    ...(positions === undefined ? {} : { positions: Object.freeze([...positions]) }),
    ...(rows === undefined ? {} : { rows: Object.freeze([...rows]) }),
    ...(phase === undefined ? {} : { phase }),
  };
}

/** Names an extent for labels, such as ` at 0,1 in rows 2`; empty when nothing is restricted. */
export function describeExtent({ positions, rows, phase }: Extent): string {
  const parts: string[] = [];
  if (positions) parts.push(` at positions ${positions.join(',')}`);
  if (rows) parts.push(` in rows ${rows.join(',')}`);
  if (phase) parts.push(` in the ${phase} part`);
  return parts.join('');
}
