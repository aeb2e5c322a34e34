// Forces a workgroup size on every kernel of a step, so that edges of tiles move.
import type { DispatchOptions, Step } from '@limn/gpu';

/** About a subgroup of a software adapter, which `perRow` picks there; the default; the largest that every device allows. */
export const WORKGROUPS = [8, 64, 256] as const;

/** From here on every kernel of the step that has a WG runs with this one; returns the step. */
export function withWorkgroup(step: Step, size: number): Step {
  const dispatch = step.dispatch.bind(step);
  step.dispatch = (kernel, bindings, uniforms, options = {}) => {
    const forced = 'WG' in kernel.shader.overrides ? { WG: size } : {};
    const overrides = { ...options.overrides, ...forced } as (typeof options)['overrides'];
    dispatch(kernel, bindings, uniforms, { ...options, overrides } as DispatchOptions<typeof kernel.shader>);
  };
  return step;
}

/** Lengths around a tile of `size`: 1, size − 1, size, size + 1 and a prime beyond; for the largest tile only its neighbours. */
export function around(size: number): number[] {
  return size > 128 ? [size - 1, size + 1] : [1, size - 1, size, size + 1, 2 * size + 3];
}
