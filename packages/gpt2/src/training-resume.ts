// Takes a run up where a checkpoint left it, or refuses: other settings, other data, another machine.
import { LimnError, sha256 } from '@limn/gpu';
import { kernelsInForce } from '@limn/tensor';
import { damaged } from './checkpoint.js';
import { latestCheckpoint, type CheckpointStore } from './checkpoint-store.js';
import type { TensorPieces } from './safetensors-write.js';
import { shapeOf, writeParameter } from './parameters.js';
import { lossOfPart, partsOf, targetsOf, type TrainingRows } from './training-loss.js';
import type { Updater } from './training-update.js';

/** Where and how often checkpoints are written. */
export interface CheckpointOptions {
  readonly store: CheckpointStore;
  /** Updates between two checkpoints. */
  readonly every: number;
  /** Goes on from a checkpoint of another machine, although the bits of the result will differ. */
  readonly allowDrift?: boolean;
}

/** What a run's bits depend on, as it stands in its checkpoints. */
export interface RunIdentity {
  /** Updates of the whole run. */
  readonly steps: number;
  readonly settings: string;
  readonly plan: string;
}

/**
 * The identity of a run. The data are known by their first and last batch, and by the name that the caller gives them: what differs in
 * between shows in no batch before it is trained on.
 */
export async function identityOf(
  updater: Updater,
  batch: (step: number) => TrainingRows,
  steps: number,
  dataName?: string,
): Promise<RunIdentity> {
  const { model, recipe } = updater;
  const rows = [...batch(0), ...batch(Math.max(0, steps - 1))];
  const data = await sha256(Uint32Array.from(rows.flatMap((row) => [row.length, ...Array.from(row)])));
  return {
    steps,
    settings: JSON.stringify({ config: model.config, recipe, steps, data, dataName }),
    plan: machineOf(updater, batch(0)),
  };
}

/** Whether a run of settings `now` goes on from a checkpoint of settings `saved`, which may be older than the naming of data. */
function areTheSame(saved: string, now: string): boolean {
  const { dataName: _, ...unnamed } = JSON.parse(now) as { readonly dataName?: string };
  return saved === now || saved === JSON.stringify(unnamed);
}

/** Adapter, driver, the kernels that an update runs, which are recorded and not run, and those that were chosen for this device, if any were. */
function machineOf(updater: Updater, rows: TrainingRows): string {
  const { gpu } = updater.model;
  const { adapter, source } = gpu.capabilities;
  const step = gpu.step({ label: 'kernel plan' });
  try {
    const [part] = partsOf(rows, updater.recipe.microBatch) as [TrainingRows];
    updater.gradients(step, lossOfPart(updater.model, step, part, targetsOf(rows)).loss);
    const choices = kernelsInForce(gpu);
    const chosen = Object.keys(choices).length > 0 ? { choices } : {};
    return JSON.stringify({ adapter, source, kernels: step.plan().kernels, ...chosen });
  } finally {
    step.dispose();
  }
}

/**
 * Loads weights and moments of the newest sound checkpoint, one at a time, and gives its step; 0 when there is none. Every bit of the
 * checkpoint was checked before the first of them is loaded.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, `checkpoint/other-settings`, `checkpoint/other-machine`, and what the store
 * throws
 */
export async function resumeFrom(
  updater: Updater,
  { store, allowDrift = false }: CheckpointOptions,
  { settings, plan, steps }: RunIdentity,
  onNotice?: (message: string) => void,
): Promise<number> {
  const saved = await latestCheckpoint(store, onNotice);
  if (!saved) return 0;
  if (!areTheSame(saved.settings, settings)) {
    throw new LimnError(
      'checkpoint/other-settings',
      'the checkpoint was made with another model, recipe, number of steps, corpus or seed',
      {
        details: { saved: saved.settings, now: settings },
        hint: 'Use the same settings, or another place for the checkpoint.',
      },
    );
  }
  if (saved.plan !== plan && !allowDrift) throw otherMachine(saved.plan, plan);
  if (saved.step > steps) throw damaged(`its step is ${saved.step}, of ${steps}`);
  const { model, optimiser } = updater;
  const weights = [...model.parameters()].map(([name, parameter]) => {
    const values = saved.weights.get(name);
    const shape = shapeOf(parameter);
    if (values?.shape.join() !== shape.join())
      throw damaged(
        `it ${values ? `has the weight ${name} as [${values.shape.join(', ')}] instead of [${shape.join(', ')}]` : `lacks the weight ${name}`}`,
        { details: { name, shape: values?.shape, expected: shape } },
      );
    return [parameter, values as TensorPieces] as const;
  });
  // Refuses other groups before it reads the first moment.
  await optimiser.loadMoments(saved.optimiser).catch((cause: unknown) => {
    if (!(cause instanceof LimnError && cause.code === 'tensor/optimiser')) throw cause;
    throw damaged('its moments are not those of this optimiser', { cause });
  });
  for (const [parameter, values] of weights) await writeParameter(model.gpu, parameter, values.pieces());
  return saved.step;
}

/** The error of a checkpoint that another adapter or driver made, or this one with other kernels. */
function otherMachine(saved: string, now: string): LimnError {
  const same = adapterOf(saved) === adapterOf(now);
  return new LimnError(
    'checkpoint/other-machine',
    same
      ? 'the checkpoint was made with other kernels on this adapter, so the bits of the result would differ'
      : 'the checkpoint was made on another adapter, so the bits of the result would differ',
    {
      details: { saved, now },
      hint: same
        ? 'Open the device with the kernel choices that it was made with: LIMN_KERNELS=built-in where it was made before `limn tune`, `limn tune --forget` where what was measured has changed. Or pass allowDrift (--allow-drift) to accept other bits.'
        : 'Go on there, or pass allowDrift (--allow-drift) to accept that.',
    },
  );
}

/** Which adapter and driver a plan names; undefined where it is not one of this version. */
function adapterOf(plan: string): string | undefined {
  try {
    const { adapter, source } = JSON.parse(plan) as { readonly adapter?: unknown; readonly source?: unknown };
    return JSON.stringify([adapter, source]);
  } catch {
    return undefined;
  }
}
