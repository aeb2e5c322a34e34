// A steering as `limn steer` gives it: conflicts of capitals, scalars at two sites of six layers, everything computed, from a fixed seed.
import type { SteeredPromptRecord, SteeringRecord } from '../src/index.js';
import { explanationsOf } from './steering-explanations-sample.js';

const words = 'The| capital| of| Germany| is| Paris|.| Q|:| What| is| the| capital| of| Germany|?| A|:'.split('|');
const roles = new Map([
  [3, 'country'],
  [5, 'context answer'],
  [14, 'country again'],
  [17, 'last'],
]);
const countries = [
  ['Germany', 'Berlin', 'Paris'],
  ['Italy', 'Rome', 'Madrid'],
  ['Japan', 'Tokyo', 'Cairo'],
] as const;
const others = [
  'the',
  'London',
  'Vienna',
  'a',
  'Germany',
  'It',
  'Munich',
  'Brussels',
  'in',
  'not',
  'Hamburg',
  'Moscow',
];

/** Cells by site, layer, position. */
const learnt: readonly (readonly [number, number, number, number])[] = [
  [0, 4, 17, 1.62],
  [0, 3, 17, 0.81],
  [0, 2, 14, 0.44],
  [0, 5, 17, -0.58],
  [0, 3, 5, -0.37],
  [1, 0, 5, -1.31],
  [1, 1, 5, -1],
  [1, 1, 3, 0.52],
  [1, 4, 17, 0.9],
  [1, 2, 14, 0.72],
  [1, 3, 16, -0.16],
];

interface Options {
  /** Replaces every free text. */
  readonly text?: (original: string, index: number) => string;
  readonly layers?: number;
  readonly supported?: boolean;
}

