// Curves of circuits that are chosen by nodes or neurons: sizes in units, on the axis of edges as MIB counts them, held against random choices of as many units.
import {
  Circuit,
  curveFlags,
  headlineSizes,
  logAxisArea,
  prune,
  pruneNeurons,
  selectTopNeurons,
  selectTopNodes,
  smallestSize,
  weightedEdgeCount,
  type BaselineCurve,
  type CurvePoint,
  type NodeScores,
  type Pair,
  type RunnableCircuit,
  type UnitScores,
} from '@limn/attribution';
import type { HookedModel } from '@limn/hooks';
import { permutation } from '@limn/tensor';
import type { Unit } from './circuit-request.js';
import type { MeasuredCurves } from './edge-curves.js';
import { measureCircuits, type MeasureOptions } from './measured-circuits.js';

/** What was chosen at a size. */
export interface ChosenUnits {
  /** Nodes or neurons, before pruning. */
  readonly units: number;
  /** Of neurons, which are kept, [nForward × width]. */
  readonly neurons?: Uint8Array;
}

/** What is chosen by, and from where random choices come. */
export interface UnitChoice {
  readonly unit: Exclude<Unit, 'edge'>;
  readonly scores: NodeScores;
  /** Random choices per size. */
  readonly draws: number;
  /** A size in units to run besides the headline sizes. */
  readonly extra?: number | undefined;
}

/** Beyond this share of the edges choices of any kind share most of them; units bring more edges than a choice of edges needs. */
const LARGEST_CONTROL = 0.75;

/** Scores of the units, and how many there are. */
export function unitScores(unit: UnitChoice['unit'], { graph, values, neurons }: NodeScores): UnitScores {
  return { graph, values: unit === 'node' ? values : (neurons ?? values) };
}

/** The name of random choices of as many units. */
export const randomUnits = (unit: UnitChoice['unit']): string => `random ${unit}s`;

interface Selection extends ChosenUnits {
  readonly circuit: Circuit;
  readonly n: number;
  readonly runnable: RunnableCircuit;
}

/** The n best units, pruned, and their size in edges. */
function select(unit: UnitChoice['unit'], scores: UnitScores, units: number): Selection {
  if (unit === 'node') {
    const circuit = prune(selectTopNodes(scores, units));
    return { units, circuit, n: circuit.edgeCount, runnable: circuit };
  }
  const runnable = pruneNeurons(selectTopNeurons(scores, units));
  const { circuit, neurons } = runnable;
  return { units, circuit, n: Math.round(weightedEdgeCount(circuit, neurons)), runnable, neurons };
}

/** Units in the order of a seeded permutation. */
function atRandom({ graph, values }: UnitScores, seed: number): UnitScores {
  const random = new Float64Array(values.length);
  permutation(values.length, { seed, stream: 0 }).forEach((unit, rank) => (random[unit] = values.length - rank));
  return { graph, values: random };
}

/**
 * Sizes n of the curve are edges that are left after pruning, of neurons weighted by the kept share of their source, as MIB counts them.
 * Measures the headline sizes of the units, those that leave an edge and differ in size, and random choices of equally many units at
 * powers of two up to three quarters of the edges.
 * @throws LimnError as `evaluateCircuits`; AbortedError
 */
export async function unitCurves(
  model: HookedModel,
  { unit, scores, draws, extra }: UnitChoice,
  pairs: readonly Pair[],
  options: MeasureOptions,
): Promise<Required<MeasuredCurves>> {
  const ranked = unitScores(unit, scores);
  const { edgeCount } = ranked.graph;
  const counts = [...new Set([...headlineSizes(ranked.values.length), ...(extra === undefined ? [] : [extra])])];
  const bySize = new Map<number, Selection>();
  for (const units of counts.sort((a, b) => a - b)) {
    const chosen = select(unit, ranked, units);
    // The searched size stands for all that are as large.
    if (chosen.n > 0 && (!bySize.has(chosen.n) || units === extra)) bySize.set(chosen.n, chosen);
  }
  const own = [...bySize.values()];
  const controlled = own.filter(
    ({ n, units }) => n <= LARGEST_CONTROL * edgeCount && (Number.isInteger(Math.log2(units)) || units === extra),
  );
  const rankings = Array.from({ length: draws }, (_, seed) => atRandom(ranked, seed));
  const random = controlled.map(({ units }) => rankings.map((each) => select(unit, each, units)));
  const all = [...own, ...random.flat()];
  const measured = await measureCircuits(
    model,
    all.map(({ runnable }) => runnable),
    pairs,
    options,
  );
  const points = own.map(({ n, circuit }, i): CurvePoint => ({
    n,
    kept: circuit.edgeCount,
    fraction: n / edgeCount,
    ...(measured.measurements[i] as (typeof measured.measurements)[number]),
  }));
  const faithfulness = measured.measurements.map((each) => each.faithfulness);
  const baselines: BaselineCurve[] =
    draws === 0 || controlled.length === 0
      ? []
      : [
          {
            name: randomUnits(unit),
            points: controlled.map(({ n }, c) => {
              const start = own.length + c * draws;
              const values = faithfulness.slice(start, start + draws);
              const known = values.filter((f) => f !== null);
              const whole = known.length === values.length;
              return {
                n,
                kept: mean((random[c] ?? []).map(({ circuit }) => circuit.edgeCount)),
                values,
                faithfulness: whole ? mean(known) : null,
                low: whole ? Math.min(...known) : null,
                high: whole ? Math.max(...known) : null,
                meanPathLength: null,
              };
            }),
          },
        ];
  const curves = [{ selection: 'absolute', sizes: 'headline', points, baselines }] as const;
  const examples = (side: 'clean' | 'empty') => measured[side].perExample[options.metric.name] ?? new Float64Array();
  return {
    curves: {
      baselines: measured.ends(options.metric.name),
      also: Object.fromEntries(options.also.map(({ name }) => [name, measured.ends(name)])),
      curves,
      // MIB's areas are over its proportions of the edges, which choices of units do not hit.
      areas: { cpr: null, cmd: null, logArea: logAxisArea(points) },
      smallest: [0.85, 0.95].map((threshold) => ({ threshold, n: smallestSize(points, threshold) })),
      flags: curveFlags({ edgeCount, clean: examples('clean'), corrupted: examples('empty'), curves }).filter(
        ({ code }) => !code.startsWith('size-'),
      ),
      circuits: new Map(own.map(({ n, circuit }) => [`absolute ${n}`, circuit])),
    },
    chosen: new Map(own.map(({ n, units, neurons }) => [n, { units, ...(neurons ? { neurons } : {}) }])),
    values: { clean: [...examples('clean')], corrupted: [...examples('empty')] },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
