// The golden scores of the toy, in float64, beside those that `limn circuit` wrote.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseGraphJson } from '@limn/attribution';
import { expect } from 'vitest';

interface Golden {
  readonly keys: readonly string[];
  readonly edges: Readonly<Record<string, readonly number[]>>;
}
const golden = JSON.parse(readFileSync(path.join(import.meta.dirname, 'golden/eap-toy.json'), 'utf8')) as Golden;

/** Expects every edge of graph.json in `folder` to have the golden score of that key: 'eap', 'ig_k0_m1', … */
export function expectToyScores(folder: string, key: string): void {
  const { graph, scores } = parseGraphJson(readFileSync(path.join(folder, 'graph.json'), 'utf8'));
  const column = golden.keys.indexOf(key);
  expect(graph.edgeCount).toBe(Object.keys(golden.edges).length);
  for (const [name, row] of Object.entries(golden.edges)) {
    const { u, v } = graph.parseEdge(name);
    const expected = row[column] as number;
    // The accuracy asked of float32: a relative 1e-3, and 2e-6 for scores near zero, against losses near 2.
    const allowed = 2e-6 + 1e-3 * Math.abs(expected);
    expect(Math.abs((scores.values[graph.dense(u, v)] ?? NaN) - expected), name).toBeLessThanOrEqual(allowed);
  }
}
