// The files that `limn steer train` and `limn steer sweep` write, and what they say of what was learnt.
import { paritySentences, type ParityRecord } from '@limn/report';
import type { SteeringFigures } from '@limn/steering';
import type { OutputLayout } from './output.js';
import type { LearntSteering } from './steering-run.js';

/** The files of the folder. */
export const STEERING_FILES = {
  entries: ['steering.json', 'result.json', 'report.html'],
  mark: 'result.json',
} as const satisfies OutputLayout;

/** What was learnt, in a few lines; of one prompt there are no others, and of a parity nothing is to happen both ways. */
export function describeSteering(
  { spec, minimality, train, test, contributions }: LearntSteering,
  { alone = false, parity }: { readonly alone?: boolean | undefined; readonly parity?: ParityRecord | undefined } = {},
): string[] {
  const share = (value: number): string => value.toFixed(2);
  const line = (what: string, { examples, twoWaySuccess, twoWayMargin, drift, shift }: SteeringFigures): string =>
    `${what.padEnd(9)} ${String(examples).padStart(4)} ${examples === 1 ? 'prompt' : 'prompts'}: both ways ${share(twoWaySuccess)} (margin alone ${share(twoWayMargin)}), Δ moves ${shift.toFixed(1)} logits, KL of the rest ${drift.toFixed(3)} nats`;
  const values =
    minimality.live > 0
      ? `${minimality.nonZero} of ${minimality.live} cells that can have an effect are not 0`
      : `${minimality.parameters} numbers`;
  if (parity) return [`${spec.method.kind}: ${values}`, ...paritySentences(parity)];
  const most = contributions
    ? [
        `${contributions.cellsFor90} of them hold 90 % of the shift: ${contributions.cells
          .slice(0, 3)
          .map(({ cell }) => `${cell.place.at} at ${spec.positions.names[cell.slot]} (α ${cell.value.toFixed(2)})`)
          .join(', ')} …`,
      ]
    : [];
  return [
    `${spec.method.kind}: ${values}`,
    ...most,
    line('learnt on', train),
    ...(alone ? [] : [line('others', test)]),
  ];
}
