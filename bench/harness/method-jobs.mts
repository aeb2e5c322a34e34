// Whole jobs of limn's methods: EAP-IG, circuits measured, an update of learning to steer; beside the bare model's passes over the same rows.
import { buildGraph, Circuit, eapIgInputs, evaluateCircuits, logitDiff, type Pair } from '@limn/attribution';
import type { Gpu } from '@limn/gpu';
import { positionTable, trainSteering, type SteeringExample } from '@limn/steering';
import { barePasses } from '../eap-cost/bare-passes.mjs';
import { randomPairs } from '../random-pairs.mjs';
import type { Contender, Work } from './contender.mjs';
import type { BenchModel } from './gpt2-small.mjs';
import type { Job } from './job.mjs';
import { timedBy } from './limn-contender.mjs';
import type { ModelJobs } from './forward-jobs.mjs';
import { compare } from './numbers.mjs';

/** IG's usual number of points. */
const STEPS = 5;
const TOKENS = 17;
/** Adam's, of the update of steering. */
const RATE = 0.02;

/** What asks limn's public functions over and over: its result is what they return. */
function asked(gpu: Gpu, ask: () => Promise<Float32Array>, name = 'limn'): Contender {
  return {
    name,
    ...timedBy(gpu, async (count) => {
      for (let i = 0; i < count; i++) await ask();
    }),
    result: ask,
    dispose: () => undefined,
  };
}

interface On extends ModelJobs {
  readonly pairs: number;
}

const pairsOf = ({ shape, pairs }: On): Pair[] =>
  randomPairs(pairs, Math.min(TOKENS, shape.maxPositions), shape.vocabulary);

/** 24 C² a token and block; a backward pass to activations costs as much again. */
const forwardWork = ({ shape: { layers, width } }: On, rows: number): number =>
  24 * layers * width ** 2 * TOKENS * rows;

const said = (pairs: number): string => (pairs === 1 ? 'one pair' : `${pairs} pairs`);

function eapIg(on: On): Job {
  let held: BenchModel | undefined;
  const pairs = pairsOf(on);
  const scores = async (some: readonly Pair[]): Promise<Float32Array> =>
    // Where there is no edge there is no number.
    Float32Array.from(
      (await eapIgInputs(held!.model, some, { metric: logitDiff, steps: STEPS })).values.filter(
        (v) => !Number.isNaN(v),
      ),
    );
  const work: Work = { flops: forwardWork(on, on.pairs * (2 + 2 * STEPS)) };
  return {
    name: `${on.title}: EAP-IG, ${STEPS} steps, ${said(on.pairs)} of ${TOKENS} tokens`,
    group: 'jobs',
    work,
    ceiling: 'fma',
    beside: [
      {
        name: "the bare model's passes over the same rows",
        open: async (gpu) =>
          asked(
            gpu,
            async () => {
              await barePasses(gpu, held!.model, pairs, STEPS);
              return new Float32Array();
            },
            'bare model',
          ),
      },
    ],
    async open(gpu) {
      held = await on.open(gpu);
      return asked(gpu, () => scores(pairs));
    },
    /** The mean over pairs is that of pairs scored one by one. */
    async check(result) {
      const alone = pairs.slice(0, 4);
      const together = alone.length === pairs.length ? result : await scores(alone);
      const sum = new Float64Array(result.length);
      for (const pair of alone) (await scores([pair])).forEach((value, i) => (sum[i]! += value / alone.length));
      let largest = 0;
      for (const value of sum) largest = Math.max(largest, Math.abs(value));
      if (!(largest > 0)) throw new Error('every score is 0');
      const wanted = Array.from(sum, (value, at) => ({ at, value, bound: 1e-4 * largest }));
      return `pairs one by one: ${compare(together, sum.length, wanted)}`;
    },
  };
}

