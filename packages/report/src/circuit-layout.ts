// How the edges of a circuit run: upwards, and through the gaps between the nodes of the rows that they pass.
import { curveBumpY, line } from 'd3-shape';
import { margin, placeNodes } from './circuit-rows.js';
import type { Graph, PlacedNode, WeighedEdge } from './circuit-rows.js';
import { edgeParts } from './number-text.js';

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

/** `length` in px that the arrowhead takes from the edge's end. */
export const arrowLength = 9;
/** Distance of the q and v ports from the middle of a head's box, as a part of its width. */
export const portSpread = 0.3;
/** Free px kept between an edge and a node that it passes. */
const clearance = 7;

/** Edges are given strongest first: they get the straightest way. */
export function layOut(graph: Graph, edges: readonly (WeighedEdge & { readonly index: number })[]): Layout {
  const { width, height, nodes } = placeNodes(graph, edges);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const byRow: PlacedNode[][] = [];
  for (const node of nodes) (byRow[node.row] ??= []).push(node);
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
    const beside = width - margin - 20;
    const x1 = isBar(destination)
      ? isBar(source)
        ? beside
        : source.x + offset
      : slot
        ? destination.x + port
        : (endX[i] ?? destination.x);
    const x0 = isBar(source) ? (isBar(destination) ? beside : x1 + offset) : (startX[i] ?? source.x);
    const y0 = source.y - source.height / 2;
    const y1 = destination.y + destination.height / 2;
    const points = passing([x0, y0], [x1, y1 + arrowLength], byRow.slice(source.row + 1, destination.row), (row, x) => {
      const gap = nearestGap(x, row, width);
      const key = `${row[0]?.row} ${gap.name}`;
      const nth = used.get(key) ?? 0;
      used.set(key, nth + 1);
      const place = gap.x + (nth % 2 ? 1 : -1) * Math.ceil(nth / 2) * Math.min(6, gap.room / 8);
      return Math.max(gap.left, Math.min(gap.right, place));
    });
    return {
      index: edge.index,
      path: round(bump(points.map(([x, y]): [number, number] => [x, y])) ?? ''),
      end: [Math.round(x1 * 10) / 10, y1],
    };
  });
  return { width, height, nodes, edges: placed };
}

type Point = readonly [x: number, y: number];

/** Points of a curve that bends as little as the rows on its way let it: it is held only where it would run into a node. */
function passing(
  from: Point,
  to: Point,
  rows: readonly (readonly PlacedNode[])[],
  gapIn: (row: readonly PlacedNode[], x: number) => number,
): Point[] {
  const held = new Map<readonly PlacedNode[], Point[]>();
  let points = [from, to];
  // Holding a curve in one row moves it in others; every round holds one more.
  for (;;) {
    const hit = rows.find((row) => !held.has(row) && row.some((node) => meets(points, node)));
    if (!hit) return points;
    const { y = 0, height = 0 } = hit[0] ?? {};
    const x = gapIn(hit, xAt(points, y));
    held.set(hit, [
      [x, y + height / 2 + 3],
      [x, y - height / 2 - 3],
    ]);
    points = [from, ...rows.flatMap((row) => held.get(row) ?? []), to];
  }
}

/** Whether the curve through the points comes nearer to a node than the clearance. */
function meets(points: readonly Point[], { x, y, width, height }: PlacedNode): boolean {
  const reach = width / 2 + clearance;
  const sides = [-1, -0.5, 0, 0.5, 1].map((part) => xAt(points, y + part * (height / 2 + 3)) - x);
  return Math.min(...sides) < reach && Math.max(...sides) > -reach;
}

/** x where the curve is at height y. A piece of d3's bump has its handles at half height: x = s(t), y = 3/2 t − 3/2 t² + t³ of the way. */
function xAt(points: readonly Point[], y: number): number {
  const i = points.findIndex((point, k) => k > 0 && point[1] <= y);
  const [[x0, y0], [x1, y1]] = [points[i - 1] ?? points[0] ?? [0, 0], points[i] ?? points.at(-1) ?? [0, 0]];
  const way = y0 === y1 ? 0 : (y0 - y) / (y0 - y1);
  let [low, high] = [0, 1];
  // 20 halvings place t to a millionth.
  for (let k = 0; k < 20; k++) {
    const t = (low + high) / 2;
    if (1.5 * t - 1.5 * t * t + t * t * t < way) low = t;
    else high = t;
  }
  return x0 + (x1 - x0) * low * low * (3 - 2 * low);
}

/** The free stretch between two nodes of a row that is nearest to x, and where to pass it. */
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
  const room = best.right - best.left;
  const side = Math.min(room / 2, 10);
  const edgeSide = x <= best.left ? best.left + side : x >= best.right ? best.right - side : x;
  return { ...best, room, x: edgeSide };
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
