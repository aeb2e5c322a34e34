// Where the nodes of a circuit stand: input below, logits above, one row for the heads of a layer and one lane for the MLPs.
// A narrow model is shown whole. Of a wide one only the nodes of some drawn circuit are, each head above what it reads from.
import { edgeParts } from './number-text.js';

/** A node's box; x and y are its centre. `q`, `k` and `v` enter a head at their own ports below it. */
export interface PlacedNode {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** 0 is `input`, the last is `logits`. */
  readonly row: number;
}

/** An edge to draw; heads are drawn to one another by its weight, ≥ 0. */
export interface WeighedEdge {
  readonly name: string;
  readonly weight: number;
}

export interface Graph {
  readonly layers: number;
  readonly heads: number;
  readonly block: 'sequential' | 'parallel';
}

export const margin = 14;
/** A drawing of at most so many heads a layer is shown whole in narrow windows, too. */
export const fewHeads = 4;
/** Passes up and down after which heads hardly move. */
const passes = 12;

/** Nodes of every circuit that may be shown: the picture stays put when the circuit changes. */
export function placeNodes(
  { layers, heads, block }: Graph,
  edges: readonly WeighedEdge[] = [],
): { width: number; height: number; nodes: PlacedNode[] } {
  const few = heads <= fewHeads;
  const ends = new Set(edges.flatMap(({ name }) => edgeParts(name).slice(0, 2)));
  const stands = (name: string): boolean => few || ends.size === 0 || ends.has(name);
  const rowsOfHeads = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (__, head) => `a${layer}.h${head}`).filter(stands),
  );
  const lanes = Math.max(few ? heads : 6, ...rowsOfHeads.map((row) => row.length)) + 1;
  const pitch = Math.min(108, Math.max(58, 700 / lanes));
  const boxWidth = Math.min(64, pitch * 0.68);
  // Taller boxes hold the larger letters that a drawing needs when it is shrunk to a narrow window.
  const nodeHeight = few ? 38 : 30;
  const width = lanes * pitch + 2 * margin + 0.5 * pitch;
  const rowPitch = nodeHeight + (few ? 46 : layers <= 6 ? 40 : 24);
  const lane = (i: number, layer: number): number => margin + (i + 0.5) * pitch + (layer % 2) * 0.5 * pitch;

  const rows: { readonly name: string; readonly x: number; readonly width: number }[][] = [];
  const bar = { x: width / 2, width: width - 2 * margin };
  rows.push([{ name: 'input', ...bar }]);
  const settled = few ? undefined : settle(rowsOfHeads, edges, { pitch, least: lane(0, 0), most: lane(lanes - 2, 0) });
  rowsOfHeads.forEach((row, layer) => {
    const placed = row.map((name, i) => ({ name, x: settled?.get(name) ?? lane(i, layer), width: boxWidth }));
    const mlp = { name: `m${layer}`, x: lane(lanes - 1, few ? layer : layer % 2), width: boxWidth * 1.15 };
    const mlps = stands(mlp.name) ? [mlp] : [];
    rows.push(...(block === 'sequential' ? [placed, mlps] : [[...placed, ...mlps]]));
  });
  rows.push([{ name: 'logits', ...bar }]);
  const filled = rows.filter((row) => row.length > 0);
  // Rows of heads without an MLP's between them are further apart: the edges of one cross there to the other.
  const hasHeads = (row: number): boolean => filled[row]?.[0]?.name.startsWith('a') === true;
  const rises = filled.map((_, row) =>
    row === 0 ? 0 : rowPitch + (hasHeads(row) && hasHeads(row - 1) && !few ? 18 : 0),
  );
  const above = (row: number): number => rises.slice(0, row + 1).reduce((sum, rise) => sum + rise, 0);
  const height = above(filled.length - 1) + nodeHeight + 2 * margin;
  const nodes = filled.flatMap((nodesOfRow, row) => {
    const y = height - margin - nodeHeight / 2 - above(row);
    return nodesOfRow.map((node) => ({ ...node, y, height: nodeHeight, row }));
  });
  return { width, height, nodes };
}

/**
 * x of every head: the mean of the heads that it is connected with, by weight, as near as the others of its row let it. Fewer edges
 * cross so than in the order of the heads. After Sugiyama, Tagawa & Toda 1981, with the places of a row by isotonic regression.
 */
function settle(
  rows: readonly (readonly string[])[],
  edges: readonly WeighedEdge[],
  { pitch, least, most }: { pitch: number; least: number; most: number },
): Map<string, number> {
  const x = new Map<string, number>();
  for (const row of rows) row.forEach((name, i) => x.set(name, least + ((i + 0.5) / row.length) * (most - least)));
  const neighbours = new Map<string, { readonly at: string; readonly weight: number }[]>();
  const join = (from: string, at: string, weight: number): void => {
    neighbours.set(from, [...(neighbours.get(from) ?? []), { at, weight }]);
  };
  for (const { name, weight } of edges) {
    const [from, to] = edgeParts(name);
    if (!x.has(from) || !x.has(to)) continue;
    join(from, to, weight);
    join(to, from, weight);
  }
  for (let pass = 0; pass < passes; pass++)
    for (const row of pass % 2 ? [...rows].reverse() : rows) {
      // A row of few heads uses its room, for the edges that pass between them.
      const space = Math.max(pitch, (0.8 * (most - least)) / row.length);
      const wanted = row.map((name) => {
        const near = neighbours.get(name) ?? [];
        const total = near.reduce((sum, { weight }) => sum + weight, 0);
        const own = x.get(name) ?? 0;
        const mean = total ? near.reduce((sum, { at, weight }) => sum + weight * (x.get(at) ?? 0), 0) / total : own;
        // Half of the way: a row that jumps to its means swings for ever with the row that it is read by.
        return { name, at: (own + mean) / 2 };
      });
      wanted.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
      const places = apart(
        wanted.map(({ at }) => at),
        space,
      );
      const room = most - (wanted.length - 1) * space;
      wanted.forEach(({ name }, i) =>
        x.set(name, Math.min(Math.max((places[i] ?? 0) - i * space, least), Math.max(least, room)) + i * space),
      );
    }
  return x;
}

/** The places nearest to the wanted ones, given in order, that are at least `pitch` apart: pooled where they are too near. */
function apart(wanted: readonly number[], pitch: number): number[] {
  const blocks: { sum: number; count: number }[] = [];
  wanted.forEach((at, i) => {
    let block = { sum: at - i * pitch, count: 1 };
    for (let last = blocks.at(-1); last && last.sum / last.count > block.sum / block.count; last = blocks.at(-1)) {
      block = { sum: block.sum + last.sum, count: block.count + last.count };
      blocks.pop();
    }
    blocks.push(block);
  });
  const level = blocks.flatMap(({ sum, count }) => Array.from({ length: count }, () => sum / count));
  return level.map((value, i) => value + i * pitch);
}
