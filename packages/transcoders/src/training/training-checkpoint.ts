// Where a training stands, as a file: weights, moments and counters of every dictionary, the stream's place, the history; and going on from it.
import { LimnError, sha256, type Gpu } from '@limn/gpu';
import {
  checkpointContent,
  damagedCheckpoint,
  expectSameTraining,
  newestSound,
  trainingMachine,
  type CheckpointContent,
  type HookedModel,
  type StatedTensor,
  type TrainingIdentity,
} from '@limn/hooks';
import type { AdamWMoments } from '@limn/tensor';
import type { StreamPosition } from './activation-stream.js';
import type { DictionaryCheckpoints } from './checkpoint-store.js';
import type { RunStatistics } from './data-scales.js';
import type { SavedTrainingState } from '../training-state.js';
import type { TokenSource } from './token-source.js';
import type { TrainingSettings } from './train-options.js';
import type { Trainee } from './trainee.js';
import type { TrainingRecord } from './training-record.js';

/** The format of their files. */
export const CHECKPOINT_FORMAT = 'limn-dictionary-training/1';

/** Where a run stands between two updates. */
export interface RunState {
  readonly update: number;
  readonly position: StreamPosition;
  readonly statistics: RunStatistics;
  readonly history: readonly TrainingRecord[];
}

/** The JSON text of the file. */
interface About extends RunState, TrainingIdentity {
  readonly trainees: readonly {
    readonly updates: number;
    readonly rows: number;
    /** Of each layer, where a trainee has several. */
    readonly threshold?: number | readonly number[];
  }[];
}

/** The identity of a run whose steps run these kernels. The source is known by its first two batches and the name that the caller gives it. */
export async function identityOf(
  model: HookedModel,
  source: TokenSource,
  {
    settings,
    data,
    evaluated,
    kernels,
  }: {
    readonly settings: TrainingSettings;
    readonly data: string | undefined;
    readonly evaluated: readonly ArrayLike<number>[];
    readonly kernels: readonly string[];
  },
): Promise<TrainingIdentity> {
  const digest = (sequences: readonly ArrayLike<number>[]): Promise<string> =>
    sha256(Uint32Array.from(sequences.flatMap((sequence) => [sequence.length, ...Array.from(sequence)])));
  const { architecture, fingerprint, processing } = model.info;
  return {
    settings: JSON.stringify({
      model: { architecture, fingerprint, processing },
      settings,
      data: [data ?? null, await digest([...source(0), ...source(1)]), await digest(evaluated)],
    }),
    machine: trainingMachine(model.gpu, kernels),
  };
}

/** The contents of a checkpoint; what is on the GPU is read while they are written. */
export async function trainingContent(
  gpu: Gpu,
  trainees: readonly Trainee[],
  state: RunState,
  identity: TrainingIdentity,
): Promise<CheckpointContent> {
  const counters = await Promise.all(trainees.map(({ states }) => Promise.all(states.map((state) => state.save()))));
  const about: About = {
    ...state,
    ...identity,
    trainees: trainees.map(({ optimiser }, i) => {
      const saved = counters[i] as (typeof counters)[number];
      const thresholds = saved.flatMap(({ threshold }) => threshold ?? []);
      return {
        updates: optimiser.counts['weights'] as number,
        rows: (saved[0] as SavedTrainingState).rows,
        ...(thresholds.length === 0 ? {} : { threshold: saved.length === 1 ? (thresholds[0] as number) : thresholds }),
      };
    }),
  };
  const tensors = trainees.flatMap((trainee, i): StatedTensor[] => {
    const sinceFired = Uint32Array.from(
      (counters[i] as (typeof counters)[number]).flatMap((saved) => Array.from(saved.sinceFired)),
    );
    const moments = momentsOf(trainee);
    return [
      ...Array.from(trainee.kind.parameters, ([name, tensor]) => ({
        name: `${i}/weight/${name}`,
        type: 'F32' as const,
        size: tensor.size,
        values: async () =>
          finite(await gpu.read(tensor.storage, 'f32'), `${name} of ${trainee.spec.name}`, state.update),
      })),
      ...moments.flatMap(({ name, size, first, second }) => [
        { name: `${i}/first/${name}`, type: 'F32' as const, size, values: first },
        { name: `${i}/second/${name}`, type: 'F32' as const, size, values: second },
      ]),
      { name: `${i}/sinceFired`, type: 'U32' as const, size: sinceFired.length, values: async () => sinceFired },
    ];
  });
  return checkpointContent(CHECKPOINT_FORMAT, tensors, JSON.stringify(about));
}

