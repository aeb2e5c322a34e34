// What whole jobs cost in the steady state, exactly: dispatches, submits, bytes, and nothing that is made anew. On pocket's shape, on a device that computes nothing.
import { buildGraph, Circuit, eapIgInputs, evaluateCircuits, logitDiff } from '@limn/attribution';
import { nextTokenLoss, tensorsOf, type Gpt2 } from '@limn/gpt2';
import type { CounterSnapshot, Gpu } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { positionTable, trainSteering } from '@limn/steering';
import { adamw, attentionDecision, className, gradients, readFloats } from '@limn/tensor';
import { nullGpu } from '@limn/testing/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchModel } from '../harness/gpt2-small.mjs';
import { POCKET } from '../harness/whole-jobs.mjs';
import { randomPairs } from '../random-pairs.mjs';

/** 3 blocks. */
const { layers: L, heads, width, vocabulary } = POCKET;
const TOKENS = 16;
/** Rows of a training step, and pairs or prompts of the methods. */
const ROWS = 4;

/**
 * Attention in three ops, which every adapter can run. Other choices are between shapes of one kernel, and one sum alone is so long here
 * that GPUs cut it: EAP's.
 */
const choices = Object.fromEntries(
  // Rows of the methods: both runs of a pair, IG's points, circuits.
  [1, 2, ROWS, 2 * ROWS, 3 * ROWS, 5 * ROWS, 64].flatMap((batch) =>
    [1, TOKENS].flatMap((queries) =>
      [TOKENS, 2 * TOKENS].map((keys) => {
        const form = { batch, heads, queries, keys, width: width / heads, past: keys - queries, scale: 1 };
        return [className('attention', attentionDecision.classOf(form)), 'parts'];
      }),
    ),
  ),
);

/** Software adapters and GPUs differ in their rules, features and limits; the counts are the same. */
const adapters = [
  ['a software adapter without features', { isFallbackAdapter: true }, { features: [], limits: 'default' }],
  ['a GPU with every feature', { subgroupMinSize: 32, subgroupMaxSize: 32 }, {}],
] as const;

/** What a steady job does, and the most bytes it holds beside weights and what else was there before it. */
type Cost = Pick<CounterSnapshot, 'dispatches' | 'submits' | 'uploads' | 'readbacks'> & { readonly bytes: number };

const nothingMade = { buffersCreated: 0, bindGroupsCreated: 0, pipelinesCreated: 0, plansCreated: 0 };

/** The third run of a job, behind two that fill caches. */
async function steady(gpu: Gpu, job: () => Promise<unknown>): Promise<Cost> {
  const { counters } = gpu;
  gpu.trim();
  const before = counters.bytesLive;
  await job();
  await job();
  counters.reset();
  await job();
  return costOf(counters.snapshot(), before);
}

/** Checks that nothing was made. */
function costOf(spent: CounterSnapshot, before: number): Cost {
  expect(spent).toMatchObject(nothingMade);
  const { dispatches, submits, uploads, readbacks, bytesPeak } = spent;
  return { dispatches, submits, uploads, readbacks, bytes: bytesPeak - before };
}

/** One block forward: two LayerNorms; q, k and v as one product; its parts; scores, softmax, mixture; three products with bias, gelu and residual inside. */
const BLOCK = 2 + 1 + 1 + 3 + 3;
/** Rows of both tables, their sum. */
const EMBEDDING = 3;
/** Final LayerNorm and unembedding. */
const LOGITS = 2;

