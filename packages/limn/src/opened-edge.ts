// An edge of a circuit that starts or ends at an MLP, opened into the features of that MLP: score(u → v) = Σ_f share of feature f + error. 2403.17806 eq. 2; 2406.11944.
import {
  buildGraph,
  contractGradients,
  siteGradients,
  slotCapturesAt,
  slotGradientAt,
  type Ablation,
  type Chunk,
  type Contraction,
  type GradientMethodOptions,
  type Pair,
  type RecordedPart,
  type ScoringOptions,
  type Slot,
} from '@limn/attribution';
import { LimnError, type Step } from '@limn/gpu';
import { blockHook, type HookedModel, type Run } from '@limn/hooks';
import {
  add,
  detach,
  expand,
  fill,
  gradients,
  matmul,
  mul,
  reshape,
  scale,
  slice,
  sub,
  sum,
  type Tensor,
} from '@limn/tensor';
import type { Dictionary } from '@limn/transcoders';
import { firing, joined, products, throughNormalisation } from './share-sums.js';

/** At which end the MLP is whose features are asked for: it writes what the edge carries, or reads it. */
export type EdgeSide = 'source' | 'destination';

/** An edge's score as a sum. */
export interface OpenedEdge {
  readonly edge: string;
  readonly side: EdgeSide;
  /** mean Δ_u · g_v, as the method scores the edge. */
  readonly score: number;
  /** Of each feature, [F]. Of a source (a'_f − a_f)·d_f·g_v; of a destination 1[a_f > 0]·(w_f·JΔ_u)·(d_f·∂L/∂y), J the LayerNorm's Jacobian. */
  readonly features: Float64Array;
  /** Of what the dictionary does not say of the MLP. */
  readonly error: number;
  /** Of x·W_skip. */
  readonly skip: number;
  /** Of a source: of the constant that the ablation puts in its place, less b_dec; 0 where it puts the corrupted output there. */
  readonly constant: number;
  /** Σ of all these − score; no term is what is left over of others. */
  readonly residual: number;
}

/** How the edge was scored, and at which end it is opened. */
export interface OpenEdgeOptions extends GradientMethodOptions, Omit<ScoringOptions, 'perExample'> {
  readonly side: EdgeSide;
}

/**
 * Opens one edge by the gradients of the method that scored it, over the same pairs.
 * @throws LimnError `usage/edge-side` where that end is no MLP, is not the dictionary's, or reads what it does not; `data/unknown-edge`;
 * `data/dictionary-model`; as `contractGradients`
 */
export async function openEdge(
  model: HookedModel,
  pairs: readonly Pair[],
  edge: string,
  dictionary: Dictionary,
  options: OpenEdgeOptions,
): Promise<OpenedEdge> {
  const graph = buildGraph(model.info);
  const { u, v } = graph.parseEdge(edge);
  const { side, ablation = 'patch' } = options;
  const slot = graph.slots[v] as Slot;
  const end = side === 'source' ? graph.nodes[u] : slot;
  expectEnd(edge, side, end?.kind === 'mlp' ? end.layer : undefined, dictionary);
  const F = dictionary.config.features;
  const opening: Opening = { u, slot, dictionary, ablation };
  const values = await contractGradients(
    model,
    pairs,
    side === 'source' ? ofSource(opening) : ofDestination(opening),
    options,
  );
  const [error = 0, skip = 0, constant = 0, score = 0] = values.subarray(F);
  const features = values.slice(0, F);
  const parts = features.reduce((total, share) => total + share, error + skip + constant);
  return { edge, side, score, features, error, skip, constant, residual: parts - score };
}

interface Opening {
  readonly u: number;
  readonly slot: Slot;
  readonly dictionary: Dictionary;
  readonly ablation: Ablation;
}

function expectEnd(edge: string, side: EdgeSide, layer: number | undefined, { config }: Dictionary): void {
  const problem =
    layer === undefined
      ? `the ${side} of ${edge} is no MLP`
      : layer !== config.layer
        ? `the ${side} of ${edge} is the MLP of layer ${layer}, and the dictionary is of layer ${config.layer}`
        : side === 'destination' && config.input === 'hook_mlp_out'
          ? "an SAE reads the MLP's output: what an MLP reads can be opened into features of transcoders only"
          : undefined;
  if (problem === undefined) return;
  throw new LimnError('usage/edge-side', problem, {
    details: { edge, side, layer: config.layer, input: config.input },
    hint: 'open edges such as m1->logits at their source and a0.h1->m1 at their destination',
  });
}

/** What is behind the features: error, skip connection, constant, and the score itself. */
const REST = ['the error', 'the skip connection', 'the constant', 'the score'];

function contraction(
  { dictionary }: Opening,
  parts: Pick<Contraction, 'captures' | 'record'> & Pick<Contraction, 'reads'>,
): Contraction {
  const F = dictionary.config.features;
  const size = F + REST.length;
  return {
    size,
    indices: Array.from({ length: size }, (_, i) => i),
    name: (index) => REST[index - F] ?? `feature ${index}`,
    ...parts,
  };
}

