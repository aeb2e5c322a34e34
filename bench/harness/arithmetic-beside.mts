// The ceilings of arithmetic as neighbours of a job, in turns with it: the ratio of speeds is the share of the ceiling. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import { adapterRecord } from './adapter.mjs';
import { ceilingsOf, sizesFor, type CeilingId } from './ceilings.mjs';
import type { Contender, Work } from './contender.mjs';
import type { Beside } from './job.mjs';

/** The fastest way to a ceiling, by one run of each behind a first. */
async function fastest(gpu: Gpu, id: CeilingId, name: string): Promise<Contender & { readonly work: Work }> {
  let best: { readonly contender: Contender; readonly flops: number; readonly time: number } | undefined;
  for (const ceiling of ceilingsOf(gpu.device, sizesFor(adapterRecord(gpu).isSoftware)).filter((of) => of.id === id))
    for (const open of ceiling.ways) {
      const contender = await open();
      await contender.run(1);
      const start = performance.now();
      await contender.run(1);
      const found = { contender, flops: ceiling.amount, time: performance.now() - start };
      const slower = best && best.flops / best.time >= found.flops / found.time ? found : best;
      if (slower !== found) best = found;
      await slower?.contender.dispose();
    }
  const { contender, flops } = best!;
  return { ...contender, name, work: { flops } };
}

const neighbour = (name: string, id: CeilingId): Beside => ({ name, open: (gpu) => fastest(gpu, id, name) });

/** Multiply-adds that load nothing, and such whose sums are carried around a loop as a kernel's are. */
export const arithmeticBeside: readonly Beside[] = [
  neighbour('multiply-adds in registers, per flop', 'fma'),
  neighbour('multiply-adds around a loop, per flop', 'fma-loop'),
];
