// A record as a run on a small model gives it: 4 layers of 4 heads, 479 edges, scores with a few large ones, from a fixed seed.
import type { CircuitRecord } from '../src/index.js';

export interface SampleOptions {
  readonly layers?: number;
  readonly heads?: number;
  readonly seed?: number;
  readonly task?: 'greater-than' | 'ioi';
  /** Replaces tokens, titles, options and every other free text. */
  readonly text?: (original: string, index: number) => string;
}

/** Every edge name of a sequential GPT-2 graph, by destination. */
export function edgeNames(layers: number, heads: number): string[] {
  const sources = ['input'];
  const names: string[] = [];
  for (let l = 0; l < layers; l++) {
    for (const slot of ['q', 'k', 'v'])
      for (let h = 0; h < heads; h++) names.push(...sources.map((u) => `${u}->a${l}.h${h}<${slot}>`));
    for (let h = 0; h < heads; h++) sources.push(`a${l}.h${h}`);
    names.push(...sources.map((u) => `${u}->m${l}`));
    sources.push(`m${l}`);
  }
  return [...names, ...sources.map((u) => `${u}->logits`)];
}

/** Uniform numbers in [0, 1): Lehmer's generator modulo 2³¹ − 1. */
function uniform(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

const words: Readonly<Record<string, { clean: string; corrupted: string; correct: string[]; incorrect: string[] }[]>> =
  {
    'greater-than': [
      {
        clean: ' the| siege| lasted| from| the| year| 17| 32| to| the| year| 17',
        corrupted: ' the| siege| lasted| from| the| year| 17| 01| to| the| year| 17',
        correct: Array.from({ length: 67 }, (_, i) => ` ${33 + i}`),
        incorrect: Array.from({ length: 31 }, (_, i) => ` ${String(2 + i).padStart(2, '0')}`),
      },
      {
        clean: ' the| reign| began| in| the| year| 14| 56| and| ended| in| the| year| 14',
        corrupted: ' the| reign| began| in| the| year| 14| 01| and| ended| in| the| year| 14',
        correct: Array.from({ length: 43 }, (_, i) => ` ${57 + i}`),
        incorrect: [' 02', ' 03', ' 04'],
      },
    ],
    ioi: [
      {
        clean: ' Then|,| Anna| and| Paul| went| to| the| market|.| Paul| gave| a| drink| to',
        corrupted: ' Then|,| Anna| and| Paul| went| to| the| market|.| Clara| gave| a| drink| to',
        correct: [' Anna'],
        incorrect: [' Paul'],
      },
      {
        clean: ' When| Tom| and| Lucy| got| a| ring| at| the| garden|,| Tom| gave| it| to',
        corrupted: ' When| Tom| and| Lucy| got| a| ring| at| the| garden|,| Eric| gave| it| to',
        correct: [' Lucy'],
        incorrect: [' Tom'],
      },
    ],
  };

/** Drops of the strongest edges that cost in proportion to their score: the weak do nothing, and those that hinder do harm. */
function knockOutOf(
  names: readonly string[],
  scores: readonly number[],
  circuit: readonly number[],
  faithfulness: number,
  most = 300,
): NonNullable<CircuitRecord['knockOut']> {
  const value = 0.95 * faithfulness - 0.04;
  const drop = (name: string, loss: number) => ({
    name,
    kept: circuit.length - 1,
    value: value - 0.95 * loss,
    change: 0 - 0.95 * loss,
    faithfulness: faithfulness - loss,
    faithfulnessChange: 0 - loss,
    verdict: loss === 0 ? ('idle' as const) : loss < 0 ? ('harmful' as const) : ('needed' as const),
  });
  const worth = (i: number): number => {
    const score = scores[i] ?? 0;
    return Math.abs(score) < 0.25 ? 0 : score / 4;
  };
  const ends = (i: number): string[] => (names[i] ?? '').replace(/<.>$/, '').split('->');
  const tried = circuit.slice(0, most);
  const nodes = [...new Set(tried.flatMap(ends))].filter((node) => node !== 'input' && node !== 'logits');
  return {
    value,
    faithfulness,
    tolerance: 2 ** -20,
    edges: tried.map((i) => drop(names[i] ?? '', worth(i))),
    nodes: nodes.map((node) => {
      const own = tried.filter((i) => ends(i).includes(node));
      return drop(node, own.reduce((sum, i) => sum + worth(i), 0) / 2);
    }),
  };
}

export function sample({
  layers = 4,
  heads = 4,
  seed = 7,
  task = 'greater-than',
  text = (t) => t,
}: SampleOptions = {}): CircuitRecord {
  const next = uniform(seed);
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const names = edgeNames(layers, heads);
  const scores = names.map(() => {
    const sign = next() < 0.72 ? 1 : -1;
    return sign * 1.4 * Math.exp(-9 * next()) * next();
  });
  const chosen = names.findIndex((name) => name === `m${layers - 1}->logits`);
  scores[chosen] = 2.31;
  const edgeCount = names.length;
  const ranked = (signed: boolean): number[] =>
    names
      .map((_, i) => i)
      .sort((a, b) =>
        signed ? (scores[b] ?? 0) - (scores[a] ?? 0) : Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0),
      );
  const sizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384]
    .filter((n) => n < edgeCount)
    .concat(edgeCount);
  const faithful = (n: number, bump: number): number =>
    1 - Math.exp(-n / (edgeCount / 14)) * (1.06 - bump) + 0.03 * Math.sin(n);
  const order = { absolute: ranked(false), signed: ranked(true) };
  const points = (selection: 'absolute' | 'signed') =>
    sizes.map((n) => ({
      n,
      kept: n < 4 ? n - Math.min(1, n - 1) : n,
      fraction: n / edgeCount,
      faithfulness: n === edgeCount ? 1 : faithful(n, selection === 'signed' ? 0.1 : 0),
      value: n === edgeCount ? 0.9123 : faithful(n, 0) - 0.05,
      also: { kl: { value: -1 / n, faithfulness: 1 - 1 / n }, accuracy: { value: 0.75, faithfulness: 0.7 } },
      band: { low: faithful(n, 0) - 0.06, high: faithful(n, 0) + 0.05 },
    }));
  const controlled = sizes.filter((size) => size >= 4 && size <= 128);
  const n = sizes.find((size) => faithful(size, 0) >= 0.85) ?? edgeCount;
  const circuit = new Set(order.absolute.slice(0, n));
  const circuits = (['absolute', 'signed'] as const).flatMap((selection) =>
    sizes.filter((size) => size <= 128).map((size) => ({ n: size, selection, edges: order[selection].slice(0, size) })),
  );
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'circuit',
    title: say(task === 'ioi' ? 'Indirect object identification in pocket' : 'Greater-than in pocket'),
    provenance: {
      versions: { limn: say('0.1.0'), node: say('v20.20.2'), webgpu: say('0.6.2') },
      adapter: {
        source: say('swiftshader'),
        description: say('SwiftShader Device (Subzero)'),
        f16: false,
        subgroups: true,
      },
      model: {
        name: say('pocket'),
        architecture: say('gpt2'),
        weightsSha256: 'ab'.repeat(32),
        weightProcessing: say('none'),
        parameters: 1_234_567,
      },
      options: { selection: say('absolute'), batchSize: 16 },
      seed: 0,
      commandLine: say(
        `limn circuit --model pocket --task ${task} --metric prob-diff --method eap-ig-inputs --ig-steps 5 --out circuits/${task}`,
      ),
    },
    task: {
      name: say(task),
      title: say(task === 'ioi' ? 'Indirect object identification' : 'Greater-than'),
      pairs: 64,
      searchPairs: 16,
      heldOut: true,
      source: say('generated, seed 0, held-out split'),
      description: say('The corrupted prompt starts at 01, so that every later year would fit.'),
    },
    metric: { name: say('prob-diff'), description: say('sum of right minus sum of wrong probabilities') },
    baselines: { clean: 0.9123, corrupted: -0.0412 },
    method: { name: 'eap-ig-inputs', title: say('EAP-IG (inputs)'), igSteps: 5, igRule: 'left' },
    graph: { layers, heads, block: 'sequential', edgeCount },
    edges: names.map(
      (name, i) => [name, scores[i] ?? 0, circuit.has(i), (scores[i] ?? 0) * (0.8 + 0.4 * next())] as const,
    ),
    circuit: { selection: 'absolute', n, kept: n, faithfulness: faithful(n, 0) },
    circuits,
    curves: [
      {
        selection: 'absolute',
        sizes: 'headline',
        points: points('absolute'),
        baselines: [
          {
            name: 'random-connected',
            draws: 3,
            points: controlled.map((size) => ({
              n: size,
              kept: size,
              faithfulness: size / 400,
              low: size / 500,
              high: size / 300,
            })),
          },
          {
            name: 'delta-ranking',
            draws: 1,
            points: controlled.map((size) => {
              const f = size / 250;
              return { n: size, kept: size - 2, faithfulness: f, low: f, high: f };
            }),
          },
        ],
      },
      { selection: 'signed', sizes: 'headline', points: points('signed') },
      {
        selection: 'signed',
        sizes: 'mib',
        points: [{ n: 0, kept: 0, fraction: 0.001, faithfulness: null, reason: say('no edge is kept') }],
      },
    ],
    also: { kl: { clean: 0, corrupted: -2.5 }, accuracy: { clean: 0.97, corrupted: 0.1 } },
    bands: { confidence: 0.95, resamples: 1000, seed: 0 },
    stability: {
      resamples: 100,
      seed: 0,
      jaccard: { pairwise: 0.71, withAll: 0.79, low: 0.66, high: 0.9 },
      selected: order.absolute.slice(0, n + 20).map((i, rank) => [i, Math.max(0.05, 1 - rank / (n + 20))] as const),
    },
    pruned: { edges: ['m1->m2', 'input->m1'], nodes: [{ name: 'm1', reason: 'unfed' }] },
    knockOut: knockOutOf(names, scores, order.absolute.slice(0, n), faithful(n, 0)),
    areas: { cpr: 0.934, cmd: 0.061, logArea: 0.58 },
    smallest: [
      { threshold: 0.85, n },
      { threshold: 0.95, n: sizes.find((size) => faithful(size, 0) >= 0.95) ?? null },
    ],
    agreement: {
      reference: say('exact patching'),
      topOverlap: { k: 10, value: 0.8 },
      spearman: 0.913,
      signAgreement: 0.884,
      pearson: 0.971,
      pearsonWithoutLargest: 0.934,
      kendall: 0.77,
      edges: edgeCount,
    },
    pairs: Array.from({ length: 6 }, (_, i) => {
      const pair = words[task]?.[i % 2] ?? { clean: '', corrupted: '', correct: [], incorrect: [] };
      const tokens = (line: string): string[] => ['<|endoftext|>', ...line.split('|')].map(say);
      return {
        clean: tokens(pair.clean),
        corrupted: tokens(pair.corrupted),
        correct: pair.correct.map(say),
        incorrect: pair.incorrect.map(say),
        values: { clean: 0.93, corrupted: -0.05 },
      };
    }),
    flags: [{ code: say('zero-size'), text: say('MIB’s smallest size, 0.1 % of 479 edges, keeps no edge at all.') }],
  };
}
