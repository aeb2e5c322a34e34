// The golden file of the closed-form toy model, float64, with the scores as matrices.
import { readFileSync } from 'node:fs';
import { buildGraph, scoresOf } from '../src/index.js';
import type { Scores } from '../src/index.js';

export type GoldenKey = 'eap' | 'ig_k0_m1' | 'ig_k1_m' | 'clean_corrupted' | 'exact';

interface Golden {
  readonly loss_clean: number;
  readonly loss_corrupt: number;
  readonly logits_clean: readonly number[];
  readonly logits_corrupt: readonly number[];
  readonly edges: Readonly<Record<string, Readonly<Record<GoldenKey, number>>>>;
  readonly circuits: Readonly<
    Record<string, { readonly kept: number; readonly faith: number; readonly edges: readonly string[] }>
  >;
}

export const golden = JSON.parse(readFileSync(new URL('./golden/eap-toy.json', import.meta.url), 'utf8')) as Golden;
export const toyGraph = buildGraph({ layers: 2, heads: 2, width: 8, block: 'sequential' });

export function goldenScores(key: GoldenKey): Scores {
  return scoresOf(toyGraph, (u, v) => golden.edges[toyGraph.edgeName(u, v)]?.[key] ?? Number.NaN);
}