function circuitEvaluation(on: On, circuits: number): Job {
  let held: BenchModel | undefined;
  const pairs = pairsOf(on);
  return {
    name: `${on.title}: ${circuits} circuits measured on ${said(on.pairs)} of ${TOKENS} tokens`,
    group: 'jobs',
    work: {},
    async open(gpu) {
      held = await on.open(gpu);
      const { model } = held;
      const graph = buildGraph(model.info);
      // The whole graph, nothing, and every second, third … edge.
      const all = Array.from({ length: circuits }, (_, i) =>
        i === 0
          ? Circuit.full(graph)
          : i === 1
            ? Circuit.empty(graph)
            : Circuit.where(graph, (u, v) => (u + v) % i === 0),
      );
      return asked(gpu, async () => {
        const { clean, empty, circuits: values } = await evaluateCircuits(model, all, pairs, { metrics: [logitDiff] });
        return Float32Array.of(...[clean, empty, ...values].map((each) => each.mean[logitDiff.name] ?? Number.NaN));
      });
    },
    /** All edges are the model itself, none the corrupted run. */
    check: (result) => {
      const [clean, corrupted] = result as unknown as [number, number];
      const bound = 1e-4 * Math.max(1e-2, Math.abs(clean), Math.abs(corrupted));
      return `the full and the empty circuit: ${compare(result, circuits + 2, [
        { at: 2, value: clean, bound },
        { at: 3, value: corrupted, bound },
      ])}`;
    },
  };
}

function steering(on: On): Job {
  const examples: SteeringExample[] = pairsOf(on).map(({ clean, correct, incorrect }) => ({
    prompt: clean,
    correct: correct[0] as number,
    wrong: incorrect[0] as number,
  }));
  return {
    name: `${on.title}: an update of steering on ${on.pairs} prompts of ${TOKENS} tokens, both ways`,
    group: 'jobs',
    // Both strengths forward and back, and the untouched model once.
    work: { flops: forwardWork(on, 5 * on.pairs) },
    ceiling: 'fma',
    async open(gpu) {
      const { model } = await on.open(gpu);
      const positions = positionTable(
        examples.map(({ prompt }) => ({ length: prompt.length })),
        'absolute',
      );
      return asked(gpu, async () => {
        const { values } = await trainSteering(
          model,
          examples,
          { method: { kind: 'activ-scalar' }, sites: ['hook_attn_out', 'hook_mlp_out'], positions },
          { objective: { goal: { kind: 'flip' } }, updates: 1, refitUpdates: 0, stopEarly: false, rate: RATE },
        );
        return Float32Array.from(
          [...values.places.values()].flatMap((place) => [...place.values()].flatMap((v) => [...v])),
        );
      });
    },
    /**
     * Adam's first update is rate · g/(|g| + ε): the rate along the gradient's sign, less where the gradient is hardly above ε = 1e-8,
     * which few cells' is; a cell without a gradient stays 0.
     */
    check: (result) => {
      const most = result.findIndex((value) => Math.abs(value) > RATE * (1 + 1e-5));
      if (most >= 0) throw new Error(`value ${most} moved by ${result[most]}, beyond the rate ${RATE}`);
      const full = Array.from(result, (value, at) => ({ at, value })).filter(
        ({ value }) => Math.abs(value) > RATE * (1 - 1e-2),
      );
      if (full.length < result.length / 2) throw new Error(`${full.length} of ${result.length} values were moved`);
      const wanted = full.map(({ at, value }) => ({ at, value: Math.sign(value) * RATE, bound: RATE * 1e-2 }));
      return `the first update: ${compare(result, result.length, wanted)}`;
    },
  };
}

/** On the large shape one pair, on pocket's many. */
export function methodJobs(main: ModelJobs, pocket: ModelJobs): Job[] {
  return [
    eapIg({ ...main, pairs: 1 }),
    eapIg({ ...pocket, pairs: 64 }),
    circuitEvaluation({ ...main, pairs: 1 }, 3),
    circuitEvaluation({ ...pocket, pairs: 64 }, 8),
    steering({ ...main, pairs: 2 }),
    steering({ ...pocket, pairs: 32 }),
  ];
}
