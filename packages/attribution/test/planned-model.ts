// Models of GPT-2's own sizes without a device, and what computations on them are planned to take. Nothing runs.
import { dryGpu, type Gpu, type PlanReport } from '@limn/gpu';
import { Gpt2, namedSizes, newConfig, weightShapes, type SizeName } from '@limn/gpt2';
import { edgeScoresPartial } from '@limn/shaders';
import { persistent, rowBlocks, type RowBlocks, type Tensor } from '@limn/tensor';
import { expect, vi } from 'vitest';
import type { Pair } from '../src/index.js';

export const MIB = 2 ** 20;

/** A model of these sizes without a device: names, shapes and bytes, no values. */
export function plannedModel(size: SizeName, layers: number = namedSizes[size].layers, gpu: Gpu = dryGpu()): Gpt2 {
  const config = newConfig({ ...namedSizes[size], layers });
  const byName = new Map<string, Tensor | RowBlocks>();
  for (const [name, shape] of weightShapes(config, true)) {
    const [rows = 0, width = 0] = shape;
    byName.set(name, name === 'wte.weight' ? rowBlocks(gpu, rows, width) : persistent(gpu, shape));
  }
  return new Gpt2(gpu, config, { tied: true, byName, processing: 'raw', fingerprint: 'none' });
}

/** Pairs that differ in their ninth token. */
export const pairsOf = (count: number, tokens: number): Pair[] =>
  Array.from({ length: count }, (_, p) => {
    const clean = Array.from({ length: tokens }, (_unused, t) => (7919 * (p * tokens + t)) % 50_257);
    return { clean, corrupted: clean.map((id, t) => (t === 8 ? id + 1 : id)), correct: [11], incorrect: [12] };
  });

/** What the first step that fits is planned to take, the largest binding in it, the rows that get logits, and the pairs that get scores. */
export interface Planned extends PlanReport {
  readonly largestBinding: number;
  readonly logitRows: number;
  readonly scored: number;
  /** Steps that were recorded until one fitted, with it. */
  readonly recordings: number;
}

/** Records until a step fits; a device would then run it. */
export async function planned({ gpu }: Gpt2, score: () => Promise<unknown>): Promise<Planned> {
  let last: Planned | undefined;
  let recordings = 0;
  const open = gpu.step.bind(gpu);
  vi.spyOn(gpu, 'step').mockImplementation((options) => {
    const step = open(options);
    recordings++;
    let [largestBinding, logitRows, scored] = [0, 0, 0];
    const dispatch = step.dispatch.bind(step);
    step.dispatch = (kernel, bindings, uniforms, more) => {
      for (const { byteLength } of Object.values<{ byteLength: number }>(bindings))
        largestBinding = Math.max(largestBinding, byteLength);
      if (more?.label === 'unembed') logitRows = Math.max(logitRows, (uniforms as { m?: number }).m ?? 0);
      if (kernel.shader.name === edgeScoresPartial.name) scored = (uniforms as { examples?: number }).examples ?? 0;
      dispatch(kernel, bindings, uniforms, more);
    };
    const report = step.plan.bind(step);
    step.plan = () => (last = { ...report(), largestBinding, logitRows, scored, recordings });
    return step;
  });
  await expect(score()).rejects.toMatchObject({ code: 'gpu/dry' });
  vi.restoreAllMocks();
  return last as Planned;
}
