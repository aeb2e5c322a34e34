// The edges u → v of a pre-norm decoder: sources write to the residual stream, slots read it; u feeds v iff forward(u) < prev(v). arXiv 2403.17806 §2.
import { LimnError } from '@limn/gpu';

/** One of the three inputs of an attention head; each is a destination of its own. */
export type HeadInput = 'q' | 'k' | 'v';
/** All three, in the order of the backward indices. */
export const HEAD_INPUTS: readonly HeadInput[] = ['q', 'k', 'v'];

/** A node that writes to the residual stream. `input` is the token embedding alone: positions and biases belong to no node. */
export type SourceNode =
  | { readonly kind: 'input' }
  | { readonly kind: 'head'; readonly layer: number; readonly head: number }
  | { readonly kind: 'mlp'; readonly layer: number };

/** A place that reads the residual stream, before its own LayerNorm. */
export type Slot =
  | { readonly kind: 'head'; readonly layer: number; readonly head: number; readonly input: HeadInput }
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'logits' };

/** What the topology depends on; every `ModelInfo` has these fields. */
export interface GraphShape {
  readonly layers: number;
  readonly heads: number;
  /** Width of the residual stream (d_model); written to graph files, no part of the topology. */
  readonly width: number;
  /** In a parallel block the MLP does not read the heads of its own layer. */
  readonly block: 'sequential' | 'parallel';
}

/** Edges of a model: (3H+1)(L + (H+1)L(L−1)/2) + LH + 1 + L(H+1), without the LH term in a parallel block. */
export function countEdges({ layers: L, heads: H, block }: Pick<GraphShape, 'layers' | 'heads' | 'block'>): number {
  return (3 * H + 1) * (L + ((H + 1) * L * (L - 1)) / 2) + (block === 'sequential' ? L * H : 0) + 1 + L * (H + 1);
}

/**
 * The topology: nodes, slots, their dense indices, names. Immutable.
 * @throws LimnError `data/graph-shape`
 */
export class Graph {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly block: 'sequential' | 'parallel';
  /** Sources by forward index: `input`, then per layer the heads and the MLP. Length 1 + L(H+1). */
  readonly nodes: readonly SourceNode[];
  /** Slots by backward index: per layer all q, all k, all v, the MLP; `logits` last. Length L(3H+1) + 1. */
  readonly slots: readonly Slot[];
  readonly edgeCount: number;

  readonly #nodeNames: readonly string[];
  readonly #slotNames: readonly string[];
  readonly #forward: ReadonlyMap<string, number>;
  readonly #backward: ReadonlyMap<string, number>;
  // Asked for at every edge of every circuit, so they are looked up and not worked out.
  readonly #prev: readonly number[];
  readonly #inputs: readonly (readonly number[])[];
  readonly #owners: readonly (number | undefined)[];

  constructor({ layers, heads, width, block }: GraphShape) {
    for (const [name, value] of Object.entries({ layers, heads, width }))
      if (!Number.isInteger(value) || value < 1)
        throw new LimnError(
          'data/graph-shape',
          `A graph needs a whole number of ${name} of at least 1; given ${value}.`,
          {
            details: { name, value },
          },
        );
    this.layers = layers;
    this.heads = heads;
    this.width = width;
    this.block = block;
    const nodes: SourceNode[] = [{ kind: 'input' }];
    const slots: Slot[] = [];
    const prev: number[] = [];
    const owners: (number | undefined)[] = [];
    const inputs: number[][] = [[]];
    for (let layer = 0; layer < layers; layer++) {
      const before = nodes.length;
      const base = slots.length;
      for (let head = 0; head < heads; head++) {
        nodes.push({ kind: 'head', layer, head });
        inputs.push(HEAD_INPUTS.map((_, i) => base + i * heads + head));
      }
      nodes.push({ kind: 'mlp', layer });
      inputs.push([base + 3 * heads]);
      for (const input of HEAD_INPUTS)
        for (let head = 0; head < heads; head++) {
          slots.push({ kind: 'head', layer, head, input });
          prev.push(before);
          owners.push(before + head);
        }
      slots.push({ kind: 'mlp', layer });
      prev.push(block === 'sequential' ? before + heads : before);
      owners.push(before + heads);
    }
    slots.push({ kind: 'logits' });
    prev.push(nodes.length);
    owners.push(undefined);
    this.nodes = nodes;
    this.slots = slots;
    this.edgeCount = countEdges(this);
    this.#nodeNames = nodes.map(nodeName);
    this.#slotNames = slots.map(slotName);
    this.#forward = new Map(this.#nodeNames.map((name, u) => [name, u]));
    this.#backward = new Map(this.#slotNames.map((name, v) => [name, v]));
    this.#prev = prev;
    this.#inputs = inputs;
    this.#owners = owners;
  }

  /** Sources, 1 + L(H+1). */
  get nForward(): number {
    return this.nodes.length;
  }

  /** Slots, L(3H+1) + 1. */
  get nBackward(): number {
    return this.slots.length;
  }

  /**
   * Dense index of a source, by node or by name: input 0, a{l}.h{h} 1 + l(H+1) + h, m{l} 1 + l(H+1) + H.
   * @throws LimnError `data/unknown-node`
   */
  forwardIndex(node: SourceNode | string): number {
    if (typeof node === 'string') return this.#lookUp(this.#forward, node, 'source');
    if (node.kind === 'input') return 0;
    return 1 + node.layer * (this.heads + 1) + (node.kind === 'mlp' ? this.heads : node.head);
  }

