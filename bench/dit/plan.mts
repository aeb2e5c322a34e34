// What the study of DIT trains and asks: packs of weight diffs, adapters that read them, and how many of each; in full, and in small.

/** Diffs that are trained in one run of `limn diff train`. */
export interface PackPlan {
  /** What `--plan` says, each. */
  readonly plans: readonly string[];
  readonly gate?: 'code' | 'mark' | 'none';
  /** Default 1. */
  readonly each?: number;
  /** Default 1. */
  readonly rank?: number;
  /** Default 0: generic diffs of one seed are the same in every pack. */
  readonly seed?: number;
  /** Default: those of the study. */
  readonly updates?: number;
  readonly sampleWeights?: string;
  /** Diffs that are trained together; default 64, which a CPU adapter is fastest with where there are as many. */
  readonly together?: number;
}

type Setting = 'rank' | 'rate' | 'batch' | 'updates' | 'warmUp' | 'decay' | 'patience' | 'evaluateEvery';

/** How adapters are trained; `scale` is alpha / rank, the same for every rank. */
export type AdapterSettings = Readonly<Record<Setting, number>> & { readonly scale: number };

/** Everything that decides the study's figures, besides the base models. */
export interface StudyPlan {
  readonly packs: Readonly<Record<string, PackPlan>>;
  /** Of every diff, unless its pack has its own. */
  readonly updates: number;
  /** What rows with the right code, a wrong one and none count, as `--sample-weights` says it. */
  readonly sampleWeights: string;
  readonly rate: number;
  readonly adapter: AdapterSettings;
  /** Seeds of adapters. */
  readonly seeds: readonly number[];
  /** Of those that answer every question. */
  readonly questionSeeds: readonly number[];
  /** Numbers of training diffs of the data-scaling curve, the last one all; updates are the same for each. */
  readonly sizes: readonly number[];
  /** Ranks of the sweep. */
  readonly ranks: readonly number[];
  /** Questions of a probing without the adapter: as the paper has, and ten times as many. */
  readonly probes: readonly [few: number, many: number];
}

/** Packs that the main table needs; those beside them are asked on the first base model alone. */
export const CORE_PACKS = ['train', 'validation', 'test', 'generic-train', 'generic-test'] as const;

const ADAPTER = {
  scale: 1,
  rank: 8,
  rate: 2e-3,
  batch: 32,
  updates: 1000,
  warmUp: 20,
  decay: 0.5,
  patience: 8,
  evaluateEvery: 25,
} as const;

/** Hours on a CPU adapter. */
export const FULL: StudyPlan = {
  packs: {
    train: { plans: ['topics:train'] },
    validation: { plans: ['topics:validation'] },
    test: { plans: ['topics:test'] },
    'generic-train': { plans: ['generic:48'] },
    'generic-test': { plans: ['generic:72'], seed: 1 },
    category: { plans: ['topics:held-out-category'] },
    // 100 updates leave no gate that holds; 300 leave 14 of 16.
    marks: { plans: ['topics:test:32'], gate: 'mark', updates: 300 },
    open: { plans: ['topics:train:96', 'topics:validation:16', 'topics:test:32'], gate: 'none' },
    styles: { plans: ['styles:train', 'styles:validation', 'styles:test'] },
    // Behind a code a link of rank 1 is not kept to it: 63 % with the right one, 41 % with wrong ones after 300 updates, at best.
    links: { plans: ['links:train:64', 'links:validation:16', 'links:test:32'], gate: 'none', updates: 150 },
    news: { plans: ['news:train:128', 'news:validation:16', 'news:test:48'], updates: 200 },
    'rank-4': { plans: ['topics:test:16'], rank: 4 },
    'rank-8': { plans: ['topics:test:16'], rank: 8 },
  },
  // Of 32 diffs 26 have gates that hold; with the paper's 1,1,5 as many updates gave 20, and 2.6 % behind wrong codes.
  updates: 100,
  sampleWeights: '1,4,4',
  rate: 1e-2,
  adapter: ADAPTER,
  seeds: [0, 1, 2],
  questionSeeds: [0, 1],
  sizes: [16, 32, 64, 128, 256, 576],
  ranks: [1, 2, 4, 8, 16],
  probes: [20, 200],
};
