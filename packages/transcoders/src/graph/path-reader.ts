// From a node of a path to the vector that reads what it is made of: f ← (f·d)·C(γ₂∘W_enc)/s₂ for a feature, f ← A·C(γ₁∘W_V·W_O·f)/s₁ for a head.
import type { Step } from '@limn/gpu';
import { div, fromData, gatherRows, matmul, mul, readFloats, reshape } from '@limn/tensor';
import type { FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import { recordSeeds, type FeatureTarget } from './graph-target.js';
import type { PathSource, PathTerm } from './path-node.js';
import type { StreamReader } from './path-terms.js';
import { mlpInput } from './stream-place.js';
import { throughGain } from './through-norm.js';

/** A step down: the reader above, and the term of it that is taken apart. */
export interface Descent {
  readonly reader: StreamReader;
  readonly taken: PathTerm;
}

/** The reader of a node, and the constants that the node adds to its value itself. */
export interface Descended {
  readonly reader: StreamReader;
  readonly own: number;
}

type Of<K extends PathSource['kind']> = Extract<PathSource, { kind: K }>;

/** Readers of features and heads, in one step; undefined for embeddings, which are made of nothing else. */
export async function descend(
  prompt: FrozenPrompt,
  descents: readonly Descent[],
  patterns: readonly Float32Array[],
  signal?: AbortSignal,
): Promise<(Descended | undefined)[]> {
  const step = prompt.model.gpu.step({ label: 'paths: readers', ...(signal ? { signal } : {}) });
  try {
    const found = new Map<Descent, Descended>();
    await Promise.all(
      prompt.layers.flatMap((_, layer) => {
        const of = (kind: 'feature' | 'head'): Descent[] =>
          descents.filter(({ taken: { node } }) => node.kind === kind && node.layer === layer);
        return [
          ofGroup(of('feature'), (group) => featureReaders(step, prompt, layer, group), found),
          ofGroup(of('head'), (group) => headReaders(step, prompt, layer, group, patterns), found),
        ];
      }),
    );
    return descents.map((descent) => found.get(descent));
  } finally {
    step.dispose();
  }
}

async function ofGroup(
  group: readonly Descent[],
  readers: (group: readonly Descent[]) => Promise<Descended[]>,
  into: Map<Descent, Descended>,
): Promise<void> {
  if (group.length === 0) return;
  const made = await readers(group);
  for (const [i, descent] of group.entries()) into.set(descent, made[i] as Descended);
}

/** The value a·(f·d) over the activation a is f·d, which the encoder's vector and constants are multiplied by. */
async function featureReaders(
  step: Step,
  prompt: FrozenPrompt,
  layer: number,
  group: readonly Descent[],
): Promise<Descended[]> {
  const { info } = prompt.model;
  const targets = group.map(({ taken }): FeatureTarget => taken.node as Of<'feature'>);
  const seeds = recordSeeds(step, prompt, targets);
  const [vectors, ...own] = await Promise.all([
    readFloats(step, seeds.vectors),
    ...seeds.own.map(({ values }) => readFloats(step, values)),
  ]);
  return group.map(({ taken }, row) => {
    const { feature, position } = targets[row] as FeatureTarget;
    const fired = prompt.host.firing[layer]?.find((each) => each.feature === feature && each.position === position);
    const factor = taken.value / (fired?.activation ?? 1);
    const vector = vectors.slice(row * info.width, (row + 1) * info.width).map((value) => factor * value);
    return {
      reader: { place: mlpInput(info, layer), position, vector },
      own: own.reduce((sum, values) => sum + factor * (values[row] as number), 0),
    };
  });
}

/** A[t, s]·C(γ₁∘W_V^h·W_O^h·f)/s₁ at s, which reads the stream before the layer. */
async function headReaders(
  step: Step,
  { model, layers, length: T }: FrozenPrompt,
  layer: number,
  group: readonly Descent[],
  patterns: readonly Float32Array[],
): Promise<Descended[]> {
  const { width: C, headWidth: K, heads: H } = model.info;
  const { wO, wV, ln1 } = layers[layer] as FrozenLayer;
  const n = group.length;
  const above = new Float32Array(n * C);
  const shares = new Float32Array(n * H * K);
  const nodes = group.map(({ taken }) => taken.node as Of<'head'>);
  for (const [row, { reader }] of group.entries()) {
    const { head, position } = nodes[row] as Of<'head'>;
    above.set(reader.vector, row * C);
    const share = patterns[layer]?.[(head * T + reader.position) * T + position] as number;
    shares.fill(share, (row * H + head) * K, (row * H + head + 1) * K);
  }
  const read = matmul(step, fromData(step, above, [n, C]), wO, { transposeB: true });
  const values = matmul(step, mul(step, read, fromData(step, shares, [n, H * K])), wV, { transposeB: true });
  const positions = fromData(
    step,
    Uint32Array.from(nodes, ({ position }) => position),
    [n],
  );
  const scales = gatherRows(step, reshape(ln1.scale, [T, 1]), positions);
  const vectors = await readFloats(step, div(step, throughGain(step, ln1.weights, values), scales));
  return nodes.map(({ position }, row) => ({
    reader: { place: { layer, at: 'pre' }, position, vector: vectors.slice(row * C, (row + 1) * C) },
    own: 0,
  }));
}
