// Activations of a model by which the convention of a dictionary is found: what it reads and what it is to give, for texts with and without a BOS.
import { blockHook, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { throwIfAborted } from '@limn/gpu';
import type { ConventionRows, DictionaryConfig, Gain } from '@limn/transcoders';

/** Rows from which an FVU is known well enough; each text gives all of its own but the first token's. */
const ENOUGH_ROWS = 1024;

/** Activations by site, of texts that begin with a BOS or do not. */
export interface CapturedRows {
  readonly bos: boolean;
  readonly rows: ReadonlyMap<HookName, Float32Array>;
}

/**
 * Runs the model on texts, each with a BOS in front and without one; with none where the model has none.
 * @throws LimnError `tokens/…`, `gpu/…`; AbortedError
 */
export async function captureRows(
  model: HookedModel,
  sequences: readonly ArrayLike<number>[],
  sites: readonly HookName[],
  signal?: AbortSignal,
): Promise<readonly CapturedRows[]> {
  const { bosId, maxPositions } = model.info;
  const plain = sequences.map((ids) => {
    const list = Array.from(ids);
    return list[0] === bosId ? list.slice(1) : list;
  });
  const sets = bosId === undefined ? [false] : [true, false];
  const found: CapturedRows[] = [];
  for (const bos of sets) {
    const texts = plain.map((ids) => (bos ? [bosId as number, ...ids] : ids).slice(0, maxPositions));
    found.push({ bos, rows: await rowsOf(model, texts, sites, signal) });
  }
  return found;
}

/** What a dictionary is checked on. */
export function rowsFor({ layer, input }: DictionaryConfig, captured: readonly CapturedRows[]): ConventionRows[] {
  const at = (rows: CapturedRows['rows'], site: HookName): Float32Array => rows.get(site) ?? new Float32Array();
  return captured.map(({ bos, rows }) => ({
    bos,
    x: at(rows, blockHook(layer, input)),
    y: at(rows, blockHook(layer, 'hook_mlp_out')),
  }));
}

/** γ and β of the normalisation before a layer's MLP. */
export async function gainOf(model: HookedModel, layer: number): Promise<Gain> {
  const { gamma, beta } = model.norm(`blocks.${layer}.ln2`);
  const values = await model.gpu.read(gamma.storage, 'f32');
  return {
    gamma: values,
    beta: beta ? await model.gpu.read(beta.storage, 'f32') : new Float32Array(values.length),
  };
}

async function rowsOf(
  model: HookedModel,
  texts: readonly (readonly number[])[],
  sites: readonly HookName[],
  signal: AbortSignal | undefined,
): Promise<Map<HookName, Float32Array>> {
  const { width } = model.info;
  const parts = new Map<HookName, Float32Array[]>(sites.map((site) => [site, []]));
  let count = 0;
  for (const text of texts.filter(({ length }) => length > 1)) {
    throwIfAborted(signal, 'Measuring the convention');
    using step = model.gpu.step({ label: 'convention' });
    const run = model.run(step, { tokens: tokenBatch([text], model.info) }, { capture: sites, logits: 'none' });
    const read = await Promise.all(sites.map((site) => readFloats(step, run.at(site))));
    // The first token's activations are like no other's.
    sites.forEach((site, i) => parts.get(site)?.push((read[i] as Float32Array).subarray(width)));
    count += text.length - 1;
    if (count >= ENOUGH_ROWS) break;
  }
  return new Map(Array.from(parts, ([site, list]) => [site, joined(list)]));
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}
