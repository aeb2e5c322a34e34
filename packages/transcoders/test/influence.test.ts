// Influence, pruning, scores and the slider on graphs made by hand, against sums over paths and powers of the matrix in float64.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { graphScores } from '../src/graph/graph-scores.js';
import { edgeInfluence, nodeInfluence, type InfluenceGraph, type Role } from '../src/graph/influence.js';
import { atThreshold, cumulativeInfluence, pruneGraph } from '../src/graph/prune-graph.js';
import { uniform } from './uniform.js';

/** Nodes 0–1 features, 2 error, 3 input, 4 constant, 5 output. Edges [target, source, weight]. */
const SMALL = graphOf(
  ['feature', 'feature', 'error', 'input', 'constant', 'output'],
  [0, 1, 5],
  [
    [0, 3, 2],
    [0, 2, -2],
    [0, 4, 7],
    [1, 0, 3],
    [1, 3, -1],
    [5, 0, -1],
    [5, 1, 2],
    [5, 3, 1],
    [5, 4, 100],
  ],
  [0, 0, 0, 0, 0, 0.5],
);

function graphOf(
  roles: readonly Role[],
  targets: readonly number[],
  edges: readonly (readonly [target: number, source: number, weight: number])[],
  weights: readonly number[],
): InfluenceGraph {
  const sources = roles.findIndex((role) => role === 'output');
  const matrix = new Float32Array(targets.length * sources);
  for (const [target, source, weight] of edges) matrix[targets.indexOf(target) * sources + source] = weight;
  return { roles, edges: { sources, targets: Uint32Array.from(targets), weights: matrix }, weights };
}

/** wÂ + wÂ² + … by powers of the whole matrix. */
function byPowers({ roles, edges, weights }: InfluenceGraph): number[] {
  const n = roles.length;
  const A = Array.from({ length: n }, () => new Float64Array(n));
  for (const [row, target] of edges.targets.entries()) {
    let sum = 0;
    for (let s = 0; s < edges.sources; s++)
      if (roles[s] !== 'constant') sum += Math.abs(edges.weights[row * edges.sources + s] as number);
    for (let s = 0; s < edges.sources; s++)
      if (roles[s] !== 'constant')
        (A[target] as Float64Array)[s] =
          Math.abs(edges.weights[row * edges.sources + s] as number) / Math.max(sum, 1e-10);
  }
  let now = Array.from({ length: n }, (_, i) => weights[i] ?? 0);
  const total = Array.from({ length: n }, () => 0);
  for (let round = 0; round < n; round++) {
    now = Array.from({ length: n }, (_, s) => now.reduce((sum, value, t) => sum + value * (A[t]?.[s] ?? 0), 0));
    for (let s = 0; s < n; s++) total[s] = (total[s] ?? 0) + (now[s] ?? 0);
  }
  return total;
}

test('influence is the sum over paths to the outputs, and constants have none', () => {
  const influence = [...nodeInfluence(SMALL)];
  // Of the output's 0.5: ½ to 1, ¼ to 0, ¼ to 3; of 1's ¼: ¾ to 0, ¼ to 3; of 0's 5/16: half each to 3 and 2.
  const one = 0.25;
  const zero = 0.125 + 0.75 * one;
  expect(influence).toEqual([zero, one, zero / 2, 0.125 + one / 4 + zero / 2, 0, 0]);
  expect(byPowers(SMALL)).toEqual(influence);
  expect([...edgeInfluence(SMALL)].slice(0, 5)).toEqual([0, 0, zero / 2, zero / 2, 0].map(Math.fround));
});

test('replacement and completeness are what their sums say', () => {
  const { replacement, completeness } = graphScores(SMALL);
  const [zero, one, error, input] = nodeInfluence(SMALL) as unknown as [number, number, number, number];
  expect(replacement).toBeCloseTo(input / (input + error), 12);
  const all = zero + one + error + input + 0.5;
  expect(completeness).toBeCloseTo((0.5 * zero + one + error + input + 0.5) / all, 12);
});

