// A Gpu of its own for whoever opens and disposes one, on a device that stays: compiling its kernels takes a software adapter seconds.
import { Gpu, openGpu, SUBMIT_SECONDS, type KernelChoices, type OpenOptions } from '@limn/gpu';
import { FaultyDevice } from './faults/faulty-device.js';

/** The devices that are lent, by the limits that they were asked for; opened once. */
const key = Symbol.for('limn.testing.lent');
const lenders = ((globalThis as { [key]?: Map<string, Promise<Gpu>> })[key] ??= new Map());

/** What may be asked for; of choices, what is kept on this machine is not. */
export type LentOptions = Pick<OpenOptions, 'limits'> & { readonly choices?: KernelChoices | 'built-in' | 'cached' };

/**
 * As `openNodeGpu` with the same limits: fresh counters, plans and buffers, and a device whose loss and destruction end this Gpu alone.
 * Its pipelines are those of earlier ones.
 */
export async function lentGpu({ limits = 'adapter', choices }: LentOptions = {}): Promise<Gpu> {
  const name = JSON.stringify(limits);
  const lender = lenders.get(name) ?? open(limits);
  lenders.set(name, lender);
  const { device, capabilities } = await lender;
  const lent = new FaultyDevice(device).device;
  const budget = capabilities.flopsPerSecond * SUBMIT_SECONDS;
  return new Gpu(lent, capabilities, budget, typeof choices === 'object' ? { choices } : {});
}

/** Node's own opening is loaded in Node alone: browsers have theirs. */
async function open(limits: NonNullable<OpenOptions['limits']>): Promise<Gpu> {
  const options = { limits, label: 'lent' };
  if (typeof process === 'undefined' || !process.versions?.node) return openGpu(options);
  const { openNodeGpu } = await import('@limn/gpu/node');
  return openNodeGpu(options);
}