describe.each(adapters)('%s', (_, account, options) => {
  let gpu: Gpu;
  let held: BenchModel;
  let model: Gpt2;
  beforeAll(async () => {
    gpu = await nullGpu(account, { ...options, choices });
    held = await BenchModel.open(gpu, POCKET);
    model = held.model;
  });
  afterAll(() => {
    held?.dispose();
    gpu?.dispose();
  });

  it('a prompt to the logits of its last token', async () => {
    const tokens = tokenBatch([held.ids(TOKENS)], model.info);
    const cost = await steady(gpu, async () => {
      const step = gpu.step();
      await readFloats(step, model.run(step, { tokens }, { logits: 'last' }).logits);
    });
    expect(cost).toEqual({
      // The last row of the residual stream is taken before the final LayerNorm.
      dispatches: EMBEDDING + L * BLOCK + 1 + LOGITS,
      submits: 1,
      // Ids, and which row is the last.
      uploads: 2,
      readbacks: 1,
      bytes: 112_896,
    });
  });

  it('a token behind a cache', async () => {
    const ids = held.ids(TOKENS + 1);
    const prompt = gpu.step();
    const first = tokenBatch([ids.slice(0, TOKENS)], model.info);
    const { cache } = model.prefill(prompt, first, { logits: 'none', capacity: 2 * TOKENS });
    await prompt.submit();
    const token = tokenBatch([ids.slice(TOKENS)], model.info);
    const cost = await steady(gpu, async () => {
      const step = gpu.step();
      await readFloats(step, model.decode(step, token, cache, { logits: 'last' }).logits);
    });
    cache.dispose();
    expect(cost).toEqual({
      // Each block writes its key and its value into the cache.
      dispatches: EMBEDDING + L * (BLOCK + 2) + 1 + LOGITS,
      submits: 1,
      uploads: 5,
      readbacks: 1,
      bytes: 71_680,
    });
  });

  it('a training step', async () => {
    const ids = held.ids(ROWS * (TOKENS + 1));
    const batch = Array.from({ length: ROWS }, (_, r) => ids.slice(r * (TOKENS + 1), (r + 1) * (TOKENS + 1)));
    const params = [...model.parameters()].flatMap(([name, parameter]) =>
      tensorsOf(parameter).map((tensor, block) => ({ name: `${name}#${block}`, tensor })),
    );
    const optimiser = adamw(gpu, [{ params, rate: 1e-5, weightDecay: 0.01 }]);
    const cost = await steady(gpu, async () => {
      const step = gpu.step();
      const { loss } = nextTokenLoss(model, step, batch);
      optimiser.step(step, gradients(step, loss, 'ones', optimiser.tensors));
      await step.submit();
    });
    optimiser.dispose();
    // Rows, then γ and β in parts and their sum.
    const norm = 3;
    const back =
      // Four maps: both operands and the bias. Attention: two products of two operands, and softmax; q, k and v joined.
      4 * 3 +
      (2 * 2 + 1) +
      1 +
      // gelu; LayerNorms; the two paths around them added.
      1 +
      2 * norm +
      2;
    expect(cost).toEqual({
      dispatches:
        EMBEDDING +
        L * BLOCK +
        LOGITS +
        // The loss of each token, their mean; back: from 1 to every token's share, and to its logits.
        (1 + 2) +
        (1 + 2 + 1) +
        // Unembedding: both operands.
        2 +
        norm +
        L * back +
        // Positions: over rows, then into their table. Tokens: where each is used, then sums; unembedding shares their table.
        (1 + 1 + 2 + 1) +
        // AdamW.
        params.length,
      submits: 1,
      uploads: 2,
      readbacks: 0,
      bytes: 1_432_832,
    });
  });

  it('EAP-IG with five steps', async () => {
    const pairs = randomPairs(ROWS, TOKENS, vocabulary);
    const scores = 6 * L + 1;
    const cost = await steady(gpu, () => eapIgInputs(model, pairs, { metric: logitDiff, steps: 5 }));
    expect(cost).toEqual({
      dispatches:
        // The corrupted run, the clean one, and all points at once, 114 in all with their ends: embeddings, logits, metric and sums.
        3 * L * BLOCK +
        41 +
        // Heads apart in both runs, and what every node wrote put side by side.
        L * (2 + 1) +
        33 +
        // Back through the blocks: 23 products, and 14 of gelu, softmax, LayerNorms and joins; the first block's input needs nothing.
        37 +
        // Into q, k and v of every head: product, fold and pullback of each, LayerNorm once for all.
        L * (3 * 3 + 2) +
        // Sources times destinations: six kinds a block, and the logits; sums over rows, tokens and width, which GPUs cut into parts.
        scores +
        (gpu.capabilities.adapter.isFallback ? 0 : scores),
      submits: 1,
      uploads: 7,
      readbacks: 1,
      bytes: 3_983_872,
    });
  });

  it('circuits, as many as are measured together', async () => {
    const pairs = randomPairs(ROWS, TOKENS, vocabulary);
    const graph = buildGraph(model.info);
    const full = Circuit.full(graph);
    const some = Circuit.where(graph, (u, v) => (u + v) % 2 === 0);
    const measure = (circuits: readonly Circuit[]) => () =>
      evaluateCircuits(model, circuits, pairs, { metrics: [logitDiff] });
    const empty = {
      // Both runs with what every node wrote, and the logits of what the circuit leaves: nothing is computed anew.
      dispatches: 2 * L * BLOCK + 62,
      // Clean, corrupted, and circuits.
      submits: 3,
      uploads: 13,
      readbacks: 3,
      bytes: 794_112,
    };
    expect(await steady(gpu, measure([Circuit.empty(graph)]))).toEqual(empty);
    // What changes is computed again in the order of the graph, of all circuits at once.
    const changes = 195;
    const together = { ...empty, dispatches: empty.dispatches + changes, uploads: 103 };
    expect(await steady(gpu, measure([full]))).toEqual({ ...together, bytes: 1_109_760 });
    expect(await steady(gpu, measure([full, some, Circuit.empty(graph)]))).toEqual({ ...together, bytes: 1_568_000 });
  });

  it('an update of steering', async () => {
    const examples = randomPairs(ROWS, TOKENS, vocabulary).map(({ clean, correct, incorrect }) => ({
      prompt: clean,
      correct: correct[0] as number,
      wrong: incorrect[0] as number,
    }));
    const positions = positionTable(
      examples.map(({ prompt }) => ({ length: prompt.length })),
      'absolute',
    );
    gpu.trim();
    const { counters } = gpu;
    const before = counters.bytesLive;
    const updates: CounterSnapshot[] = [];
    const onProgress = (): void => {
      updates.push(counters.snapshot());
      counters.reset();
    };
    await trainSteering(
      model,
      examples,
      { method: { kind: 'activ-scalar' }, sites: ['hook_attn_out', 'hook_mlp_out'], positions },
      { objective: { goal: { kind: 'flip' } }, updates: 4, refitUpdates: 0, stopEarly: false, onProgress },
    );
    const sites = 2 * L;
    expect(costOf(updates.at(-1)!, before)).toEqual({
      dispatches:
        // Both strengths as one batch: forward, and every site scaled by its cell's value.
        EMBEDDING +
        L * BLOCK +
        1 +
        LOGITS +
        sites +
        // Back through the blocks: 19 products, and 13 of gelu, softmax, LayerNorms and joins; the first attention's input needs nothing.
        32 +
        // Into cells: scaled for all sites but the first, summed for all of them; norms, the clipping factor and AdamW.
        (sites - 1) +
        sites +
        (sites + 1 + sites) +
        // Objective and minimality, both ways.
        42,
      submits: 1,
      uploads: 10,
      readbacks: 2,
      bytes: 1_511_680,
    });
  });
});
