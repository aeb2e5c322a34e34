// Every decision between kernels that can be measured, and what a device has chosen in them.
import type { Gpu } from '@limn/gpu';
import { tunableAttention } from '../ops/attention-trials.js';
import { tunableMatmul } from '../ops/matmul-trials.js';
import { tunableLayernorm, tunableSoftmax } from '../ops/row-trials.js';
import { offerName } from './decision-rules.js';
import type { TunableDecision } from './trial.js';

/** What `tuneKernels` measures unless it is told otherwise. */
export const kernelDecisions: readonly TunableDecision[] = [
  tunableMatmul(),
  tunableAttention(),
  tunableLayernorm(),
  tunableSoftmax(),
];

/**
 * The choices of a device that are in force, by name; empty where every op goes by its built-in rule. With the programs that run it is the
 * kernel plan: equal bits are promised for equal ones.
 */
export function kernelsInForce(gpu: Gpu): Readonly<Record<string, string>> {
  return Object.fromEntries(kernelDecisions.flatMap((decision) => [...decision.inForce(gpu)]));
}

/** Whether the device's choices were taken among the candidates that there are now; not so where nothing was measured. */
export function isTuned(gpu: Gpu): boolean {
  return kernelDecisions.every(({ name, offer }) => gpu.choices[offerName(name)] === offer(gpu.capabilities));
}
