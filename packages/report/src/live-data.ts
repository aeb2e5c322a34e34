// What the page's script is given: edge names (checked against their grammar) and numbers, no text of the data.
import { baselinesOf } from './curve-baselines.js';
import type { DropRecord, PointRecord } from './circuit-record.js';
import { drawable } from './drawable.js';
import { firstRows } from './edge-table.js';
import type { CircuitRecord } from './record.js';

export function liveData(record: CircuitRecord) {
  const { circuits, shown } = drawable(record);
  const { knockOut, circuit } = record;
  const isDrawn = circuits.some(({ n, selection }) => n === circuit.n && selection === circuit.selection);
  return {
    edges: record.edges,
    ...(record.stability ? { often: record.stability.selected } : {}),
    edgeCount: record.graph.edgeCount,
    ...(record.method.unit ? { unit: record.method.unit } : {}),
    circuits: circuits.map((drawn) => ({ ...drawn, ...sizeOf(record, drawn) })),
    shown,
    rows: firstRows,
    ...(knockOut && isDrawn
      ? {
          knockOut: {
            n: circuit.n,
            selection: circuit.selection,
            ...whole(record),
            drops: [...knockOut.edges, ...knockOut.nodes],
          },
        }
      : {}),
  };
}

/** The data of one section's script. */
export type LiveData = ReturnType<typeof liveData>;
/** One circuit that the size slider can stop at. */
export type LiveCircuit = LiveData['circuits'][number];
/** The circuit as its knock-outs were measured, with each. */
export interface LiveKnockOut {
  readonly faithfulness: number | null;
  readonly value: number | null;
  readonly kept: number;
  readonly drops: readonly DropRecord[];
}

/** What drops are held against. */
export function whole({ knockOut, circuit }: CircuitRecord): Omit<LiveKnockOut, 'drops'> {
  return { faithfulness: knockOut?.faithfulness ?? null, value: knockOut?.value ?? null, kept: circuit.kept };
}

/** What was measured of one size, as far as it was. */
export interface SizeFigures {
  readonly faithfulness: number | null;
  /** Nodes or neurons that were chosen, where circuits are chosen by them. */
  readonly units?: number;
  readonly value?: number | null;
  readonly band?: { readonly low: number | null; readonly high: number | null };
  readonly accuracy?: number | null;
  /** Nats from the whole model's next-token distribution. */
  readonly divergence?: number | null;
  readonly random?: number | null;
  readonly ranking?: number | null;
}

/** The figures of one size of one selection, from the curve and what it is held against. */
export function sizeOf(
  { curves, circuit }: CircuitRecord,
  { n, selection }: { readonly n: number; readonly selection: string },
): SizeFigures {
  const own = curves.filter((curve) => curve.selection === selection);
  const points = own.flatMap((curve) => curve.points).filter((point) => point.n === n);
  const marked = circuit.selection === selection && circuit.n === n ? circuit.faithfulness : null;
  // A size may stand in two lists; further figures are only in one of them.
  const find = <K extends keyof PointRecord>(key: K): PointRecord[K] | undefined =>
    points.find((point) => point[key] !== undefined)?.[key];
  const baseline = (name: string): number | null | undefined =>
    baselinesOf({ curves: own })
      .find((each) => each.name === name)
      ?.points.find((point) => point.n === n)?.faithfulness;
  const { accuracy, kl } = find('also') ?? {};
  const band = find('band');
  return present({
    faithfulness: points[0]?.faithfulness ?? marked,
    units: find('units'),
    value: find('value'),
    band: band && { low: band.low, high: band.high },
    accuracy: accuracy?.value,
    divergence: kl && kl.value === null ? null : kl && Math.abs(kl.value ?? 0),
    random: baseline('random-connected') ?? baseline('random nodes') ?? baseline('random neurons'),
    ranking: baseline('delta-ranking'),
  });
}

/** Without the fields that are not there. */
function present(given: { readonly [K in keyof SizeFigures]: SizeFigures[K] | undefined }): SizeFigures {
  const { faithfulness = null, ...others } = given;
  return { faithfulness, ...Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined)) };
}
