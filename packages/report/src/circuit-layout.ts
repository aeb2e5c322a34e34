// Where the nodes of a circuit stand and how its edges run: input below, logits above, one row for the heads of a layer
// and one lane for the MLPs; an edge that passes other rows goes through the gaps between their nodes.
import { curveBumpY, line } from 'd3-shape';
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

export interface PlacedEdge {
  /** Index into the record's edges. */
  readonly index: number;
  readonly path: string;
  /** Where the arrowhead touches the destination. */
  readonly end: readonly [x: number, y: number];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

interface Graph {
  readonly layers: number;
  readonly heads: number;
  readonly block: 'sequential' | 'parallel';
}

/** `length` in px that the arrowhead takes from the edge's end. */
export const arrowLength = 9;
/** Distance of the q and v ports from the middle of a head's box, as a part of its width. */
export const portSpread = 0.3;
const margin = 14;
/** Free px kept between an edge and a node that it passes. */
const clearance = 7;

/** A drawing of at most so many heads a layer is shown whole in narrow windows, too. */
export const fewHeads = 4;

/** Every node of the model, whether or not a circuit has it: the picture stays put when the circuit changes. */
export function placeNodes({ layers, heads, block }: Graph): { width: number; height: number; nodes: PlacedNode[] } {
  const lanes = heads + 1;
  const pitch = Math.min(108, Math.max(58, 700 / lanes));
  const boxWidth = Math.min(64, pitch * 0.68);
  // Taller boxes hold the larger letters that a drawing needs when it is shrunk to a narrow window.
  const nodeHeight = heads <= fewHeads ? 38 : 30;
  const width = lanes * pitch + 2 * margin + 0.5 * pitch;
  const rowsPerLayer = block === 'sequential' ? 2 : 1;
  const rows = layers * rowsPerLayer + 2;
  const rowPitch = layers <= 6 ? nodeHeight + 46 : nodeHeight + 30;
  const height = (rows - 1) * rowPitch + nodeHeight + 2 * margin;
  const y = (row: number): number => height - margin - nodeHeight / 2 - row * rowPitch;
  const lane = (i: number, layer: number): number => margin + (i + 0.5) * pitch + (layer % 2) * 0.5 * pitch;
  const bar = { x: width / 2, width: width - 2 * margin, height: nodeHeight };
  const nodes: PlacedNode[] = [{ name: 'input', ...bar, y: y(0), row: 0 }];
  for (let layer = 0; layer < layers; layer++) {
    const row = 1 + layer * rowsPerLayer;
    for (let head = 0; head < heads; head++)
      nodes.push({
        name: `a${layer}.h${head}`,
        x: lane(head, layer),
        y: y(row),
        width: boxWidth,
        height: nodeHeight,
        row,
      });
    const mlpRow = row + rowsPerLayer - 1;
    nodes.push({
      name: `m${layer}`,
      x: lane(heads, layer),
      y: y(mlpRow),
      width: boxWidth * 1.15,
      height: nodeHeight,
      row: mlpRow,
    });
  }
  nodes.push({ name: 'logits', ...bar, y: y(rows - 1), row: rows - 1 });
  return { width, height, nodes };
}

/** Edges are given strongest first: they get the straightest way. */
export function layOut(graph: Graph, edges: readonly { readonly index: number; readonly name: string }[]): Layout {
  const { width, height, nodes } = placeNodes(graph);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const byRow = new Map<number, PlacedNode[]>();
  for (const node of nodes) byRow.set(node.row, [...(byRow.get(node.row) ?? []), node]);
  const ends = edges.flatMap(({ index, name }) => {
    const [from, to, slot] = edgeParts(name);
    const source = byName.get(from);
    const destination = byName.get(to);
    return source && destination ? [{ index, source, destination, slot }] : [];
  });

  const startX = spread(
    ends,
    (e) => e.source,
    (e) => e.destination.x,
    0.62,
  );
  const endX = spread(
    ends,
    (e) => e.destination,
    (e) => e.source.x,
    0.7,
  );
  const used = new Map<string, number>();
  const bump = line().curve(curveBumpY);

  const placed = ends.map((edge, i): PlacedEdge => {
    const { source, destination, slot } = edge;
    const isBar = (node: PlacedNode): boolean => node.name === 'input' || node.name === 'logits';
    const port = slot === '' ? 0 : ({ q: -1, k: 0, v: 1 } as const)[slot] * portSpread * destination.width;
    const offset = 7 * ((i % 3) - 1);
    const x1 = isBar(destination) ? source.x + offset : slot ? destination.x + port : (endX[i] ?? destination.x);
    const x0 = isBar(source) ? (isBar(destination) ? width - margin - 20 : x1 + offset) : (startX[i] ?? source.x);
    const y0 = source.y - source.height / 2;
    const y1 = destination.y + destination.height / 2;
    const points: [number, number][] = [[x0, y0]];
    for (let row = source.row + 1; row < destination.row; row++) {
      const obstacles = byRow.get(row) ?? [];
      if (!obstacles.some((node) => overlaps(node, x0, x1))) continue;
      const { y: rowY = 0, height: rowHeight = 0 } = obstacles[0] ?? {};
      const straight = x0 + ((x1 - x0) * (y0 - rowY)) / (y0 - y1);
      const gap = nearestGap(straight, obstacles, width);
      const key = `${row} ${gap.name}`;
      const nth = used.get(key) ?? 0;
      if (gap.moved) used.set(key, nth + 1);
      const x = gap.moved ? gap.x + (nth % 2 ? 1 : -1) * Math.ceil(nth / 2) * Math.min(6, gap.room / 8) : straight;
      const clear = Math.max(gap.left, Math.min(gap.right, x));
      points.push([clear, rowY + rowHeight / 2 + 3], [clear, rowY - rowHeight / 2 - 3]);
    }
    points.push([x1, y1 + arrowLength]);
    return { index: edge.index, path: round(bump(points) ?? ''), end: [Math.round(x1 * 10) / 10, y1] };
  });
  return { width, height, nodes, edges: placed };
}

/** Could a curve between the two x's meet this node? Where none could, the curve keeps its one long bend. */
const overlaps = ({ x, width }: PlacedNode, a: number, b: number): boolean =>
  x + width / 2 + clearance > Math.min(a, b) && x - width / 2 - clearance < Math.max(a, b);

/** The free stretch between two nodes of a row that is nearest to x. */
function nearestGap(x: number, obstacles: readonly PlacedNode[], width: number) {
  const walls = [...obstacles]
    .sort((a, b) => a.x - b.x)
    .map((n) => [n.x - n.width / 2 - clearance, n.x + n.width / 2 + clearance] as const);
  const gaps = [...walls, [width - margin / 2, width] as const].map(([right], i) => {
    const left = i === 0 ? margin / 2 : (walls[i - 1]?.[1] ?? 0);
    return { left, right: Math.max(left, right), name: i };
  });
  const distance = (gap: { left: number; right: number }): number => Math.max(gap.left - x, x - gap.right, 0);
  const best = gaps.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  const inside = Math.min(best.right, Math.max(best.left, x));
  const room = best.right - best.left;
  const moved = inside !== x;
  const edgeSide = x < best.left ? best.left + Math.min(room / 2, 10) : best.right - Math.min(room / 2, 10);
  return { ...best, room, moved, x: moved ? edgeSide : x };
}

/** x of each edge at one of its nodes: side by side in the order of the other ends, over `part` of the node's width. */
function spread<E>(edges: readonly E[], node: (e: E) => PlacedNode, other: (e: E) => number, part: number): number[] {
  const groups = new Map<PlacedNode, number[]>();
  edges.forEach((edge, i) => groups.set(node(edge), [...(groups.get(node(edge)) ?? []), i]));
  const xs: number[] = [];
  for (const [at, members] of groups) {
    const order = [...members].sort((a, b) => other(edges[a] as E) - other(edges[b] as E) || a - b);
    order.forEach((i, k) => (xs[i] = at.x + (order.length < 2 ? 0 : (k / (order.length - 1) - 0.5) * part * at.width)));
  }
  return xs;
}

const round = (path: string): string => path.replace(/\d+\.\d{2,}/g, (number) => Number(number).toFixed(1));