  /**
   * Dense index of a slot, by slot or by name: a{l}.h{h}<q|k|v> l(3H+1) + {0,1,2}H + h, m{l} l(3H+1) + 3H, logits last.
   * @throws LimnError `data/unknown-node`
   */
  backwardIndex(slot: Slot | string): number {
    if (typeof slot === 'string') return this.#lookUp(this.#backward, slot, 'destination');
    if (slot.kind === 'logits') return this.nBackward - 1;
    const base = slot.layer * (3 * this.heads + 1);
    return base + (slot.kind === 'mlp' ? 3 * this.heads : HEAD_INPUTS.indexOf(slot.input) * this.heads + slot.head);
  }

  /** How many leading sources feed slot `v`: its sources are always a prefix of the source axis. */
  prev(v: number): number {
    return this.#prev[v] ?? this.nForward;
  }

  /** Does source `u` feed slot `v`? False for indices outside of the graph. */
  isEdge(u: number, v: number): boolean {
    return v >= 0 && v < this.nBackward && u >= 0 && u < this.prev(v);
  }

  /** Position of edge (u, v) in a dense row-major [nForward, nBackward] matrix. */
  dense(u: number, v: number): number {
    return u * this.nBackward + v;
  }

  /** The slots through which source `u` itself reads: none for `input`, q, k and v for a head, one for an MLP. */
  inputsOf(u: number): readonly number[] {
    return this.#inputs[u] ?? [];
  }

  /** The source that slot `v` belongs to; undefined for `logits`. */
  ownerOf(v: number): number | undefined {
    return this.#owners[v];
  }

  /** `input`, `a5.h3`, `m5`. @throws LimnError `data/unknown-node` */
  nodeName(u: number): string {
    return at(this.#nodeNames, u, 'source');
  }

  /** `a5.h3<q>`, `m5`, `logits`. @throws LimnError `data/unknown-node` */
  slotName(v: number): string {
    return at(this.#slotNames, v, 'destination');
  }

  /**
   * `a5.h5->a8.h6<v>`, `input->m0`, `m11->logits`.
   * @throws LimnError `data/unknown-node`
   */
  edgeName(u: number, v: number): string {
    return `${this.nodeName(u)}->${this.slotName(v)}`;
  }

  /**
   * The name of the edge with that dense index, u · nBackward + v.
   * @throws LimnError `data/unknown-node`
   */
  denseName(index: number): string {
    return this.edgeName(Math.floor(index / this.nBackward), index % this.nBackward);
  }

  /**
   * The pair (u, v) of an edge name; `data/unknown-edge` when this graph has no such edge.
   * @throws LimnError `data/unknown-edge`
   */
  parseEdge(name: string): { readonly u: number; readonly v: number } {
    const [source, destination, ...rest] = name.split('->');
    const u = this.#forward.get(source ?? '');
    const v = this.#backward.get(destination ?? '');
    if (u === undefined || v === undefined || rest.length > 0 || !this.isEdge(u, v))
      throw new LimnError(
        'data/unknown-edge',
        `"${name}" is no edge of a model with ${this.layers} layers of ${this.heads} heads (${this.block} block).`,
        {
          details: { name },
          hint: 'Edges look like "a0.h1->m0", "input->a1.h0<q>" or "m1->logits", from earlier to later.',
        },
      );
    return { u, v };
  }

  /** Every real edge, by destination, then by source. */
  *edges(): Generator<{ readonly u: number; readonly v: number }> {
    for (let v = 0; v < this.nBackward; v++) for (let u = 0; u < this.prev(v); u++) yield { u, v };
  }

  /** Whether both have the same nodes, slots and edges; width does not matter. */
  equals(other: Graph): boolean {
    return this.layers === other.layers && this.heads === other.heads && this.block === other.block;
  }

  #lookUp(map: ReadonlyMap<string, number>, name: string, what: string): number {
    const index = map.get(name);
    if (index === undefined)
      throw new LimnError('data/unknown-node', `"${name}" is no ${what} of this graph.`, {
        details: { name, layers: this.layers, heads: this.heads },
        hint: `Sources: input, a0.h0 … a${this.layers - 1}.h${this.heads - 1}, m0 … m${this.layers - 1}; destinations besides: a0.h0<q>, logits.`,
      });
    return index;
  }
}

/** The graph of a model, from its `info`. @throws LimnError `data/graph-shape` */
export function buildGraph(info: GraphShape): Graph {
  return new Graph(info);
}

/** The name that graph files of EAP-IG give a source: `input`, `a5.h3`, `m5`. */
export function nodeName(node: SourceNode): string {
  if (node.kind === 'input') return 'input';
  return node.kind === 'mlp' ? `m${node.layer}` : `a${node.layer}.h${node.head}`;
}

/** The name that graph files of EAP-IG give a slot: `a5.h3<q>`, `m5`, `logits`. */
export function slotName(slot: Slot): string {
  if (slot.kind === 'logits') return 'logits';
  return slot.kind === 'mlp' ? `m${slot.layer}` : `a${slot.layer}.h${slot.head}<${slot.input}>`;
}

function at(names: readonly string[], index: number, what: string): string {
  const name = names[index];
  if (name === undefined)
    throw new LimnError('data/unknown-node', `There is no ${what} ${index}; this graph has ${names.length}.`, {
      details: { index, count: names.length },
    });
  return name;
}
