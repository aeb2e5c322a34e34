// What a LoRA writes into the residual stream and reads from it, as directions and as tokens: singular vectors of ΔW through the unembedding and the embedding.
import { LimnError, throwIfAborted } from '@limn/gpu';
import { tryParseHookName, type HookedModel, type LinearSite, type NormSite, type RunControls } from '@limn/hooks';
import { fromData, matmul, readFloats, readWords, reshape, topK } from '@limn/tensor';
import { placedFactors, type BaseOptions, type LoraWeights } from '../lora/lora-weights.js';
import { singularTerms } from './low-rank-svd.js';

/** How many of them, and what a long vocabulary allows. */
export interface DirectionOptions extends BaseOptions, Pick<RunControls, 'signal' | 'onProgress'> {
  /** Directions of a map, largest σ first. Default 1. */
  readonly count?: number | undefined;
  /** Tokens at either end of a direction, at most 64. Default 10. */
  readonly tokens?: number | undefined;
}

/** A token and its place along a direction. */
export interface DirectionToken {
  readonly id: number;
  readonly value: number;
}

/** One singular vector of one map's change ΔW = Σ σ·u·vᵀ. */
export interface DiffDirection {
  /** Its name in `linears()`. */
  readonly map: string;
  readonly layer: number;
  /**
   * 'writes': u, of a map whose output is added to the stream; a token's value is w_t·(γ_f∘(u − mean u)), the change of its logit for a stream
   * that u is added to once and whose scale is 1. 'reads': v, of a map that reads the normalised stream; a token's value is e_t·(γ∘v − mean γ∘v),
   * with the γ of the norm in front, what its embedding alone puts into v at scale 1. Means are taken where the norm does.
   */
  readonly side: 'writes' | 'reads';
  /** 0 for the largest σ of its map. */
  readonly rank: number;
  /** σ */
  readonly strength: number;
  /** σ² / Σσ²: the share of ‖ΔW‖². */
  readonly share: number;
  /** u or v, of length 1, [C]. u and v may both be turned around: the largest value of a token is positive here. */
  readonly vector: Float32Array;
  /** The tokens of the largest values, largest first. */
  readonly tokens: readonly DirectionToken[];
  /** Those of the smallest, smallest first: where −u or −v points. */
  readonly opposite: readonly DirectionToken[];
}

/** Tokens of a pass through the vocabulary: 8,192 · C numbers. */
const TOKENS_AT_ONCE = 8192;

/** A direction before tokens are looked up. */
interface Found {
  readonly entry: Pick<DiffDirection, 'map' | 'layer' | 'side' | 'rank' | 'strength' | 'share'>;
  readonly vector: Float64Array;
  /** What a token's row is multiplied by, [C]. */
  readonly seen: Float64Array;
}

/**
 * The top singular directions of every map of a LoRA that writes to the residual stream (attention's and the MLP's output) or reads from it (what
 * a block's norms feed), in the model's order. ΔW is never made. A map whose change is 0 has none.
 * @throws LimnError `usage/diff-reading` for counts that mean nothing; `data/lora-empty`, `data/lora-module`, `data/lora-rank`,
 * `data/lora-shape`, `data/lora-values`, `data/lora-base`, `data/lora-processed`; `gpu/…`; AbortedError
 */
export async function diffDirections(
  model: HookedModel,
  lora: LoraWeights,
  options: DirectionOptions = {},
): Promise<DiffDirection[]> {
  const { vocabulary } = model.info;
  const { count = 1, tokens = Math.min(10, vocabulary), signal, onProgress } = options;
  expectCount('count', count, Infinity);
  expectCount('tokens', tokens, Math.min(64, vocabulary));
  const placed = placedFactors(model, lora, options);
  const norms = await normsOf(
    model,
    placed.map(({ linear }) => linear),
  );
  const found = placed.flatMap(({ linear, factors, scale }): Found[] => {
    const sides = (['writes', 'reads'] as const).flatMap((side) => {
      const norm = norms.get(normOf(linear, side) ?? '');
      return norm ? [{ side, norm }] : [];
    });
    if (sides.length === 0) return [];
    throwIfAborted(signal, 'reading directions');
    const terms = singularTerms(factors, scale);
    const total = terms.reduce((sum, { value }) => sum + value ** 2, 0);
    return sides.flatMap(({ side, norm }) =>
      terms.slice(0, count).map(({ value, output, input }, rank) => {
        const vector = side === 'writes' ? output : input;
        const { name: map, layer } = linear;
        const share = value ** 2 / total;
        return {
          entry: { map, layer, side, rank, strength: value, share },
          vector,
          seen: throughNorm(vector, side, norm),
        };
      }),
    );
  });
  const ends = new Map<Found, Ends>();
  for (const side of ['writes', 'reads'] as const) {
    const own = found.filter(({ entry }) => entry.side === side);
    const values = await tokensAlong(model, side, own.map(({ seen }) => seen), { tokens, signal, onProgress }); // prettier-ignore
    own.forEach((direction, i) => ends.set(direction, values[i] as Ends));
  }
  return found.map((direction) => {
    const { largest, smallest } = ends.get(direction) as Ends;
    const turned = -(smallest[0]?.value ?? 0) > (largest[0]?.value ?? 0);
    const vector = Float32Array.from(direction.vector, (entry) => (turned ? -entry : entry));
    return { ...direction.entry, vector, ...(turned ? { tokens: minus(smallest), opposite: minus(largest) } : { tokens: largest, opposite: smallest }) }; // prettier-ignore
  });
}

