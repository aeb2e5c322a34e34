// Elementwise kernels over tensors of equal shapes: a lane per vec4 where they are whole vec4s, which takes half the time on lavapipe, else a lane per number.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { perElement, perFour } from '../grid.js';

const addWork = (u: { size: number }): number => 2 * u.size;
const productWork = (u: { size: number }): number => u.size;
const accumulateWork = (u: { size: number }): number => 3 * u.size;

const addScaled = defineKernel(shaders.addScaled, { grid: perElement, work: addWork });
const addScaled4 = defineKernel(shaders.addScaled4, { grid: perFour, work: addWork });
const multiply = defineKernel(shaders.multiply, { grid: perElement, work: productWork });
const multiply4 = defineKernel(shaders.multiply4, { grid: perFour, work: productWork });
const scale = defineKernel(shaders.scale, { grid: perElement, work: productWork });
const scale4 = defineKernel(shaders.scale4, { grid: perFour, work: productWork });
const accumulate = defineKernel(shaders.accumulate, { grid: perElement, work: accumulateWork });
const accumulate4 = defineKernel(shaders.accumulate4, { grid: perFour, work: accumulateWork });
const fill = defineKernel(shaders.fill, { grid: perElement, work: productWork });
const fill4 = defineKernel(shaders.fill4, { grid: perFour, work: productWork });
const assign = defineKernel(shaders.assign, { grid: perElement, work: productWork });
const assign4 = defineKernel(shaders.assign4, { grid: perFour, work: productWork });

/** Two inputs and an output of equal sizes. */
export type PairBindings = Record<'a' | 'b' | 'y', Storage>;

/** y = a + alpha · b */
export function recordAddScaled(step: Step, bindings: PairBindings, size: number, alpha: number): void {
  if (size % 4 === 0) step.dispatch(addScaled4, bindings, { size, alpha });
  else step.dispatch(addScaled, bindings, { size, alpha });
}

/** y = a · b */
export function recordMultiply(step: Step, bindings: PairBindings, size: number): void {
  if (size % 4 === 0) step.dispatch(multiply4, bindings, { size });
  else step.dispatch(multiply, bindings, { size });
}

/** y = alpha · x */
export function recordScale(step: Step, bindings: Record<'x' | 'y', Storage>, size: number, alpha: number): void {
  if (size % 4 === 0) step.dispatch(scale4, bindings, { size, alpha });
  else step.dispatch(scale, bindings, { size, alpha });
}

/** y ← beta · y + alpha · x */
export function recordAccumulate(
  step: Step,
  bindings: Record<'x' | 'y', Storage>,
  uniforms: { readonly size: number; readonly alpha: number; readonly beta: number },
): void {
  if (uniforms.size % 4 === 0) step.dispatch(accumulate4, bindings, uniforms);
  else step.dispatch(accumulate, bindings, uniforms);
}

/** y = value, of `size` words */
export function recordFill(step: Step, y: Storage, size: number, value: number): void {
  if (size % 4 === 0) step.dispatch(fill4, { y }, { size, value });
  else step.dispatch(fill, { y }, { size, value });
}

/** y = x, of `size` words of any type */
export function recordAssign(step: Step, bindings: Record<'x' | 'y', Storage>, size: number): void {
  if (size % 4 === 0) step.dispatch(assign4, bindings, { size });
  else step.dispatch(assign, bindings, { size });
}
