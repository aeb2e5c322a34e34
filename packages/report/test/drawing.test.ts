// The drawing: every node has its own place, every edge runs upwards from its source into its own slot, and none runs through a node.
import { describe, expect, test } from 'vitest';
import { layOut, portSpread } from '../src/circuit-layout.js';
import { placeNodes } from '../src/circuit-rows.js';
import { edgeParts } from '../src/number-text.js';
import { edgeNames } from './sample.js';

describe.each([
  { layers: 4, heads: 4, block: 'sequential' as const },
  { layers: 12, heads: 12, block: 'sequential' as const },
  { layers: 1, heads: 1, block: 'sequential' as const },
  { layers: 3, heads: 5, block: 'parallel' as const },
])('$layers layers of $heads heads, $block', (graph) => {
  const names = edgeNames(graph.layers, graph.heads).filter(
    (name) => graph.block === 'sequential' || !/^a(\d+)\.h\d+->m\1$/.test(name),
  );
  const some = names.filter((_, i) => i % Math.ceil(names.length / 300) === 0);
  const layout = layOut(
    graph,
    some.map((name, index) => ({ name, index, weight: 1 + (index % 7) })),
  );
  const { nodes, width, height } = layout;

  test('nodes lie inside the picture and do not touch', () => {
    expect(placeNodes(graph).nodes).toHaveLength(graph.layers * (graph.heads + 1) + 2);
    const outside = nodes.filter(
      (n) =>
        Math.abs(n.x - width / 2) + n.width / 2 > width / 2 || Math.abs(n.y - height / 2) + n.height / 2 > height / 2,
    );
    const touching = nodes.filter((a) =>
      nodes.some(
        (b) =>
          a !== b && Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2,
      ),
    );
    expect({ outside, touching }).toEqual({ outside: [], touching: [] });
  });

  test('edges end at their slots and pass rows between the nodes', () => {
    expect(layout.edges).toHaveLength(some.length);
    const wrong: unknown[] = [];
    const at = new Map(nodes.map((node) => [node.name, node]));
    for (const { index, path, end } of layout.edges) {
      const [from, to, slot] = edgeParts(some[index] ?? '');
      const [source, destination] = [at.get(from)!, at.get(to)!];
      const port = slot ? ({ q: -1, k: 0, v: 1 } as const)[slot] * portSpread * destination.width : 0;
      if (slot) expect(end[0]).toBeCloseTo(destination.x + port, 0);
      expect(end[1]).toBe(destination.y + destination.height / 2);
      expect(path).not.toContain('NaN');
      // d3's bump curve is M x,y then C c1 c2 p …: every third point after the first is on the curve.
      const numbers = (path.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);
      const points = Array.from(
        { length: numbers.length / 2 },
        (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!] as const,
      );
      const bezier = (i: number, t: number, c: 0 | 1): number => {
        const [a, b, d, e] = [points[i]![c], points[i + 1]![c], points[i + 2]![c], points[i + 3]![c]];
        return (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * d + t ** 3 * e;
      };
      const through = Array.from({ length: (points.length - 1) / 3 }, (_, piece) =>
        Array.from({ length: 21 }, (__, k) => [bezier(3 * piece, k / 20, 0), bezier(3 * piece, k / 20, 1)] as const),
      ).flat();
      const passed = nodes.filter((n) => n.row > source.row && n.row < destination.row);
      const hit = passed.filter((n) =>
        through.some(([x, y]) => Math.abs(x - n.x) < n.width / 2 && Math.abs(y - n.y) < n.height / 2),
      );
      const downwards = points.filter(([, y], k) => k > 0 && y > points[k - 1]![1] + 0.1);
      if (hit.length || downwards.length) wrong.push({ edge: some[index], hit, downwards });
    }
    expect(wrong).toEqual([]);
  });
});