/** Of a direction, the tokens of the largest values, and those of the smallest. */
interface Ends {
  readonly largest: readonly DirectionToken[];
  readonly smallest: readonly DirectionToken[];
}

const minus = (tokens: readonly DirectionToken[]): DirectionToken[] =>
  tokens.map(({ id, value }) => ({ id, value: -value }));

/** The norm between the stream and the tokens on this side, if the map has to do with the stream there. */
function normOf({ layer, input, outputs }: LinearSite, side: DiffDirection['side']): NormSite | undefined {
  const siteOf = (name: string): string => tryParseHookName(name)?.site ?? '';
  if (side === 'writes')
    return outputs.length === 1 && ['hook_attn_out', 'hook_mlp_out'].includes(siteOf(outputs[0] as string))
      ? 'ln_final'
      : undefined;
  for (const norm of ['ln1', 'ln2'] as const)
    if (siteOf(input) === `${norm}.hook_normalized`) return `blocks.${layer}.${norm}`;
  return undefined;
}

interface Norm {
  readonly centred: boolean;
  /** [C] */
  readonly gamma: Float32Array;
}

async function normsOf(model: HookedModel, linears: readonly LinearSite[]): Promise<Map<string, Norm>> {
  const sites = new Set(
    linears.flatMap((linear) => [normOf(linear, 'writes') ?? [], normOf(linear, 'reads') ?? []].flat()),
  );
  const norms = new Map<string, Norm>();
  for (const site of sites) {
    const { centred, gamma } = model.norm(site);
    norms.set(site, { centred, gamma: await model.gpu.read(gamma.storage, 'f32') });
  }
  return norms;
}

/** γ∘(u − mean u) of what is written, γ∘v − mean(γ∘v) of what is read. */
function throughNorm(vector: Float64Array, side: DiffDirection['side'], { centred, gamma }: Norm): Float64Array {
  const scaled = (x: Float64Array): Float64Array => x.map((entry, i) => entry * (gamma[i] as number));
  const level = (x: Float64Array): Float64Array => {
    const mean = centred ? x.reduce((sum, entry) => sum + entry, 0) / x.length : 0;
    return x.map((entry) => entry - mean);
  };
  return side === 'writes' ? scaled(level(vector)) : level(scaled(vector));
}

/** Both ends of every direction, over the whole vocabulary: each piece of it gives its own ends, and those are joined here. */
async function tokensAlong(
  model: HookedModel,
  side: DiffDirection['side'],
  directions: readonly Float64Array[],
  { tokens, signal, onProgress }: { readonly tokens: number } & Pick<RunControls, 'signal' | 'onProgress'>,
): Promise<Ends[]> {
  const { width: C, vocabulary } = model.info;
  const n = directions.length;
  if (n === 0) return [];
  // Both signs: the smallest values are the largest of the other.
  const both = Float32Array.from(
    [1, -1].flatMap((sign) => directions.flatMap((each) => Array.from(each, (x) => sign * x))),
  );
  const ends = Array.from({ length: 2 * n }, (): DirectionToken[] => []);
  for (let first = 0; first < vocabulary; first += TOKENS_AT_ONCE) {
    throwIfAborted(signal, 'reading directions');
    const ids = Array.from({ length: Math.min(TOKENS_AT_ONCE, vocabulary - first) }, (_, i) => first + i);
    const step = model.gpu.step({ label: 'tokens along directions', ...(signal ? { signal } : {}) });
    try {
      const lengths = ids.map(() => 1);
      const rows =
        side === 'writes'
          ? model.unembedRows(step, ids)
          : reshape(model.embed(step, { ids: Uint32Array.from(ids), B: ids.length, T: 1, lengths }), [ids.length, C]);
      const along = matmul(step, fromData(step, both, [2 * n, C]), rows, { transposeB: true });
      const most = Math.min(tokens, ids.length);
      const { values, indices } = topK(step, along, most);
      const [best, places] = await Promise.all([readFloats(step, values), readWords(step, indices)]);
      ends.forEach((end, i) => {
        for (let k = i * most; k < (i + 1) * most; k++)
          end.push({ id: first + (places[k] as number), value: best[k] as number });
      });
    } finally {
      step.dispose();
    }
    onProgress?.({ unit: 'tokens', done: first + ids.length, total: vocabulary });
  }
  const sorted = ends.map((end) => end.sort((a, b) => b.value - a.value || a.id - b.id).slice(0, tokens));
  return directions.map((_, i) => ({
    largest: sorted[i] as DirectionToken[],
    smallest: minus(sorted[n + i] as DirectionToken[]),
  }));
}

function expectCount(what: string, given: number, most: number): void {
  if (Number.isInteger(given) && given >= 1 && given <= most) return;
  const allowed = most === Infinity ? 'whole numbers from 1' : `whole numbers from 1 to ${most}`;
  throw new LimnError('usage/diff-reading', `Directions of a diff: ${what} is ${given}; allowed: ${allowed}.`, {
    details: { what, given },
  });
}
