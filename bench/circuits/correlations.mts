// Whether the overlap of two tasks' circuits predicts what one does on the other's pairs: Pearson's r, over pairs of tasks that are chosen in three ways.
import { pearson } from '@limn/attribution';
import { SIX_TASKS } from '@limn/tasks';
import type { Study, Transfer } from './study.mjs';
import { familyOf } from './tasks.mjs';
import { units } from './units.mjs';

/** Which ordered pairs of different tasks a correlation is over. */
export const PAIRINGS = {
  'the six tasks': ({ task, circuit }) => isOneOfSix(task) && isOneOfSix(circuit),
  'tasks of different families': ({ task, circuit }) => familyOf(task) !== familyOf(circuit),
  'all tasks': () => true,
} as const satisfies Readonly<Record<string, (pair: Transfer) => boolean>>;

export type Pairing = keyof typeof PAIRINGS;

const isOneOfSix = (task: string): boolean => (SIX_TASKS as readonly string[]).includes(task);

/** r of each run over some pairs. */
export function correlations(study: Study, pairing: Pairing, what: 'edgeIou' | 'nodeIou'): number[] {
  return units(study, study.comparisons, ({ transfers }) => {
    const pairs = transfers.flatMap((each) => {
      const { task, circuit, faithfulness, [what]: overlap } = each;
      const counted = task !== circuit && faithfulness !== null && overlap !== null && PAIRINGS[pairing](each);
      return counted ? [{ faithfulness, overlap }] : [];
    });
    return pearson(
      pairs.map(({ overlap }) => overlap),
      pairs.map(({ faithfulness }) => faithfulness),
    );
  });
}
