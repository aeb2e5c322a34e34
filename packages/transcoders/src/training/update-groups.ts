// Which dictionaries share a step of the GPU: as many as its memory allows, found from recordings that never run.
import type { Step } from '@limn/gpu';
import { recordWithin, type HookedModel, type HookName } from '@limn/hooks';
import type { Tensor } from '@limn/tensor';
import type { DictionaryTrainingState } from '../training-state.js';
import { deadStatesOf, type Trainee } from './trainee.js';

/** Groups of trainees, and the programs that their updates run, sorted. */
export interface UpdateGroups {
  readonly groups: readonly (readonly Trainee[])[];
  readonly kernels: readonly string[];
}

/**
 * Groups in order, each as large as fits `memoryBytes`; `rowsFor` records the rows of some trainees. Of nothing but the trainees, the rows
 * and the budget, so that a run that goes on has the same groups.
 * @throws LimnError `memory/over-budget` when a single dictionary's update does not fit
 */
export function groupUpdates(
  model: HookedModel,
  trainees: readonly Trainee[],
  memoryBytes: number,
  rowsFor: (step: Step, some: readonly Trainee[]) => ReadonlyMap<HookName, Tensor>,
): UpdateGroups {
  const kernels = new Set<string>();
  const groups: Trainee[][] = [];
  const counters = new Map(trainees.map((trainee) => [trainee, deadStatesOf(model.gpu, trainee.kind)]));
  try {
    for (let first = 0; first < trainees.length;) {
      const { step, recorded } = recordWithin({
        what: 'Training dictionaries',
        unit: 'dictionary',
        memoryBytes,
        most: trainees.length - first,
        open: () => model.gpu.step({ label: 'plan of training' }),
        record: (step, count) => {
          const some = trainees.slice(first, first + count);
          const rows = rowsFor(step, some);
          for (const trainee of some)
            trainee.gradients(step, rows, 1, counters.get(trainee) as readonly DictionaryTrainingState[]);
          return some;
        },
      });
      for (const kernel of step.plan().kernels) kernels.add(kernel);
      step.dispose();
      groups.push(recorded);
      first += recorded.length;
    }
  } finally {
    for (const each of [...counters.values()].flat()) each.dispose();
  }
  return { groups, kernels: [...kernels].sort() };
}
