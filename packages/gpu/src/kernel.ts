// A kernel: a WGSL module with the rule for its grid and its amount of work; a value without GPU objects.
import type { ShaderModule } from '@limn/shaders';
import type { Capabilities } from './capabilities.js';
import type { Storage } from './storage.js';

/** Any WGSL module, whatever its names. */
export type AnyShader = ShaderModule;

/** One Storage per storage binding, by the name it has in the WGSL. */
export type BindingsOf<S extends AnyShader> = { readonly [N in S['bindings'][number]['name']]: Storage };

/** One number per field of `struct Params`, by name. */
export type UniformsOf<S extends AnyShader> = { readonly [N in S['params'][number]['name']]: number };

/** Values of the override constants. */
export type OverridesOf<S extends AnyShader> = { readonly [N in keyof S['overrides']]: number };

/** Workgroup counts in x, y, z; each at most 65,535 on every device. */
export type Grid = readonly [x: number, y: number, z: number];

/** Which text a used prelude family gets. `reduce` defaults to what the adapter has, `elem` and `out` to 'f32'; `matrix` has no default. */
export interface Variant {
  readonly elem?: 'f32' | 'f16';
  readonly reduce?: 'tree' | 'subgroup';
  readonly out?: 'f32' | 'vec4';
  readonly matrix?: 'f16x16' | 'f16x8' | 'f32x8';
}

/** What `defineKernel` adds to the WGSL. */
export interface KernelRules<S extends AnyShader> {
  /** Workgroup counts from the uniforms and the override values in force. */
  readonly grid: (uniforms: UniformsOf<S>, overrides: OverridesOf<S>) => Grid;
  /** Floating-point operations of one dispatch; without it, four per 4-byte element bound. */
  readonly work?: (uniforms: UniformsOf<S>) => number;
  /** Overrides that suit an adapter, in place of the WGSL's own values; a dispatch may still give its own. */
  readonly tune?: (capabilities: Capabilities) => Partial<OverridesOf<S>>;
}

/** A kernel that a step can dispatch. */
export interface Kernel<S extends AnyShader = AnyShader> {
  readonly shader: S;
  /** Workgroup counts of one dispatch. */
  grid(uniforms: UniformsOf<S>, overrides: OverridesOf<S>): Grid;
  /** Floating-point operations of one dispatch. */
  work?(uniforms: UniformsOf<S>): number;
  /** Override values that suit an adapter. */
  tune?(capabilities: Capabilities): Partial<OverridesOf<S>>;
}

/** Joins a generated WGSL module with its grid and work. Makes no GPU object; pipelines are made on first use. */
export function defineKernel<const S extends AnyShader>(shader: S, rules: KernelRules<S>): Kernel<S> {
  return Object.freeze({
    shader,
    grid: rules.grid,
    ...(rules.work ? { work: rules.work } : {}),
    ...(rules.tune ? { tune: rules.tune } : {}),
  });
}
