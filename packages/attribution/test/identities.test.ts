// What must hold for any model and any weights: the identities of the method, on GPT-2 at awkward sizes, on another architecture, and on pocket.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { blockHook, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { referenceEap, testGpu, ToyModel } from '@limn/testing';
import { gradients, readFloats, type Tensor } from '@limn/tensor';
import { buildGraph, Circuit, eap, eapIgInputs, evaluateCircuits, kl, logitDiff, METRICS } from '../src/index.js';
import type { Graph, Metric, Pair, Scores } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';
import { NO_POCKET, openPocketForTest, POCKET } from './pocket.js';

interface Subject {
  readonly model: HookedModel & { dispose?(): void };
  readonly pairs: readonly Pair[];
}

const subjects: readonly (readonly [string, () => Promise<Subject>])[] = [
  [
    'GPT-2 with 3 heads of 24',
    async () => ({ model: await gpt2Of(referenceEap.randomModel(AWKWARD, 5)), pairs: awkwardPairs(4) }),
  ],
  [
    'a parallel RMSNorm model',
    async () => {
      const sizes = { layers: 2, heads: 3, headWidth: 5, mlpWidth: 11, vocabulary: 29, maxPositions: 9 };
      return {
        model: new ToyModel(await testGpu(), sizes),
        pairs: awkwardPairs(4, { ...AWKWARD, vocabulary: 29, positions: 9 }).filter(({ clean }) => clean.length <= 9),
      };
    },
  ],
  ['pocket', openPocketForTest],
];

describe.each(subjects)('%s', (name, open) => {
  const absent = name === 'pocket' && !POCKET;
  let model: Subject['model'];
  let pairs: readonly Pair[];
  let graph: Graph;
  /** EAP's scores of all pairs in one batch. */
  let plain: Scores;
  beforeAll(async () => {
    if (absent) return;
    ({ model, pairs } = await open());
    graph = buildGraph(model.info);
    plain = await eap(model, pairs, { metric: logitDiff, batchSize: pairs.length, perExample: true });
  });
  beforeEach((context) => context.skip(absent, NO_POCKET));
  afterAll(() => model?.dispose?.());

  /** Losses [B] of a plain run. */
  const lossesOf = async (which: 'clean' | 'corrupted', metric: Metric): Promise<Float32Array> => {
    using step = model.gpu.step();
    const logits = (side: 'clean' | 'corrupted') =>
      model.run(
        step,
        {
          tokens: tokenBatch(
            pairs.map((pair) => pair[side]),
            model.info,
          ),
        },
        { logits: 'last' },
      ).logits;
    return readFloats(step, metric.loss(step, logits(which), pairs, logits('clean')));
  };
  const largest = (): number =>
    Math.max(...[...graph.edges()].map(({ u, v }) => Math.abs(plain.values[graph.dense(u, v)] ?? 0)));
  const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

  it('the full circuit is the clean run and the empty one the corrupted run', async () => {
    const circuits = [Circuit.full(graph), Circuit.empty(graph)];
    const evaluation = await evaluateCircuits(model, circuits, pairs, { metrics: METRICS });
    for (const metric of METRICS)
      for (const [values, which] of [
        [evaluation.circuits[0], 'clean'],
        [evaluation.clean, 'clean'],
        [evaluation.circuits[1], 'corrupted'],
        [evaluation.empty, 'corrupted'],
      ] as const) {
        const want = await lossesOf(which, metric);
        for (const [b, got] of (values?.perExample[metric.name] ?? []).entries())
          // Two orders of adding up the same stream: f32 round-off of logits of about 10.
          expect(Math.abs(got + (want[b] ?? Number.NaN)), `${metric.name} ${which} ${b}`).toBeLessThan(3e-5);
      }
  });

  it('Σ over destinations = node score, Σ over sources = slot identity', async () => {
    const { nodes, slots, scale } = await nodeAndSlotScores(model, graph, pairs);
    const at = (u: number, v: number): number => plain.values[graph.dense(u, v)] ?? Number.NaN;
    for (const [u, want] of nodes.entries()) {
      let total = 0;
      for (let v = 0; v < graph.nBackward; v++) if (graph.isEdge(u, v)) total += at(u, v);
      // Each side is a sum of f32 products; 1e-5 of Σ|terms| is some hundred last places.
      expect(Math.abs(total - want), graph.nodeName(u)).toBeLessThan(1e-5 * scale);
    }
    for (const [v, want] of slots.entries()) {
      let total = 0;
      for (let u = 0; u < graph.prev(v); u++) total += at(u, v);
      expect(Math.abs(total - want), graph.slotName(v)).toBeLessThan(1e-5 * scale);
    }
    expect(Math.max(...nodes.map(Math.abs))).toBeGreaterThan(1e-4); // or the test says nothing
  });

  it('EAP is EAP-IG by the right rule with one step', async () => {
    const one = await eapIgInputs(model, pairs, { metric: logitDiff, steps: 1, rule: 'right' });
    for (const { u, v } of graph.edges()) {
      const i = graph.dense(u, v);
      expect(Math.abs((one.values[i] ?? Number.NaN) - (plain.values[i] ?? Number.NaN))).toBeLessThan(1e-5 * largest());
    }
  });

  it('plain EAP under KL is 0', async () => {
    const { values } = await eap(model, pairs, { metric: kl });
    // p_patched − p_clean of equal logits leaves at most a few 2⁻²⁴ of each probability.
    for (const { u, v } of graph.edges()) expect(Math.abs(values[graph.dense(u, v)] ?? Number.NaN)).toBeLessThan(2e-6);
  });

  it('EAP-IG is complete at `input`: Σ over destinations is the loss difference', async () => {
    const { perExample } = await eapIgInputs(model, pairs.slice(1, 2), {
      metric: logitDiff,
      steps: 32,
      rule: 'midpoint',
      perExample: true,
    });
    const [clean, corrupted] = [await lossesOf('clean', logitDiff), await lossesOf('corrupted', logitDiff)];
    for (const [n, matrix] of (perExample ?? []).entries()) {
      let total = 0;
      for (let v = 0; v < graph.nBackward; v++) total += matrix[graph.dense(0, v)] ?? Number.NaN;
      const difference = (corrupted[n + 1] ?? Number.NaN) - (clean[n + 1] ?? Number.NaN);
      expect(Math.abs(difference)).toBeGreaterThan(0.1); // far above the 1e-6 of differences of f32 losses
      expect(Math.abs(total - difference)).toBeLessThan(5e-4 * Math.abs(difference)); // 1.7e-4; the midpoint rule's error falls with steps²
    }
  });

  it('scores are equal for batches of 1, 3 and all pairs, of mixed lengths', async () => {
    expect(new Set(pairs.map(({ clean }) => clean.length)).size).toBeGreaterThan(1);
    for (const batchSize of [1, 3]) {
      const { values } = await eap(model, pairs, { metric: logitDiff, batchSize });
      // Other shapes may take other kernels: f32 round-off, as between EAP and EAP-IG above.
      for (const { u, v } of graph.edges()) {
        const i = graph.dense(u, v);
        expect(Math.abs((values[i] ?? Number.NaN) - (plain.values[i] ?? Number.NaN))).toBeLessThan(1e-5 * largest());
      }
    }
  });

  it('the mean over examples is what single examples give', () => {
    for (const { u, v } of graph.edges()) {
      const i = graph.dense(u, v);
      expect(mean((plain.perExample ?? []).map((matrix) => matrix[i] ?? Number.NaN))).toBeCloseTo(
        plain.values[i] ?? Number.NaN,
        12,
      );
    }
  });
});

