// Refusals of storages that are used in the wrong place or at the wrong time.
import { align4 } from './buffers.js';
import { LimnError } from './errors.js';
import { internal } from './internal.js';
import type { Storage } from './storage.js';

/** The storage belongs to this Gpu and has not been disposed. `where` says what was about to be done with it. */
export function assertAlive(storage: Storage, owner: object, where: string): void {
  const state = storage[internal];
  if (state.owner === owner && !state.disposed) return;
  const details = { storage: storage.label, id: storage.id, where };
  if (state.disposed)
    throw new LimnError('gpu/disposed', `'${storage.label}' was disposed before ${where}`, { details });
  throw new LimnError('gpu/other-device', `'${storage.label}' belongs to another Gpu (${where})`, { details });
}

/** A step-local storage used in a step that did not make it. */
export function otherStep(storage: Storage, step: string, where: string): LimnError {
  const home = storage[internal].home?.label;
  return new LimnError('gpu/other-step', `'${storage.label}' lives in step '${home}', not in '${step}' (${where})`, {
    details: { storage: storage.label, step, home, where },
    hint: 'Call step.keep() on it in the step that makes it.',
  });
}

/** A value read before any kernel, copy, clear or upload. */
export function readBeforeWrite(storage: Storage, step: string, where: string): LimnError {
  const message = `'${storage.label}' is read by ${where} before anything has written it`;
  return new LimnError('gpu/read-before-write', message, {
    details: { storage: storage.label, where, step },
    hint: 'Dispatch the kernel that writes it first, or clear() or upload() it.',
  });
}

/** A kept value has been computed, or is queued to be, by the time it is used outside its own step. */
export function assertMade(storage: Storage, where: string): void {
  const { home, kind } = storage[internal];
  if (kind !== 'kept' || !home || home.phase === 'submitted') return;
  const state = { open: 'was not submitted yet', discarded: 'was never run', failed: 'failed or was aborted' }[
    home.phase
  ];
  throw new LimnError(
    'gpu/step-order',
    `${where} uses '${storage.label}', but step '${home.label}', which makes it, ${state}`,
    {
      details: { storage: storage.label, where, maker: home.label, phase: home.phase },
      hint: 'Submit the step that makes a value before what uses it.',
    },
  );
}

/** A copy of a range that both storages have, between two different ones. */
export function assertCopy(from: Storage, to: Storage, fromOffset: number, toOffset: number, bytes: number): void {
  const whole = [fromOffset, toOffset, bytes].every((n) => Number.isInteger(n) && n >= 0 && n % 4 === 0);
  const inside = fromOffset + bytes <= align4(from.byteLength) && toOffset + bytes <= align4(to.byteLength);
  if (from !== to && whole && inside) return;
  const source = `'${from.label}' at ${fromOffset} (of ${from.byteLength})`;
  const target = `'${to.label}' at ${toOffset} (of ${to.byteLength})`;
  throw new LimnError(
    'gpu/copy',
    `cannot copy ${bytes} bytes from ${source} to ${target}: two different storages, multiples of four, inside both`,
    { details: { from: from.label, to: to.label, fromOffset, toOffset, bytes } },
  );
}
