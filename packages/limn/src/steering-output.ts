// What `limn steer train` writes and says of what it learnt.
import type { Provenance } from '@limn/report';
import type { SteeringFigures } from '@limn/steering';
import type { OutputLayout } from './output.js';
import type { LearntSteering } from './steering-run.js';
import { partsOf, type SteeringSets } from './steering-source.js';

/** The files of the folder. */
export const STEERING_FILES = {
  entries: ['steering.json', 'result.json'],
  mark: 'result.json',
} as const satisfies OutputLayout;

/** The schema of result.json. */
const SCHEMA = 'limn.steering.v1';

/** result.json: what was learnt from what, what it does, and where that comes from. */
export function steeringResult(found: LearntSteering, sets: SteeringSets, provenance: Provenance) {
  const { spec, trained, minimality, train, validation, test, sweep, contributions } = found;
  return {
    schema: SCHEMA,
    data: partsOf(sets),
    method: spec.method,
    sites: spec.sites,
    positions: spec.positions,
    minimality,
    train,
    validation,
    test,
    sweep: sweep.strengths,
    ...(contributions
      ? {
          cells: {
            shift: contributions.shift,
            cellsFor90: contributions.cellsFor90,
            curve: contributions.curve,
            largest: contributions.cells.slice(0, 20).map(({ cell, contribution }) => ({
              at: cell.place.at,
              position: spec.positions.names[cell.slot],
              unit: cell.unit,
              alpha: cell.value,
              contribution,
            })),
          },
        }
      : {}),
    history: trained.history,
    updates: trained.updates,
    settled: trained.settled,
    provenance,
  };
}

/** What was learnt, in a few lines. */
export function describeSteering({ spec, minimality, train, test, contributions }: LearntSteering): string[] {
  const share = (value: number): string => value.toFixed(2);
  const line = (what: string, { examples, twoWaySuccess, twoWayMargin, drift, shift }: SteeringFigures): string =>
    `${what.padEnd(9)} ${String(examples).padStart(4)} prompts: both ways ${share(twoWaySuccess)} (margin alone ${share(twoWayMargin)}), Δ moves ${shift.toFixed(1)} logits, KL of the rest ${drift.toFixed(3)} nats`;
  const values =
    minimality.live > 0
      ? `${minimality.nonZero} of ${minimality.live} cells that can have an effect are not 0`
      : `${minimality.parameters} numbers`;
  const most = contributions
    ? [
        `${contributions.cellsFor90} of them hold 90 % of the shift: ${contributions.cells
          .slice(0, 3)
          .map(({ cell }) => `${cell.place.at} at ${spec.positions.names[cell.slot]} (α ${cell.value.toFixed(2)})`)
          .join(', ')} …`,
      ]
    : [];
  return [`${spec.method.kind}: ${values}`, ...most, line('learnt on', train), line('others', test)];
}
