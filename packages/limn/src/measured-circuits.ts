// Circuits of any kind measured at once: value, faithfulness, further metrics and band of each, as points of a curve.
import {
  bootstrapFaithfulness,
  evaluateCircuits,
  normalisedFaithfulness,
  type Ablation,
  type BootstrapOptions,
  type CurvePoint,
  type Metric,
  type MetricValues,
  type Pair,
  type RunnableCircuit,
} from '@limn/attribution';
import type { HookedModel, RunProgress } from '@limn/hooks';

/** How circuits are measured. */
export interface MeasureOptions {
  readonly metric: Metric;
  /** Further metrics of the same runs. */
  readonly also: readonly Metric[];
  /** How bands are drawn; none where it is left out. */
  readonly bands?: BootstrapOptions | undefined;
  readonly ablation: Ablation;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** All of a point but its size. */
export type Measurement = Omit<CurvePoint, 'n' | 'kept' | 'fraction'>;

/** What was measured. */
export interface MeasuredCircuits {
  readonly clean: MetricValues;
  readonly empty: MetricValues;
  /** In the order of the circuits. */
  readonly measurements: readonly Measurement[];
  /** The ends of a metric: of the whole model and of the empty circuit. */
  ends(name: string): { readonly clean: number; readonly corrupted: number };
}

/** Runs all of them. @throws LimnError as `evaluateCircuits`; AbortedError */
export async function measureCircuits(
  model: HookedModel,
  circuits: readonly RunnableCircuit[],
  pairs: readonly Pair[],
  { metric, also, bands, ...options }: MeasureOptions,
): Promise<MeasuredCircuits> {
  const evaluation = await evaluateCircuits(model, circuits, pairs, { ...options, metrics: [metric, ...also] });
  const { clean, empty } = evaluation;
  const ends = (name: string) => ({ clean: clean.mean[name] ?? Number.NaN, corrupted: empty.mean[name] ?? Number.NaN });
  const drawn = bands && bootstrapFaithfulness(evaluation, metric.name, { ...bands, pairs });
  const valueOf = (values: MetricValues, name: string) => {
    const value = values.mean[name] ?? Number.NaN;
    return { value, ...normalised(value, ends(name)) };
  };
  return {
    clean,
    empty,
    ends,
    measurements: evaluation.circuits.map((values, i) => {
      const band = drawn?.[i];
      return {
        ...valueOf(values, metric.name),
        ...(also.length === 0
          ? {}
          : {
              also: Object.fromEntries(
                also.map(({ name }) => {
                  const { value, faithfulness } = valueOf(values, name);
                  return [name, { value, faithfulness }];
                }),
              ),
            }),
        ...(band === undefined ? {} : { band }),
      };
    }),
  };
}

function normalised(value: number, ends: { readonly clean: number; readonly corrupted: number }) {
  const { value: faithfulness, reason } = normalisedFaithfulness(value, ends.clean, ends.corrupted);
  return { faithfulness, ...(reason === undefined ? {} : { reason }) };
}
