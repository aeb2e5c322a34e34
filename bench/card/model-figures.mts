// What the card's figures ask of a model: logits after prompts, and corpus loss with one MLP or head replaced by its mean.
import {
  tokenBatch,
  ablate,
  add,
  blockHook,
  scale,
  type HookName,
  type HookedModel,
  type Intervention,
} from '@limn/hooks';
import type { CorpusLoss, LogitsAfter, Site } from '@limn/pocket';
import { crossEntropy, fromData, IGNORED_TARGET, readFloats, sumAll } from '@limn/tensor';

/** Sequences in one run. */
const BATCH = 32;

export function logitsAfterOf(model: HookedModel): LogitsAfter {
  return async (prompts) => {
    const step = model.gpu.step({ label: 'figures' });
    const { logits } = model.run(step, { tokens: tokenBatch(prompts, model.info) }, { logits: 'last' });
    const values = await readFloats(step, logits);
    step.dispose();
    const { vocabulary } = model.info;
    return prompts.map((_, row) => values.subarray(row * vocabulary, (row + 1) * vocabulary));
  };
}

/** Means over all positions of the same sequences are taken once, for every site together. */
export function corpusLossOf(model: HookedModel): CorpusLoss {
  let means: Promise<ReadonlyMap<HookName, Float32Array>> | undefined;
  return async (sequences, site) => {
    const found = site === undefined ? undefined : await (means ??= siteMeans(model, sequences));
    let total = 0;
    let positions = 0;
    for (let start = 0; start < sequences.length; start += BATCH) {
      const batch = sequences.slice(start, start + BATCH);
      const loss = await batchLoss(model, batch, found && ((step) => replaceByMean(model, site!, found, step)));
      total += loss.sum;
      positions += loss.positions;
    }
    return total / positions;
  };
}

type StepOf = ReturnType<HookedModel['gpu']['step']>;

async function batchLoss(
  model: HookedModel,
  rows: readonly Uint32Array[],
  edit: ((step: StepOf) => Intervention[]) | undefined,
): Promise<{ readonly sum: number; readonly positions: number }> {
  const step = model.gpu.step({ label: 'corpus loss' });
  const tokens = tokenBatch(rows, model.info);
  const { logits } = model.run(step, { tokens }, { logits: 'all', interventions: edit?.(step) ?? [] });
  const targets = new Uint32Array(tokens.B * tokens.T).fill(IGNORED_TARGET);
  rows.forEach((row, b) => targets.set(row.subarray(1), b * tokens.T));
  const losses = crossEntropy(step, logits, fromData(step, targets, [targets.length]));
  const [sum = Number.NaN] = await readFloats(step, sumAll(step, losses));
  step.dispose();
  return { sum, positions: rows.reduce((count, row) => count + row.length - 1, 0) };
}

/** Mean of hook_mlp_out [C] and hook_z [H · K] of every layer over all positions of the sequences, summed in float64. */
async function siteMeans(
  model: HookedModel,
  sequences: readonly Uint32Array[],
): Promise<ReadonlyMap<HookName, Float32Array>> {
  const sites = Array.from(
    { length: model.info.layers },
    (_, layer) => [blockHook(layer, 'hook_mlp_out'), blockHook(layer, 'attn.hook_z')] as const,
  ).flat();
  const sums = new Map<HookName, Float64Array>(sites.map((site) => [site, new Float64Array(model.info.width)]));
  let positions = 0;
  for (let start = 0; start < sequences.length; start += BATCH) {
    const batch = sequences.slice(start, start + BATCH);
    const step = model.gpu.step({ label: 'site means' });
    const run = model.run(step, { tokens: tokenBatch(batch, model.info) }, { capture: sites, logits: 'none' });
    const captured = await Promise.all(sites.map((site) => readFloats(step, run.at(site))));
    step.dispose();
    sites.forEach((site, s) => {
      const sum = sums.get(site)!;
      captured[s]!.forEach((value, i) => (sum[i % sum.length]! += value));
    });
    positions += batch.reduce((count, row) => count + row.length, 0);
  }
  return new Map([...sums].map(([site, sum]) => [site, Float32Array.from(sum, (value) => value / positions)]));
}

/** An MLP's output becomes its mean; of hook_z [B, T, H, K] only the row of one head does. */
function replaceByMean(
  model: HookedModel,
  site: Site,
  means: ReadonlyMap<HookName, Float32Array>,
  step: StepOf,
): Intervention[] {
  const { heads, headWidth, width } = model.info;
  if (site.kind === 'mlp') {
    const at = blockHook(site.layer, 'hook_mlp_out');
    return [ablate(at, fromData(step, means.get(at)!, [width]))];
  }
  const at = blockHook(site.layer, 'attn.hook_z');
  const mean = means.get(at)!;
  const own = (i: number): boolean => Math.floor(i / headWidth) === site.head;
  const keep = Float32Array.from({ length: width }, (_, i) => (own(i) ? 0 : 1));
  return [
    scale(at, fromData(step, keep, [heads, headWidth])),
    add(
      at,
      fromData(
        step,
        mean.map((value, i) => (own(i) ? value : 0)),
        [heads, headWidth],
      ),
    ),
  ];
}
