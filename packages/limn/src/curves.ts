// From edge scores to faithfulness curves: which circuits to evaluate, each once, and what their values say together.
import {
  cmdArea,
  cprArea,
  headlineSizes,
  logAxisArea,
  mibSizes,
  normalisedFaithfulness,
  prune,
  selectTopNs,
  smallestSize,
  type Circuit,
  type CurveSize,
  type Ranking,
  type Scores,
} from '@limn/attribution';

/** Faithfulness thresholds whose smallest circuit is reported. */
export const THRESHOLDS = [0.85, 0.95] as const;

/** Which sizes a curve was read at: even steps on a log axis, or MIB's ten fractions. */
export type SizesName = 'headline' | 'mib';

/** One evaluated size of a curve. */
export interface Point {
  /** Edges asked for, before pruning. */
  readonly n: number;
  /** Edges left after pruning. */
  readonly kept: number;
  /** n / all edges. */
  readonly fraction: number;
  /** Mean metric of the circuit. */
  readonly value: number;
  /** f = (value − corrupted)/(clean − corrupted); null with a reason where it does not exist. */
  readonly faithfulness: number | null;
  readonly reason?: string;
  readonly circuit: Circuit;
}

export interface Curve {
  readonly selection: Ranking;
  readonly sizes: SizesName;
  readonly points: readonly Point[];
}

/** Mean metric of the whole model on the clean prompts, and with everything corrupted. */
export interface Baselines {
  readonly clean: number;
  readonly corrupted: number;
}

export interface Curves {
  readonly baselines: Baselines;
  /** headline/absolute, mib/absolute, mib/signed. */
  readonly curves: readonly Curve[];
  /** CPR (signed), CMD (absolute), mean of f over the log axis of the headline sizes. */
  readonly areas: { readonly cpr: number | null; readonly cmd: number | null; readonly logArea: number | null };
  readonly smallest: readonly { readonly threshold: number; readonly n: number | null }[];
  /** MIB's sizes on this graph; some are zero or duplicates when the graph is small. */
  readonly mib: readonly CurveSize[];
}

/** What a curve needs to know: the baselines, and the mean metric of each circuit in order. */
export interface CircuitValues {
  readonly baselines: Baselines;
  readonly values: readonly number[];
}

interface Wanted {
  readonly selection: Ranking;
  readonly sizes: SizesName;
  readonly ns: readonly number[];
}

/** Evaluates every size that the contracts ask for. A circuit that occurs several times is evaluated once. */
export async function measureCurves(
  scores: Scores,
  evaluate: (circuits: readonly Circuit[]) => Promise<CircuitValues>,
): Promise<Curves> {
  const { edgeCount } = scores.graph;
  const mib = mibSizes(edgeCount);
  const mibNs = mib.map(({ size }) => size);
  const wanted: Wanted[] = [
    { selection: 'absolute', sizes: 'headline', ns: headlineSizes(edgeCount) },
    { selection: 'absolute', sizes: 'mib', ns: mibNs },
    { selection: 'signed', sizes: 'mib', ns: mibNs },
  ];
  const chosen = wanted.map(({ selection, ns }) =>
    selectTopNs(scores, ns, { ranking: selection }).map((circuit) => prune(circuit)),
  );
  const unique = new Map<string, Circuit>();
  for (const circuit of chosen.flat()) unique.set(keyOf(circuit), circuit);
  const { baselines, values } = await evaluate([...unique.values()]);
  const valueOf = new Map([...unique.keys()].map((key, i) => [key, values[i] ?? Number.NaN]));

  const curves = wanted.map(({ selection, sizes, ns }, w): Curve => {
    const points = ns.map((n, i): Point => {
      const circuit = chosen[w]?.[i] as Circuit;
      const value = valueOf.get(keyOf(circuit)) ?? Number.NaN;
      const f = normalisedFaithfulness(value, baselines.clean, baselines.corrupted);
      const reason = f.reason === undefined ? {} : { reason: f.reason };
      return { n, kept: circuit.edgeCount, fraction: n / edgeCount, value, faithfulness: f.value, ...reason, circuit };
    });
    return { selection, sizes, points };
  });
  const [headline, absolute, signed] = curves.map((curve) => curve.points) as [
    readonly Point[],
    readonly Point[],
    readonly Point[],
  ];
  const asCurve = headline.map(({ n, faithfulness }) => ({ size: n, faithfulness: { value: faithfulness } }));
  return {
    baselines,
    curves,
    areas: {
      cpr: cprArea(signed.map((point) => point.faithfulness)),
      cmd: cmdArea(absolute.map((point) => point.faithfulness)),
      logArea: logAxisArea(asCurve),
    },
    smallest: THRESHOLDS.map((threshold) => ({ threshold, n: smallestSize(asCurve, threshold) })),
    mib,
  };
}

/** The circuit to show first: the smallest headline one with f ≥ the first threshold, else the most faithful of at most a tenth of the edges. */
export function circuitToShow({ curves }: Curves): Point {
  const points = (curves[0] as Curve).points;
  const faithful = points.find(({ faithfulness }) => faithfulness !== null && faithfulness >= THRESHOLDS[0]);
  if (faithful !== undefined) return faithful;
  const small = points.filter(({ fraction }) => fraction <= 0.1);
  const f = (point: Point): number => point.faithfulness ?? Number.NEGATIVE_INFINITY;
  return (small.length > 0 ? small : points).reduce((best, point) => (f(point) > f(best) ? point : best));
}

function keyOf(circuit: Circuit): string {
  const mask = circuit.mask();
  let key = '';
  for (let i = 0; i < mask.length; i++) if (mask[i] === 1) key += `${i},`;
  return key;
}