/** Shares of what the MLP wrote. */
function ofSource(opening: Opening): Contraction {
  const { u, slot, dictionary, ablation } = opening;
  const { layer, features: F, inputWidth: I } = dictionary.config;
  const out = blockHook(layer, 'hook_mlp_out');
  return contraction(opening, {
    reads: [dictionary.reads],
    captures: (model, from) => slotCapturesAt(model, slot, from),
    record(chunk, parts) {
      const { step, model, clean } = chunk;
      const { B, T } = clean;
      let g: Tensor | undefined;
      for (const { runs } of partsOf(parts, u)) {
        const own = slotGradientAt(step, model, runs, slot);
        if (own) g = g ? add(step, g, own) : own;
      }
      if (!g) return fill(step, [B, F + REST.length], 0);
      const C = g.shape[2] as number;
      const rows = reshape(g, [B * T, C]);
      const at = (run: Run): Parts => partsAt(step, dictionary, reshape(detach(run.at(dictionary.reads)), [B * T, I]));
      const now = at(clean);
      const then = ablation === 'patch' ? at(chunk.corrupted) : undefined;
      const moved = (a: Tensor, b: Tensor | undefined): Tensor => (b ? sub(step, b, a) : scale(step, a, -1));
      const mlp = reshape(detach(clean.at(out)), [B * T, C]);
      const errorOf = (run: Run, { rebuilt }: Parts): Tensor =>
        sub(step, reshape(detach(run.at(out)), [B * T, C]), rebuilt);
      const delta = reshape(deltaOf(chunk, u), [B * T, C]);
      const perExample = (x: Tensor): Tensor => products(step, x, rows, B);
      const shares = mul(
        step,
        moved(now.activations, then?.activations),
        matmul(step, rows, dictionary.tensor('wDec'), { transposeB: true }),
      );
      return joined(
        step,
        [
          sum(step, reshape(shares, [B, T, F]), { axes: 1 }),
          perExample(moved(errorOf(clean, now), then && errorOf(chunk.corrupted, then))),
          now.skipped ? perExample(moved(now.skipped, then?.skipped)) : undefined,
          then ? undefined : perExample(sub(step, add(step, delta, mlp), dictionary.tensor('bDec'))),
          perExample(delta),
        ],
        B,
      );
    },
  });
}

/** Shares of what the MLP reads. */
function ofDestination(opening: Opening): Contraction {
  const { u, slot, dictionary } = opening;
  const { layer, features: F, inputWidth: I, input } = dictionary.config;
  const [read, out] = [blockHook(layer, 'hook_mlp_in'), blockHook(layer, 'hook_mlp_out')];
  const scales = blockHook(layer, 'ln2.hook_scale');
  return contraction(opening, {
    captures: (model, from) =>
      slotCapturesAt(model, slot, from).length === 0 ? [] : [...new Set([read, out, scales, dictionary.reads])],
    record(chunk, parts) {
      const { step, model, clean } = chunk;
      const { B, T } = clean;
      let total: Tensor | undefined;
      for (const { runs } of partsOf(parts, u))
        for (const each of runs) {
          if (slotCapturesAt(model, slot, each.from).length === 0) continue;
          const { run, weights } = each;
          const K = weights.length;
          const N = K * B * T;
          const C = model.info.width;
          const found = siteGradients(step, each, [read, out]);
          const [gIn, gOut] = [read, out].map((site) => reshape(found.get(site) as Tensor, [N, C])) as [Tensor, Tensor];
          const delta = reshape(expand(step, reshape(deltaOf(chunk, u), [1, B * T * C]), [K, B * T * C]), [N, C]);
          const change =
            input === 'ln2.hook_normalized'
              ? throughNormalisation(step, model, layer, {
                  x: reshape(detach(run.at(read)), [N, C]),
                  scale: reshape(detach(run.at(scales)), [N, 1]),
                  change: delta,
                })
              : delta;
          const x = reshape(detach(run.at(dictionary.reads)), [N, I]);
          const { activations, rebuilt } = partsAt(step, dictionary, x);
          const [gRebuilt] = gradients(step, rebuilt, gOut, [x]) as [Tensor];
          const shares = mul(
            step,
            mul(step, firing(step, activations), matmul(step, change, dictionary.tensor('wEnc'), { transposeB: true })),
            matmul(step, gOut, dictionary.tensor('wDec'), { transposeB: true }),
          );
          const overPoints = (values: Tensor): Tensor => sum(step, reshape(values, [K, B]), { axes: 0 });
          const wSkip = dictionary.parameters.get('wSkip');
          const whole = products(step, delta, gIn, K * B);
          const own = joined(
            step,
            [
              reshape(
                sum(step, reshape(sum(step, reshape(shares, [K * B, T, F]), { axes: 1 }), [K, B * F]), { axes: 0 }),
                [B, F],
              ),
              overPoints(sub(step, whole, products(step, change, gRebuilt, K * B))),
              wSkip ? overPoints(products(step, matmul(step, change, wSkip), gOut, K * B)) : undefined,
              undefined,
              overPoints(whole),
            ],
            B,
          );
          total = total ? add(step, total, own) : own;
        }
      return total ?? fill(step, [B, F + REST.length], 0);
    },
  });
}

/** The parts whose gradients score a source. */
function* partsOf(parts: Iterable<RecordedPart>, u: number): Generator<RecordedPart> {
  for (const part of parts) if (u >= part.sources.first && u < part.sources.first + part.sources.count) yield part;
}

/** Δ_u, [B, T, C]. */
function deltaOf({ step, deltas }: Chunk, u: number): Tensor {
  const block = deltas.find(({ first, tensor }) => u >= first && u < first + (tensor.shape[0] as number));
  const { first, tensor } = block as NonNullable<typeof block>;
  return reshape(slice(step, tensor, 0, u - first, 1), tensor.shape.slice(1));
}

interface Parts {
  /** [N, F] */
  readonly activations: Tensor;
  /** ŷ [N, C], bias and skip connection included. */
  readonly rebuilt: Tensor;
  readonly skipped?: Tensor;
}

function partsAt(step: Step, dictionary: Dictionary, x: Tensor): Parts {
  const wSkip = dictionary.parameters.get('wSkip');
  return {
    activations: detach(dictionary.encode(step, x)),
    rebuilt: dictionary.apply(step, x),
    ...(wSkip ? { skipped: matmul(step, x, wSkip) } : {}),
  };
}
