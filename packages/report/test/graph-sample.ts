// An attribution graph as a prompt of a small model gives it: features, errors, tokens, positions, biases and outputs, from a fixed seed.
import type { FeatureGraphNode, FeatureGraphRecord } from '../src/index.js';
import { featureSamples, uniform } from './features-sample.js';
import { provenanceSample } from './provenance-sample.js';

const story =
  'The| war| lasted| from| the| year| 17|35| to| the| year| 17|41|,| and| when| it| was| over| the| king| said| that| no| one| had| won|.| In| 17'.split(
    '|',
  );

/** `text` replaces every free text. */
export interface GraphOptions {
  readonly text?: (original: string, index: number) => string;
  readonly layers?: number;
  readonly tokens?: number;
  /** Features and errors; the tokens, positions, biases and outputs come on top. */
  readonly features?: number;
  readonly edges?: number;
}

export function graphSample({
  text = (original) => original,
  layers = 3,
  tokens = 30,
  features = 130,
  edges: wanted = 1500,
}: GraphOptions = {}): FeatureGraphRecord {
  const next = uniform(19);
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const dashboards = featureSamples({ text, count: 24, layers });
  const prompt = story.slice(0, tokens).map(say);
  const last = prompt.length - 1;
  /** Later positions have more features. */
  const position = (): number => Math.min(last, Math.floor(prompt.length * (1 - next() ** 2.4 * 0.999)));
  const nodes: FeatureGraphNode[] = [];
  const taken = new Set<string>();
  for (let i = 0; nodes.length < features; i++) {
    const dashboard = dashboards[i % 40];
    const layer = dashboard?.origin.layer ?? Math.floor(next() * layers);
    const feature = dashboard?.feature ?? Math.floor(next() * 1536);
    const at = next() < 0.4 ? last : position();
    const id = `${layer}_${feature}_${at}`;
    if (taken.has(id)) continue;
    taken.add(id);
    nodes.push({
      id,
      kind: 'feature',
      layer,
      position: at,
      feature,
      activation: 0.2 + 8 * next(),
      ...(dashboard?.label ? { label: dashboard.label.text } : {}),
    });
  }
  for (let layer = 0; layer < layers; layer++)
    for (let p = 1; p < prompt.length; p++)
      if (next() < 0.3) nodes.push({ id: `error${layer}@${p}`, kind: 'error', layer, position: p });
  prompt.forEach((_, p) => nodes.push({ id: `E_${100 + p}_${p}`, kind: 'token', position: p, token: 100 + p }));
  prompt.forEach((_, p) => nodes.push({ id: `pos0@${p}`, kind: 'position', position: p }));
  for (let layer = 0; layer < layers; layer++)
    for (const bias of ['b_dec', 'b_O']) nodes.push({ id: `${bias}${layer}`, kind: 'bias', bias, layer });
  [' 41', ' 42', ' 36', ' 48'].forEach((label, i) =>
    nodes.push({
      id: `${layers + 1}_${200 + i}_${last}`,
      kind: 'output',
      position: last,
      label: say(label),
      token: 200 + i,
      value: 6 - i,
      probability: 0.5 / 2 ** i,
      weight: 0.5 / 2 ** i,
    }),
  );
  const level = ({ kind, layer = -1 }: FeatureGraphNode): number =>
    kind === 'output' ? layers : kind === 'bias' ? layer - 0.5 : layer;
  const targets = nodes.flatMap(({ kind }, i) => (kind === 'feature' || kind === 'output' ? [i] : []));
  const edges = new Map<string, [number, number, number]>();
  for (let tries = 0; edges.size < wanted && tries < wanted * 20; tries++) {
    const target = targets[Math.floor(next() ** 2 * targets.length) % targets.length] as number;
    const source = Math.floor(next() * nodes.length);
    const [from, to] = [nodes[source], nodes[target]];
    if (!from || !to || level(from) >= level(to) || (from.position ?? 0) > (to.position ?? 0)) continue;
    edges.set(`${source} ${target}`, [source, target, (next() - 0.35) * 3 * next() ** 3]);
  }
  const list = [...edges.values()];
  const strength = (i: number): number => list.reduce((sum, [s, , w]) => (s === i ? sum + Math.abs(w) : sum), 0);
  const strengths = nodes.map((_, i) => strength(i));
  const share = cumulative(strengths);
  const shares = cumulative(list.map(([, , weight]) => Math.abs(weight)));
  const first = nodes.find(({ kind }) => kind === 'feature');
  const likeliest = nodes.findIndex(({ kind }) => kind === 'output');
  const into = list.findIndex(([, target]) => target === likeliest);
  const weight = list[into]?.[2] ?? 0;
  /** Sources of a score's query and key; one of the key is no node of the graph. */
  const queries = nodes
    .filter(({ kind, layer }) => kind === 'token' || (kind === 'feature' && layer === 0))
    .slice(0, 2);
  const keys: FeatureGraphNode[] = [
    ...nodes.filter(({ kind }) => kind === 'token').slice(0, 1),
    { id: '0_1535_0', kind: 'feature', layer: 0, position: 0, feature: 1535, activation: 1.5, label: say('not here') },
  ];
  const terms = [
    [1.5, -0.25, 0.125],
    [0.5, 0, 0.25],
    [-0.125, 0.0625, 0.5],
  ];
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'feature-graph',
    title: say('What makes the year go on'),
    provenance: provenanceSample(say),
    prompt,
    layers,
    nodes: nodes.map((node, i) =>
      node.kind === 'bias' || node.kind === 'output' ? node : { ...node, influence: share[i] ?? 1 },
    ),
    edges: list.map(([source, target, w], i) => [source, target, w, shares[i] ?? 1] as const),
    scores: { replacement: 0.71, completeness: 0.88 },
    accounting: { worst: 3.1e-7, tolerance: 1e-4, targets: targets.length },
    pruning: { nodeThreshold: 0.8, edgeThreshold: 0.98 },
    activeFeatures: 812,
    whole: { nodes: 2120, edges: 84_211 },
    withoutDictionary: [],
    qParams: {
      pinnedIds: nodes
        .filter(({ kind }) => kind === 'feature')
        .slice(0, 4)
        .map(({ id }) => id),
      supernodes: [
        [
          say('years'),
          ...nodes
            .filter(({ kind }) => kind === 'feature')
            .slice(0, 2)
            .map(({ id }) => id),
        ],
      ],
      clickedId: null,
      clerps: nodes.flatMap(({ id, kind }, i) =>
        kind === 'feature' && i === 2 ? [[id, say('my words')] as const] : [],
      ),
    },
    splits: [
      { edge: into, layer: layers - 1, heads: [weight * 0.6, weight * 0.3, -weight * 0.1, 0], past: weight * 0.2 },
      { edge: into, layer: layers - 2, heads: [weight * 0.1, 0, 0, 0], past: weight * 0.9 },
    ],
    headScores: [
      {
        layer: 1,
        head: 2,
        query: last,
        key: 1,
        score: terms.flat().reduce((sum, term) => sum + term, 0),
        queries,
        keys,
        terms,
        attention: Array.from({ length: last + 1 }, (_, i) => (i === 1 ? 0.75 : 0.25 / last)),
      },
    ],
    effects: [
      {
        name: say('its 40 most influential features, model unfrozen'),
        rows: [
          { depth: 1, count: 400, spearman: 0.81, signAgreement: 0.9, cosine: 0.84, nmse: 0.31 },
          { depth: 'output', count: 160, spearman: 0.72, signAgreement: 0.86, cosine: 0.77, nmse: 0.42 },
          { depth: 'all', count: 560, spearman: 0.78, signAgreement: 0.89, cosine: 0.82, nmse: 0.34 },
        ],
      },
      {
        name: say('random features of matched activation'),
        control: true,
        rows: [{ depth: 'all', count: 560, spearman: 0.31, signAgreement: 0.61, cosine: null, nmse: 1.4 }],
      },
    ],
    features: dashboards.filter(({ origin, feature }) =>
      nodes.some((node) => node.layer === origin.layer && node.feature === feature),
    ),
    ...(first ? { slug: 'what-makes-the-year-go-on' } : {}),
  };
}

/** The share of all that each and those above it have. */
function cumulative(values: readonly number[]): number[] {
  const total = values.reduce((sum, value) => sum + value, 0) || 1;
  const shares = values.map(() => 0);
  let sum = 0;
  for (const i of values.map((_, i) => i).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0))) {
    sum += values[i] ?? 0;
    shares[i] = Math.min(1, sum / total);
  }
  return shares;
}