/** Host-side: Δ_u · ∂L/∂z_u for every node, g_v · (x'_v − x_v) for every slot, from captures of split inputs and results. */
async function nodeAndSlotScores(
  model: HookedModel,
  graph: Graph,
  pairs: readonly Pair[],
): Promise<{ nodes: number[]; slots: number[]; scale: number }> {
  const layers = Array.from({ length: graph.layers }, (_, l) => l);
  const nodeSites: HookName[] = [
    'hook_embed',
    ...layers.flatMap((l) => [blockHook(l, 'attn.hook_result'), blockHook(l, 'hook_mlp_out')]),
  ];
  const slotSites: HookName[] = [
    ...layers.flatMap((l) =>
      (['hook_q_input', 'hook_k_input', 'hook_v_input', 'hook_mlp_in'] as const).map((site) => blockHook(l, site)),
    ),
    blockHook(graph.layers - 1, 'hook_resid_post'),
  ];
  const sites = [...nodeSites, ...slotSites];
  using step = model.gpu.step();
  const runs = (['clean', 'corrupted'] as const).map((side) =>
    model.run(
      step,
      {
        tokens: tokenBatch(
          pairs.map((pair) => pair[side]),
          model.info,
        ),
      },
      { capture: sites, logits: 'last' },
    ),
  );
  const [clean, corrupted] = runs as [(typeof runs)[0], (typeof runs)[0]];
  const slopes = gradients(
    step,
    logitDiff.loss(step, clean.logits, pairs, undefined),
    'ones',
    sites.map((site) => clean.at(site)),
  );
  const read = (tensors: readonly Tensor[]) => Promise.all(tensors.map((tensor) => readFloats(step, tensor)));
  const all = [read(slopes), read(sites.map((site) => clean.at(site))), read(sites.map((site) => corrupted.at(site)))];
  const [g, x, y] = (await Promise.all(all)) as [Float32Array[], Float32Array[], Float32Array[]];
  let scale = 0;
  /** Per head for [B, T, H, C], one number for [B, T, C]. */
  const dots = (site: HookName): number[] => {
    const i = sites.indexOf(site);
    const shape = clean.at(site).shape;
    const [heads, C] = shape.length === 4 ? (shape.slice(2) as [number, number]) : [1, shape[2] ?? 0];
    const totals = Array.from({ length: heads }, () => 0);
    for (const [n, slope] of (g[i] as Float32Array).entries()) {
      const term = (slope * ((y[i]?.[n] ?? Number.NaN) - (x[i]?.[n] ?? Number.NaN))) / pairs.length;
      const head = Math.floor(n / C) % heads;
      totals[head] = (totals[head] ?? 0) + term;
      scale = Math.max(scale, Math.abs(term));
    }
    return totals;
  };
  const nodes = nodeSites.flatMap(dots);
  const slots = slotSites.flatMap(dots);
  return { nodes, slots, scale: Math.max(scale * 100, ...nodes.map(Math.abs), ...slots.map(Math.abs)) };
}
