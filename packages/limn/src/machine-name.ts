// What decides the last bits of a result on this machine: the adapter, and the kernels that it is given.
import type { HookedModel } from '@limn/hooks';
import { kernelPlan } from './kernel-plan.js';

/** Adapter and kernel plan in words; goes into the keys of shards and checkpoints. */
export function machineName(model: HookedModel, prompts: readonly (readonly number[])[]): string {
  const { adapter, source } = model.gpu.capabilities;
  return [source, adapter.vendor, adapter.device, adapter.description, kernelPlan(model, prompts)].join('; ');
}
