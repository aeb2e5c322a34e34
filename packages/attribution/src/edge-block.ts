// Which edges one run patches together: sources × heads × head inputs of one reader of the stream; and how such blocks are cut where they are too large.
import type { Circuit } from './circuit.js';
import { HEAD_INPUTS } from './graph.js';
import type { Graph, HeadInput, Slot } from './graph.js';
import { layersOf } from './node-outputs.js';

/** Slots that read the stream at one place: inputs of heads of a layer, its MLP, or the logits. */
export type Reader =
  | {
      readonly kind: 'heads';
      readonly layer: number;
      readonly heads: readonly number[];
      readonly inputs: readonly HeadInput[];
    }
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'logits' };

/** Every edge from one of the sources, ascending, into one of the reader's slots. */
export interface EdgeBlock<R extends Reader = Reader> {
  readonly reader: R;
  readonly sources: readonly number[];
}

/** Blocks whose readers read at one place: one run can patch them all. */
export type EdgeBlocks = readonly [EdgeBlock, ...EdgeBlock[]];

/**
 * The edges of a circuit, in the order of the model: per layer those into its heads and those into its MLP, and those into the logits.
 * Edges into heads are as few blocks as heads and inputs with equal sources make: all of a graph's are one.
 */
export function edgeBlocks(circuit: Circuit): EdgeBlocks[] {
  const alone = (reader: Slot & Reader): EdgeBlock[] => {
    const sources = circuit.sourcesOf(circuit.graph.backwardIndex(reader));
    return sources.length > 0 ? [{ reader, sources }] : [];
  };
  const places = [
    ...layersOf(circuit.graph).flatMap((layer) => [headBlocks(circuit, layer), alone({ kind: 'mlp', layer })]),
    alone({ kind: 'logits' }),
  ];
  return places.filter((blocks): blocks is [EdgeBlock, ...EdgeBlock[]] => blocks.length > 0);
}

/** Edges into the heads of a layer: inputs of a head with equal sources together, then heads with equal inputs and sources. */
function headBlocks(circuit: Circuit, layer: number): EdgeBlock[] {
  const { graph } = circuit;
  const blocks = new Map<string, { heads: number[]; inputs: readonly HeadInput[]; sources: readonly number[] }>();
  for (let head = 0; head < graph.heads; head++) {
    const bySources = new Map<string, { inputs: HeadInput[]; sources: readonly number[] }>();
    for (const input of HEAD_INPUTS) {
      const sources = circuit.sourcesOf(graph.backwardIndex({ kind: 'head', layer, head, input }));
      const found = bySources.get(sources.join());
      if (found) found.inputs.push(input);
      else if (sources.length > 0) bySources.set(sources.join(), { inputs: [input], sources });
    }
    for (const [key, { inputs, sources }] of bySources) {
      const found = blocks.get(`${inputs.join('')} ${key}`);
      if (found) found.heads.push(head);
      else blocks.set(`${inputs.join('')} ${key}`, { heads: [head], inputs, sources });
    }
  }
  return [...blocks.values()].map(({ sources, ...slots }) => ({ reader: { kind: 'heads', layer, ...slots }, sources }));
}

/** Edges of blocks. */
export function edgeCountOf(blocks: readonly EdgeBlock[]): number {
  return blocks.reduce((count, { reader, sources }) => count + sources.length * slotCount(reader), 0);
}

/** Dense indices of a block's edges: head by head, input by input, source by source. */
export function edgesOfBlock(graph: Graph, { reader, sources }: EdgeBlock): number[] {
  return slotsOf(reader).flatMap((slot) => {
    const v = graph.backwardIndex(slot);
    return sources.map((u) => graph.dense(u, v));
  });
}

/**
 * The leading blocks that have at most `count` edges together, or a part of the first where that alone has more; and what is left,
 * in order. A block is cut to fewer sources, then to fewer heads of one source, then to fewer inputs of one head.
 */
export function cutBlocks(blocks: EdgeBlocks, count: number): [EdgeBlocks, readonly EdgeBlock[]] {
  const [block, ...others] = blocks;
  if (edgeCountOf([block]) > count) {
    const [first, ...rest] = cutBlock(block, count);
    return [[first], [...rest, ...others]];
  }
  let room = count - edgeCountOf([block]);
  let taken = 0;
  for (const other of others) {
    room -= edgeCountOf([other]);
    if (room < 0) break;
    taken++;
  }
  return [[block, ...others.slice(0, taken)], others.slice(taken)];
}

function cutBlock(block: EdgeBlock, count: number): [EdgeBlock, ...EdgeBlock[]] {
  if (edgeCountOf([block]) <= count) return [block];
  const [first, rest] = cutOnce(block, count);
  return [...cutBlock(first, count), rest];
}

function cutOnce({ reader, sources }: EdgeBlock, count: number): [EdgeBlock, EdgeBlock] {
  if (sources.length > 1) {
    const [a, b] = cutList(sources, count / slotCount(reader));
    return [
      { reader, sources: a },
      { reader, sources: b },
    ];
  }
  const slots = reader as Extract<Reader, { readonly kind: 'heads' }>; // others have one slot
  const [a, b] =
    slots.heads.length > 1
      ? cutList(slots.heads, count / slots.inputs.length).map((heads) => ({ heads }))
      : cutList(slots.inputs, count).map((inputs) => ({ inputs }));
  return [
    { reader: { ...slots, ...a }, sources },
    { reader: { ...slots, ...b }, sources },
  ];
}

/** At most `at` of a list, but one at least and not all, and the others. */
function cutList<T>(list: readonly T[], at: number): [readonly T[], readonly T[]] {
  const taken = Math.max(1, Math.floor(at));
  return [list.slice(0, taken), list.slice(taken)];
}

function slotCount(reader: Reader): number {
  return reader.kind === 'heads' ? reader.heads.length * reader.inputs.length : 1;
}

/** Head by head, input by input. */
function slotsOf(reader: Reader): Slot[] {
  if (reader.kind !== 'heads') return [reader];
  const { layer, heads, inputs } = reader;
  return heads.flatMap((head) => inputs.map((input): Slot => ({ kind: 'head', layer, head, input })));
}
