// Losses of the model with single edges patched, L(all edges clean but u → v): a run's rows are edges × pairs, and it starts behind the destinations, with only these computed anew.
import { blockHook, lastRows } from '@limn/hooks';
import type { BlockSite, HookedModel } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, expand, fromData, gatherRows, permute, reshape, sub, type Tensor } from '@limn/tensor';
import { edgeCountOf } from './edge-block.js';
import type { EdgeBlock, EdgeBlocks, Reader } from './edge-block.js';
import { entriesOf, joined } from './exact-base.js';
import type { CleanBase } from './exact-base.js';
import { HEAD_INPUTS } from './graph.js';
import { metricLoss } from './metric-loss.js';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';
import { repeated } from './score-loop.js';

type HeadReader = Extract<Reader, { readonly kind: 'heads' }>;

/** Losses [edges · B] per metric, row e·B + b with pair b as it is when edge e alone is patched; edges block by block as in `edgesOfBlock`. */
export function patchedLosses(
  step: Step,
  model: HookedModel,
  base: CleanBase,
  blocks: EdgeBlocks,
  pairs: readonly Pair[],
  metrics: readonly Metric[],
): Tensor[] {
  const edges = edgeCountOf(blocks);
  const logits = patchedLogits(step, model, base, blocks);
  const clean = metrics.some(({ usesClean }) => usesClean) ? rows(step, base.logits, edges) : undefined;
  return metrics.map((metric) => metricLoss(step, metric, logits, repeated(pairs, edges), clean));
}

/** Logits [edges · B, V] at the last positions. */
function patchedLogits(step: Step, model: HookedModel, base: CleanBase, blocks: EdgeBlocks): Tensor {
  const [{ reader }] = blocks;
  const { layers, block: form } = model.info;
  const lengths = repeated(base.lengths, edgeCountOf(blocks));
  const layer = reader.kind === 'logits' ? layers - 1 : reader.layer;
  const last = layer === layers - 1;
  // Behind the attention of the last layer an answer depends on its own position alone.
  const behind = (x: Tensor): Tensor => (last ? atAnswers(step, base, x) : x);
  const clean = (site: BlockSite): Tensor => behind(base.at(blockHook(layer, site)));
  const plus = (x: Tensor, change: Tensor): Tensor => joinRows(add(step, change, x));
  const after = (change: Tensor): Tensor => {
    const resid = plus(clean('hook_resid_post'), change);
    if (last) return model.logits(step, resid);
    return model.run(step, { resid, layer: layer + 1, at: 'pre', lengths }, { logits: 'last' }).logits;
  };

  const sources = [...new Set(blocks.flatMap((block) => block.sources))].sort((a, b) => a - b);
  const delta = base.deltaOf(step, sources);
  if (reader.kind === 'logits') return after(behind(delta));
  if (reader.kind === 'mlp') {
    const read = clean(form === 'sequential' ? 'hook_resid_mid' : 'hook_resid_pre');
    const output = splitRows(model.mlp(step, layer, plus(read, behind(delta))), sources.length);
    return after(sub(step, output, clean('hook_mlp_out')));
  }
  const placeOf = new Map(sources.map((u, i) => [u, i]));
  const changes = (blocks as readonly EdgeBlock<HeadReader>[]).map((block) => {
    const places = block.sources.map((u) => placeOf.get(u) as number);
    return headChanges(step, model, base, block.reader, entriesOf(step, delta, places), behind);
  });
  const change = joined(step, changes);
  if (form === 'parallel') return after(change);
  const resid = plus(clean('hook_resid_mid'), change);
  if (last) return model.logits(step, add(step, resid, model.mlp(step, layer, resid)));
  return model.run(step, { resid, layer, at: 'mid', lengths }, { logits: 'last' }).logits;
}

/**
 * What each head writes with one of its inputs patched, minus what it wrote, at the positions that `behind` leaves of [.., B, T, C]:
 * [heads · inputs · S, B, T, C] from `delta` [S, B, T, C]. All heads read the same patched streams, so their inputs are rows of one attention.
 */
function headChanges(
  step: Step,
  model: HookedModel,
  base: CleanBase,
  { layer, heads, inputs }: HeadReader,
  delta: Tensor,
  behind: (x: Tensor) => Tensor,
): Tensor {
  const stream = base.at(blockHook(layer, 'hook_resid_pre'));
  const variants = inputs.length * (delta.shape[0] ?? 0);
  const patched = joinRows(add(step, delta, stream));
  const clean = rows(step, stream, delta.shape[0] ?? 0);
  const [q, k, v] = HEAD_INPUTS.map((letter) =>
    joined(
      step,
      inputs.map((input) => (input === letter ? patched : clean)),
    ),
  ) as [Tensor, Tensor, Tensor];
  const results = model.attention(step, layer, { q, k, v }, { heads, lengths: repeated(base.lengths, variants) });
  const [rowCount = 0, T = 0, , C = 0] = results.shape;
  const kept = behind(reshape(results, [rowCount, T, heads.length * C]));
  const byHead = permute(step, reshape(kept, [rowCount, kept.shape[1] ?? 0, heads.length, C]), [2, 0, 1, 3]);
  const before = behind(base.resultsOf(step, layer, heads));
  const [, ...pairShape] = before.shape;
  const change = sub(
    step,
    reshape(byHead, [heads.length, variants, ...pairShape]),
    reshape(before, [heads.length, 1, ...pairShape]),
  );
  return reshape(change, [heads.length * variants, ...pairShape]);
}

/** The last real position of every row: […, B, T, C] → […, B, 1, C]. */
function atAnswers(step: Step, { lengths, T }: CleanBase, x: Tensor): Tensor {
  const C = x.shape.at(-1) ?? 0;
  const rowCount = x.size / (T * C);
  const places = lastRows(repeated(lengths, rowCount / lengths.length), T);
  const answers = gatherRows(step, reshape(x, [rowCount * T, C]), fromData(step, places, [places.length]));
  return reshape(answers, [...x.shape.slice(0, -2), 1, C]);
}

/** [S, B, …] → [S·B, …]. */
function joinRows(x: Tensor): Tensor {
  const [count = 0, B = 0, ...rest] = x.shape;
  return reshape(x, [count * B, ...rest]);
}

/** [S·B, …] → [S, B, …]. */
function splitRows(x: Tensor, count: number): Tensor {
  const [rows = 0, ...rest] = x.shape;
  return reshape(x, [count, rows / count, ...rest]);
}

/** [B, …] repeated to [count · B, …]. */
function rows(step: Step, x: Tensor, count: number): Tensor {
  return joinRows(expand(step, x, [count, ...x.shape]));
}