test('pruning keeps the nodes that make up the share, the one that reaches it among them, and drops loose ends', () => {
  // Influence: 0 .3125, 3 .34375, 1 .25, 2 .15625; of 1.0625 in all. 0.6 is reached with 3 and 0.
  const { nodes, edges, influence } = pruneGraph(SMALL, { nodeThreshold: 0.6, edgeThreshold: 1 });
  expect([...nodes]).toEqual([1, 0, 0, 1, 0, 1]);
  expect([...edges].map((kept, i) => (kept ? i : -1)).filter((i) => i >= 0)).toEqual([3, 10, 13]);
  const shares = [0.65625, 0.90625, 1.0625, 0.34375, 1.0625, 1.0625].map((share) => Math.fround(share / 1.0625));
  expect([...influence]).toEqual(shares);
  // At a low edge threshold only the largest edge is left, and what it does not reach goes; inputs and outputs stay.
  const bare = pruneGraph(SMALL, { nodeThreshold: 1, edgeThreshold: 0.1 });
  expect([...bare.nodes]).toEqual([0, 0, 0, 1, 0, 1]);
  expect(bare.edges.every((kept) => kept === 0)).toBe(true);
});

test('the slider shows what has a cumulative influence up to it, and says how many of how many', () => {
  const { influence } = pruneGraph(SMALL);
  expect(atThreshold(SMALL.roles, influence, 0.62)).toMatchObject({ shown: 1, total: 3 });
  expect([...atThreshold(SMALL.roles, influence, 0).nodes]).toEqual([0, 0, 0, 1, 0, 1]);
  expect(atThreshold(SMALL.roles, influence, 1)).toMatchObject({ shown: 3, total: 3 });
  expect([...cumulativeInfluence([0, 0])]).toEqual([1, 1]);
});

test('on random graphs one pass is the series of powers, and thresholds of 1 keep whatever matters', () => {
  const draw = uniform(5);
  const roles: Role[] = [
    ...Array<Role>(12).fill('feature'),
    ...Array<Role>(4).fill('error'),
    'input',
    'input',
    'constant',
    'output',
    'output',
  ];
  const targets = [...Array.from({ length: 12 }, (_, i) => i), 19, 20];
  const edges = targets.flatMap((target) =>
    roles.slice(0, 19).flatMap((_, s) => {
      const [weight = 0, present = 0] = draw(2);
      return (target >= 19 || s > 11 || s < target) && present > -0.3 ? [[target, s, weight] as const] : [];
    }),
  );
  const graph = graphOf(roles, targets, edges, [...Array<number>(19).fill(0), 0.7, 0.2]);
  const influence = nodeInfluence(graph);
  for (const [node, expected] of byPowers(graph).entries()) expect(influence[node]).toBeCloseTo(expected, 12);
  const whole = pruneGraph(graph, { nodeThreshold: 1, edgeThreshold: 1 });
  for (const [node, role] of roles.entries())
    if (role === 'error') expect(whole.nodes[node]).toBe((influence[node] as number) > 0 ? 1 : 0);
  const pruned = pruneGraph(graph);
  // What is kept has an edge out, and a feature one in.
  for (const [node, role] of roles.entries()) {
    if (!pruned.nodes[node] || role === 'input' || role === 'output') continue;
    expect(targets.some((_, row) => pruned.edges[row * 19 + node] === 1)).toBe(true);
    if (role === 'feature') expect(pruned.edges.subarray(node * 19, node * 19 + 19).includes(1)).toBe(true);
  }
  const { replacement, completeness } = graphScores(graph, pruned);
  expect(replacement).toBeGreaterThan(0);
  expect(completeness).toBeLessThanOrEqual(1);
});

test('cycles, shapes that do not fit and thresholds outside 0 … 1 are refused', async () => {
  const cycle = graphOf(
    ['feature', 'feature', 'output'],
    [0, 1, 2],
    [
      [0, 1, 1],
      [1, 0, 1],
      [2, 0, 1],
    ],
    [0, 0, 1],
  );
  expect(await refusal(() => nodeInfluence(cycle))).toMatchObject({ code: 'data/graph-cycle' });
  expect(await refusal(() => pruneGraph(SMALL, { nodeThreshold: 1.2 }))).toMatchObject({
    code: 'usage/prune-threshold',
  });
  const broken = { ...SMALL, edges: { ...SMALL.edges, sources: 4 } };
  expect(await refusal(() => nodeInfluence(broken))).toMatchObject({ code: 'data/graph-edges' });
});
