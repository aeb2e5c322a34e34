// Where the nodes of a graph stand: tokens of the prompt along x, layers upwards, embeddings below and outputs above; constants to the left.
import type { FeatureGraphNode, FeatureGraphRecord } from './graph-record.js';

/** Sizes in px. */
export const nodeSize = 12;
const pitch = 16;
const narrowest = 20;
const widest = 104;
/** What the columns fill where they are few. */
const usual = 640;
const rowGap = 22;
const margin = 10;
/** Characters of a token that stand below its column. */
export const longestToken = 12;

/** A place for every node that is shown. */
export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  /** Centres of nodes by their place in `nodes`. */
  readonly at: ReadonlyMap<number, readonly [x: number, y: number]>;
  /** From the bottom: embeddings, layers, outputs. */
  readonly rows: readonly {
    readonly name: string;
    readonly top: number;
    readonly bottom: number;
    readonly y: number;
  }[];
  /** The tokens of the prompt. */
  readonly columns: readonly { readonly left: number; readonly right: number }[];
  /** Where constants stand, if they are shown. */
  readonly constants: { readonly left: number; readonly right: number } | undefined;
}

const kinds: readonly FeatureGraphNode['kind'][] = ['feature', 'skip', 'error', 'token', 'position', 'bias', 'output'];

export function layOutGraph(
  { nodes, layers, prompt }: Pick<FeatureGraphRecord, 'nodes' | 'layers' | 'prompt'>,
  shown: readonly boolean[],
): GraphLayout {
  /** Column 0 are constants. */
  const columns = prompt.length + 1;
  const rows = layers + 2;
  const cells = new Map<number, number[]>();
  nodes.forEach((node, i) => {
    if (!shown[i]) return;
    const place = rowOf(node, layers) * columns + (node.kind === 'bias' ? 0 : (node.position ?? 0) + 1);
    cells.set(place, [...(cells.get(place) ?? []), i]);
  });
  // The most important first, features before errors.
  const rank = (i: number): number => {
    const node = nodes[i] as FeatureGraphNode;
    return kinds.indexOf(node.kind) * 2 + (node.influence ?? 0) - (node.probability ?? 0);
  };
  for (const cell of cells.values()) cell.sort((a, b) => rank(a) - rank(b) || a - b);
  const inColumn = (column: number): number[] =>
    Array.from({ length: rows }, (_, r) => cells.get(r * columns + column)?.length ?? 0);
  // Columns are many and rows few: a cell is about twice as tall as it is wide.
  const perLine = Array.from({ length: columns }, (_, c) =>
    Math.min(7, Math.max(1, Math.round(Math.sqrt(Math.max(...inColumn(c)) / 2)))),
  );
  const spare = Math.min(widest, Math.max(narrowest, Math.floor(usual / prompt.length)));
  const widths = perLine.map((count, c) =>
    c === 0 ? (inColumn(0).some(Boolean) ? count * pitch + 12 : 0) : Math.max(spare, count * pitch + 4),
  );
  const lefts: number[] = [];
  // Names of tokens lean to the left of their columns; the first ones need room for it.
  let lean = 0;
  let before = margin + (widths[0] ?? 0);
  prompt.forEach((token, p) => {
    const wide = widths[p + 1] ?? 0;
    lean = Math.max(lean, 4.3 * lengthOf(token) - before - wide / 2);
    before += wide;
  });
  let x = margin + lean;
  for (const width of widths) {
    lefts.push(x);
    x += width;
  }
  const lines = Array.from({ length: rows }, (_, r) =>
    Math.max(1, ...perLine.map((count, c) => Math.ceil((cells.get(r * columns + c)?.length ?? 0) / count))),
  );
  const heights = lines.map((count) => count * pitch + rowGap);
  const longest = Math.max(...prompt.map(lengthOf));
  const tokenRoom = 22 + 5.4 * longest;
  const height = heights.reduce((sum, each) => sum + each, 0) + tokenRoom + 2 * margin;
  const laid: GraphLayout['rows'][number][] = [];
  const at = new Map<number, readonly [number, number]>();
  let bottom = height - tokenRoom - margin;
  heights.forEach((tall, r) => {
    const top = bottom - tall;
    laid.push({ name: rowName(r, layers), top, bottom, y: (top + bottom) / 2 });
    widths.forEach((width, c) => {
      const cell = cells.get(r * columns + c) ?? [];
      const across = perLine[c] as number;
      const here = Math.ceil(cell.length / across);
      cell.forEach((i, k) => {
        const line = Math.floor(k / across);
        const inLine = Math.min(across, cell.length - line * across);
        at.set(i, [
          (lefts[c] as number) + width / 2 + ((k % across) - (inLine - 1) / 2) * pitch,
          (top + bottom) / 2 + (line - (here - 1) / 2) * pitch,
        ]);
      });
    });
    bottom = top;
  });
  const [constantsWide = 0] = widths;
  return {
    width: x + margin,
    height,
    at,
    rows: laid,
    columns: prompt.map((_, p) => ({
      left: lefts[p + 1] as number,
      right: (lefts[p + 1] as number) + (widths[p + 1] as number),
    })),
    constants: constantsWide > 0 ? { left: margin + lean, right: margin + lean + constantsWide } : undefined,
  };
}

const lengthOf = (token: string): number => Math.min(longestToken, [...token].length);

/** Constants stand in the row of their layer; those behind the last, with the outputs' own, in the last. */
function rowOf({ kind, layer }: FeatureGraphNode, layers: number): number {
  if (kind === 'output') return layers + 1;
  if (layer !== undefined) return layer + 1;
  return kind === 'bias' ? layers + 1 : 0;
}

const rowName = (row: number, layers: number): string =>
  row === 0 ? 'embed' : row === layers + 1 ? 'output' : String(row - 1);
