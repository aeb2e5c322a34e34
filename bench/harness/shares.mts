// What a job's dispatches are for, from their labels: where its time goes. Runs in Node and in browsers.
import type { BenchRecord, JobRecord } from './record.mjs';

export const PURPOSES = [
  'products',
  'attention',
  'norms',
  'vocabulary',
  'scores of edges',
  'optimiser',
  'moving',
] as const;
export type Purpose = (typeof PURPOSES)[number];

/** The first that fits a label counts; what fits none moves numbers. */
const WORDS: readonly (readonly [Purpose, RegExp])[] = [
  ['scores of edges', /edge|slot|circuit_/i],
  ['optimiser', /adamw|clip|square_sum|proximal/i],
  ['vocabulary', /embed|vocabulary|cross.?entropy|log_?soft|log_sum|logits|gather|scatter|probabilit/i],
  ['attention', /attention|causal|softmax/i],
  ['norms', /norm/i],
  ['products', /matmul|head (project|result)|mlp|linear|sum$/i],
];

export const purposeOf = (label: string): Purpose => WORDS.find(([, words]) => words.test(label))?.[0] ?? 'moving';

/** Shares of a job's GPU time by purpose, which add up to 1; undefined where nothing was timed. */
export function sharesOf({ profile }: JobRecord): ReadonlyMap<Purpose, number> | undefined {
  const total = (profile ?? []).reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  if (!(total > 0)) return undefined;
  const shares = new Map<Purpose, number>();
  for (const { label, milliseconds } of profile!)
    shares.set(purposeOf(label), (shares.get(purposeOf(label)) ?? 0) + milliseconds / total);
  return shares;
}

/** Milliseconds that a job needs at the least: its operations at the multiply-add ceiling, its bytes at that of copying or reading. */
export function limitOf({ work, ceiling }: JobRecord, { ceilings }: BenchRecord): number | undefined {
  const held = ceilings.find(({ id }) => id === ceiling?.id);
  const amount = held?.unit === 'GFLOP/s' ? work.flops : work.bytes;
  return held && amount !== undefined ? amount / held.value / 1e6 : undefined;
}
