// What the bits of a training depend on, as it stands in its checkpoints, and the refusal of a checkpoint of another training or machine.
import { LimnError, type Gpu } from '@limn/gpu';
import { kernelsInForce } from '@limn/tensor';

/** Two trainings whose identities are equal have equal bits. */
export interface TrainingIdentity {
  /** Model, data and settings, as JSON. */
  readonly settings: string;
  /** Adapter, driver and kernels, as JSON. */
  readonly machine: string;
}

/** The machine of an identity, for a training whose steps run these kernels. */
export function trainingMachine(gpu: Gpu, kernels: readonly string[]): string {
  const { adapter, source } = gpu.capabilities;
  return JSON.stringify({ adapter, source, kernels, choices: kernelsInForce(gpu) });
}

/** What differs where settings do, and what to do about it, in words; and whether another machine's bits are accepted. */
export interface SameTraining {
  /** Behind "The checkpoint was made with". */
  readonly others: string;
  readonly cure: string;
  readonly allowDrift: boolean;
}

/**
 * Lets a training go on only from a checkpoint of its own.
 * @throws LimnError `checkpoint/other-settings`; `checkpoint/other-machine` without `allowDrift`
 */
export function expectSameTraining(
  saved: TrainingIdentity,
  now: TrainingIdentity,
  { others, cure, allowDrift }: SameTraining,
): void {
  if (saved.settings !== now.settings)
    throw new LimnError('checkpoint/other-settings', `The checkpoint was made with ${others}.`, {
      details: { saved: saved.settings, now: now.settings },
      hint: cure,
    });
  if (saved.machine !== now.machine && !allowDrift)
    throw new LimnError(
      'checkpoint/other-machine',
      'The checkpoint was made on another adapter or with other kernels, so the bits of the result would differ.',
      {
        details: { saved: saved.machine, now: now.machine },
        hint: 'Go on there, open the device with the kernel choices that it was made with, or accept other bits with allowDrift.',
      },
    );
}