/**
 * Takes a run up where the newest sound checkpoint left it: weights, moments and counters are put on the GPU. Undefined where there is none.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, `checkpoint/other-settings`; `checkpoint/other-machine` without
 * `allowDrift`; and what the store throws
 */
export async function resumeTraining(
  gpu: Gpu,
  trainees: readonly Trainee[],
  { store, allowDrift = false }: DictionaryCheckpoints,
  identity: TrainingIdentity,
  onNotice?: (message: string) => void,
): Promise<RunState | undefined> {
  const opened = await newestSound(store, CHECKPOINT_FORMAT, onNotice);
  if (!opened) return undefined;
  const about = JSON.parse(opened.about) as About;
  expectSameTraining(about, identity, {
    others: 'another model, other tokens, dictionaries or settings',
    cure: 'Use the same settings, or another place for the checkpoint.',
    allowDrift,
  });
  for (const [i, trainee] of trainees.entries()) {
    const { updates, rows, threshold } = about.trainees[i] as About['trainees'][number];
    for (const [name, tensor] of trainee.kind.parameters) {
      const values = await opened.floats(`${i}/weight/${name}`);
      if (values.length !== tensor.size) throw damagedCheckpoint(`${name} of ${trainee.spec.name} has another size`);
      gpu.write(tensor.storage, values);
    }
    const moments: AdamWMoments = {
      groups: [
        {
          name: 'weights',
          count: updates,
          params: momentsOf(trainee).map(({ name, size }) => ({
            name,
            size,
            first: () => opened.floats(`${i}/first/${name}`),
            second: () => opened.floats(`${i}/second/${name}`),
          })),
        },
      ],
    };
    await trainee.optimiser.loadMoments(moments);
    const sinceFired = await opened.words(`${i}/sinceFired`);
    trainee.restore(savedStates(trainee, { rows, sinceFired, threshold }));
  }
  return about;
}

/** The counters of each layer, of what a checkpoint has of all of them. */
function savedStates(
  { kind: { counted }, spec }: Trainee,
  {
    rows,
    sinceFired,
    threshold,
  }: {
    readonly rows: number;
    readonly sinceFired: Uint32Array;
    readonly threshold: number | readonly number[] | undefined;
  },
): SavedTrainingState[] {
  let at = 0;
  const states = counted.map(({ features }, i): SavedTrainingState => {
    const own = typeof threshold === 'number' ? threshold : threshold?.[i];
    at += features;
    return { rows, sinceFired: sinceFired.slice(at - features, at), ...(own === undefined ? {} : { threshold: own }) };
  });
  if (at !== sinceFired.length) throw damagedCheckpoint(`sinceFired of ${spec.name} has another size`);
  return states;
}

const momentsOf = ({ optimiser }: Trainee): AdamWMoments['groups'][number]['params'] =>
  optimiser.moments().groups[0]?.params ?? [];

/** @throws LimnError `training/diverged` for values that are not finite */
function finite(values: Float32Array, what: string, update: number): Float32Array {
  if (values.every(Number.isFinite)) return values;
  throw diverged(`${what} holds values that are not finite`, update);
}

/** The end of a training that left the numbers. */
export function diverged(what: string, update: number): LimnError {
  return new LimnError('training/diverged', `${what} at update ${update}.`, {
    details: { update },
    hint: 'Lower the rate, or warm up for longer. The checkpoint before it is untouched.',
  });
}
