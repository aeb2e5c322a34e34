// Which edges one run patches together: sources × heads × head inputs of one reader of the stream; and how such a block is cut where it is too large.
import { HEAD_INPUTS } from './graph.js';
import type { Graph, HeadInput, Slot } from './graph.js';
import type { SourceRange } from './node-outputs.js';

/** Slots that read the stream at one place: inputs of neighbouring heads of a layer, its MLP, or the logits. */
export type Reader =
  | {
      readonly kind: 'heads';
      readonly layer: number;
      readonly heads: { readonly first: number; readonly count: number };
      readonly inputs: readonly HeadInput[];
    }
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'logits' };

/** Every edge from one of the sources into one of the reader's slots. */
export interface EdgeBlock {
  readonly reader: Reader;
  readonly sources: SourceRange;
}

/** All edges, in the order of the model: per layer a block for its heads and one for its MLP, and one for the logits. */
export function edgeBlocks(graph: Graph): EdgeBlock[] {
  const readers = Array.from({ length: graph.layers }, (_, layer): Reader[] => [
    { kind: 'heads', layer, heads: { first: 0, count: graph.heads }, inputs: HEAD_INPUTS },
    { kind: 'mlp', layer },
  ]).flat();
  return [...readers, { kind: 'logits' } as const].map((reader) => {
    const [slot] = slotsOf(reader) as [Slot];
    return { reader, sources: { first: 0, count: graph.prev(graph.backwardIndex(slot)) } };
  });
}

/** Edges of a block. */
export function edgeCountOf({ reader, sources }: EdgeBlock): number {
  return sources.count * slotCount(reader);
}

/** Dense indices of a block's edges: head by head, input by input, source by source. */
export function edgesOfBlock(graph: Graph, { reader, sources }: EdgeBlock): number[] {
  return slotsOf(reader).flatMap((slot) => {
    const v = graph.backwardIndex(slot);
    return Array.from({ length: sources.count }, (_, s) => graph.dense(sources.first + s, v));
  });
}

/** The block in parts, in order, of which the first has at most `count` edges: fewer sources, then fewer heads of one source, then fewer inputs of one head. */
export function cutBlock(block: EdgeBlock, count: number): [EdgeBlock, ...EdgeBlock[]] {
  if (edgeCountOf(block) <= count) return [block];
  const [first, rest] = cutOnce(block, count);
  return [...cutBlock(first, count), rest];
}

function cutOnce({ reader, sources }: EdgeBlock, count: number): [EdgeBlock, EdgeBlock] {
  if (sources.count > 1) {
    const [a, b] = cutRange(sources, count / slotCount(reader));
    return [
      { reader, sources: a },
      { reader, sources: b },
    ];
  }
  const { heads, inputs } = reader as Extract<Reader, { readonly kind: 'heads' }>; // others have one slot
  const of = (part: { readonly heads?: SourceRange; readonly inputs?: readonly HeadInput[] }): EdgeBlock => ({
    reader: { ...(reader as Extract<Reader, { readonly kind: 'heads' }>), ...part },
    sources,
  });
  if (heads.count > 1) {
    const [a, b] = cutRange(heads, count / inputs.length);
    return [of({ heads: a }), of({ heads: b })];
  }
  return [of({ inputs: inputs.slice(0, count) }), of({ inputs: inputs.slice(count) })];
}

/** At most `at` of a range, but one at least and not all, and the others. */
function cutRange({ first, count }: SourceRange, at: number): [SourceRange, SourceRange] {
  const taken = Math.max(1, Math.floor(at));
  return [
    { first, count: taken },
    { first: first + taken, count: count - taken },
  ];
}

function slotCount(reader: Reader): number {
  return reader.kind === 'heads' ? reader.heads.count * reader.inputs.length : 1;
}

/** Head by head, input by input. */
function slotsOf(reader: Reader): Slot[] {
  if (reader.kind !== 'heads') return [reader];
  const { layer, heads, inputs } = reader;
  return Array.from({ length: heads.count }, (_, h) =>
    inputs.map((input): Slot => ({ kind: 'head', layer, head: heads.first + h, input })),
  ).flat();
}
