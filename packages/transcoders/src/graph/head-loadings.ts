// Which heads of one attention layer an edge runs through: the frozen map is linear, so that the parts of an edge sum to it.
import { LimnError } from '@limn/gpu';
import { readFloats } from '@limn/tensor';
import { addReading, carryBack } from './adjoint.js';
import { placeSeeds } from './edges-into.js';
import type { FrozenPrompt } from './frozen-prompt.js';
import type { GraphNode } from './graph-node.js';
import { graphSources } from './graph-sources.js';
import type { FeatureChoice, SkipTreatment } from './source-columns.js';
import { checkTarget, placeOf, recordSeeds, type GraphTarget } from './graph-target.js';

/** The edges into one target, split at an attention layer. */
export interface HeadLoadings {
  /** The sources, as in a graph of the features chosen. */
  readonly nodes: readonly GraphNode[];
  /** What each source brings through each head of the layer, [H, sources]. */
  readonly heads: Float32Array;
  /** What it brings past this attention layer, [sources]: all of what is written behind it. */
  readonly past: Float32Array;
}

/**
 * Splits every edge into a target by the heads of attention layer `layer`; Σ heads + past is the edge.
 * @throws LimnError `usage/graph-head-layer` for a layer whose attention the target does not lie behind; `usage/graph-target`,
 * `usage/graph-place`, `gpu/…`; AbortedError
 */
export async function headLoadings(
  prompt: FrozenPrompt,
  target: GraphTarget,
  layer: number,
  options: {
    readonly skips?: SkipTreatment;
    /** Features that are sources, as in a graph that others are errors of. Default: all that fire. */
    readonly chosen?: FeatureChoice;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<HeadLoadings> {
  checkTarget(target, prompt);
  const from = placeOf(target, prompt);
  const last = from.at === 'pre' ? from.layer - 1 : from.layer;
  if (!Number.isInteger(layer) || layer < 0 || layer > last)
    throw new LimnError('usage/graph-head-layer', `The target does not lie behind attention layer ${layer}.`, {
      details: { layer, last },
      hint: last < 0 ? 'It reads the embeddings alone.' : `Give a layer from 0 to ${last}.`,
    });
  const sources = await graphSources(prompt, options);
  const { signal } = options;
  const step = prompt.model.gpu.step({ label: 'attribution graph: heads', ...(signal ? { signal } : {}) });
  try {
    const seeds = recordSeeds(step, prompt, [target]);
    const readings = carryBack(
      step,
      prompt,
      sources,
      seeds.from,
      placeSeeds(step, seeds.vectors, [target.position]),
      layer,
    );
    const [own, ...products] = await Promise.all([
      Promise.all(seeds.own.map(({ values }) => readFloats(step, values))),
      ...readings.map((reading) => readFloats(step, reading.products)),
    ]);
    const width = sources.nodes.length;
    const past = new Float32Array(width);
    const heads = new Float32Array(prompt.model.info.heads * width);
    const row = (b: number): Float32Array => (b === 0 ? past : heads.subarray((b - 1) * width, b * width));
    for (const [i, reading] of readings.entries()) addReading(reading, products[i] as Float32Array, row);
    for (const [i, { bias, layer: of }] of seeds.own.entries())
      past[sources.biasColumn(bias, of)] = own[i]?.[0] as number;
    return { nodes: sources.nodes, heads, past };
  } finally {
    step.dispose();
    sources.dispose();
  }
}