export function steeringSample({
  text = (original) => original,
  layers = 6,
  supported = true,
}: Options = {}): SteeringRecord {
  let state = 5;
  const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const positions = words.map((_, i) => String(i));
  const sites = ['hook_attn_out', 'hook_mlp_out'];
  const P = positions.length;
  const count = sites.length * layers * P;
  const places = Array.from({ length: count }, (_, at) => ({
    site: Math.floor(at / (layers * P)),
    layer: Math.floor(at / P) % layers,
    position: at % P,
  }));
  const live = places.map(({ layer, position }) => layer < layers - 1 || position === P - 1);
  const alpha = places.map(
    ({ site, layer, position }) => learnt.find(([s, l, p]) => s === site && l === layer && p === position)?.[3] ?? 0,
  );
  const noisy = (scale: number, noise: number): number[] =>
    alpha.map((value, at) => (live[at] ? scale * value + noise * (next() - 0.5) : 0));
  const strengths = Array.from({ length: 17 }, (_, i) => i / 4 - 2);
  const bend = (t: number): number => 6 * Math.tanh(0.8 * t);
  const kl = (strength: number): number => 0.028 * strength ** 2 + 0.012 * strength ** 4;

  const prompts = countries.map(([country, capital, conflict], i): SteeredPromptRecord => {
    const start = -1.3 + 0.7 * i;
    const run = (strength: number) => {
      const delta = start + bend(strength);
      const both = 0.74 * Math.exp(-0.02 * strength ** 2);
      const correct = both / (1 + Math.exp(-delta));
      const rest = others
        .map((word, k) => ({ token: ` ${word}`, p: (1 - both) * 2 ** -(k + 1 + (k % 3) * Math.abs(strength)) }))
        .concat([
          { token: ` ${capital}`, p: correct },
          { token: ` ${conflict}`, p: both - correct },
        ])
        .sort((a, b) => b.p - a.p)
        .slice(0, 10);
      return { delta, correct, wrong: both - correct, top: rest.map(({ token, p }) => ({ token: say(token), p })) };
    };
    return {
      tokens: words.map((word, position) => ({
        text: say(word.replace('Germany', country).replace('Paris', conflict)),
        position,
        ...(roles.has(position) ? { role: say(roles.get(position) ?? '') } : {}),
      })),
      correct: say(` ${capital}`),
      wrong: say(` ${conflict}`),
      untouched: run(0),
      outcomes: strengths.map((strength) => ({ strength, ...run(strength), bucket: kl(strength) })),
    };
  });

  const spread = (mean: number, deviation: number): { mean: number; deviation: number } => ({ mean, deviation });
  const penalties = [0, 0.001, 0.003, 0.01, 0.03, 0.1];
  const sparser = (penalty: number): number[] =>
    penalty === 0
      ? alpha.map((value, at) => (live[at] ? value * 1.1 + 0.3 * (next() - 0.5) : 0))
      : penalty < 0.01
        ? alpha.map((value, at) =>
            live[at] && (value !== 0 || next() < 0.12 / (1000 * penalty)) ? value * 1.05 + 0.15 * (next() - 0.5) : 0,
          )
        : alpha.map((value) => Math.sign(value) * Math.max(0, Math.abs(value) - 12 * (penalty - 0.01)) + 0);
  const path = penalties.map((penalty) => {
    const values = sparser(penalty);
    const nonZero = values.filter((value) => value !== 0).length;
    const strong = Math.min(1, nonZero / 9);
    return {
      penalty,
      nonZero,
      effect: 4.3 * strong,
      drift: 0.03 + 0.00035 * nonZero,
      twoWaySuccess: Math.max(0, 0.95 * strong ** 2 - (nonZero > 100 ? 0.03 : 0)),
      values,
    };
  });
  const measures = [
    ['gradient × activation', 1.4, 0.9, 0.62, 0.43],
    ['activation patching', 2.2, 0.5, 0.71, 0.54],
    ['zero ablation', -1.1, 0.7, -0.48, 0.33],
    ['EAP-IG node scores', 0.6, 0.25, 0.66, 0.43],
  ] as const;

  const grid: NonNullable<SteeringRecord['grid']> = {
    measure: 'alpha',
    sites,
    layers: Array.from({ length: layers }, (_, l) => l),
    positions,
    values: alpha,
    live,
  };
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'steering',
    title: say('Capitals against their context, in pocket'),
    provenance: {
      versions: { limn: say('0.1.0'), node: say('v20.20.2') },
      adapter: { description: say('SwiftShader Device (Subzero)') },
      model: { name: say('pocket'), weightsSha256: 'ab'.repeat(32), weightProcessing: say('folded LayerNorm') },
      options: { task: say('country-capital'), updates: 400 },
      seed: 0,
      commandLine: say('limn steer train country-capital --model pocket --penalty .01 --out steered'),
    },
    method: {
      kind: say('activ-scalar'),
      form: 'linear',
      parameters: count,
      nonZero: alpha.filter((value) => value !== 0).length,
      settings: { positions: say('absolute') },
    },
    objective: { margin: 2, effect: say('hinge'), faithfulness: say('bucket'), faithfulnessWeight: 1, penalty: 0.01 },
    task: {
      name: say('country-capital'),
      description: say('a fact against what the prompt says'),
      train: 260,
      validation: 80,
      test: 80,
    },
    rule: { margin: 2, massShare: 0.8, drift: 0.1 },
    prompts,
    grid,
    comparisons: measures.map(([measure, scale, noise, spearman, jaccard]) => ({
      measure: say(measure),
      values: noisy(scale, noise),
      agreement: { cells: live.filter(Boolean).length, spearman, topJaccard: { k: 10, value: jaccard } },
    })),
    edits: {
      strength: 1,
      norm: alpha.map((value, at) => (live[at] ? Math.abs(1 + value) - 1 : null)),
      direction: alpha.map((value, at) => (live[at] ? (1 + value < 0 ? 2 : 0) : null)),
    },
    sweep: strengths.map((strength) => ({
      strength,
      effect: strength < 0 ? -(bend(strength) - 0.6) : bend(strength) - 0.6,
      flipped: strength === 0 ? 0.36 : 1 - 0.5 * Math.exp(-3 * Math.abs(strength)),
      bucket: kl(strength),
      massDrift: 0.03 * strength ** 2,
    })),
    distribution: [-1, 0, 1].map((strength) => ({
      strength,
      deltas: Array.from({ length: 80 }, () => bend(strength) - 0.6 + 3.4 * (next() + next() + next() - 1.5)),
    })),
    path: { points: path, chosen: 3 },
    methods: [
      {
        name: say('ActivScalar'),
        own: true,
        seeds: 5,
        parameters: count,
        twoWaySuccess: spread(0.93, 0.021),
        drift: spread(0.041, 0.006),
        nonZero: spread(11.4, 1.5),
        effect: spread(4.3, 0.2),
        gap: spread(0.02, 0.01),
      },
      {
        name: say('SteerVec'),
        seeds: 5,
        parameters: count * 64,
        twoWaySuccess: spread(0.95, 0.032),
        drift: spread(0.058, 0.011),
        nonZero: spread(19.2, 3.1),
        effect: spread(4.6, 0.3),
        gap: spread(0.04, 0.02),
      },
      {
        name: say('DynScalar'),
        seeds: 5,
        parameters: 768,
        twoWaySuccess: spread(0.86, 0.044),
        drift: spread(0.07, 0.012),
        effect: spread(3.9, 0.4),
        gap: spread(0.03, 0.02),
      },
      {
        name: say('best single cell'),
        seeds: 5,
        parameters: 1,
        twoWaySuccess: spread(0.31, 0.06),
        drift: spread(0.02, 0.004),
        nonZero: spread(1, 0),
        effect: spread(1.4, 0.2),
      },
      {
        name: say('CAA'),
        seeds: 5,
        twoWaySuccess: spread(0.42, 0.09),
        drift: spread(0.098, 0.02),
        effect: spread(2.1, 0.5),
      },
      {
        name: say('prompting'),
        seeds: 1,
        twoWaySuccess: { mean: 0.22, deviation: null },
        drift: { mean: 0.6, deviation: null },
      },
    ],
    verdict: {
      effect: 8.6,
      interval: { low: 8.1, high: 9.2 },
      p: supported ? 0.0476 : 0.31,
      stability: 0.82,
      offTask: 0.013,
      supported,
      controls: [
        { name: say('shuffled cells'), draws: 20, mean: 0.7, low: -1.6, high: 3.4 },
        { name: say('shuffled signs'), draws: 20, mean: 0.1, low: -4.4, high: 4.9 },
        { name: say('random vectors'), draws: 20, mean: 0.2, low: -0.9, high: 1.3 },
      ],
      cells: [0, 1, 2, 4, 6, 8, 11].map((k) => ({ k, only: 1 - Math.exp(-k / 3), without: Math.exp(-k / 2.4) })),
      reasons: [
        say('no shuffling reaches the effect'),
        say('9 of 11 cells come back in at least 80 % of the resamples'),
      ],
    },
    history: Array.from({ length: 40 }, (_, i) => ({
      update: 10 * (i + 1),
      effect: 4.1 * Math.exp(-i / 7) + 0.05,
      drift: 0.05 * (1 - Math.exp(-i / 5)),
      penalty: 0.4 * Math.min(30, i * 2),
      nonZero: Math.round(11 + 180 * Math.exp(-i / 9)),
    })),
    ...explanationsOf(grid, prompts, say, next),
  };
}
