// A range of GPU memory by name: virtual inside one step, or owning a buffer until it is disposed.
import type { PhysicalBuffer } from './buffers.js';
import { LimnError } from './errors.js';
import { internal } from './internal.js';

/** 'step': lives and dies in one step; 'kept': left a step by keep(); 'persistent': made outside steps. */
export type StorageKind = 'step' | 'kept' | 'persistent';

/** The step that a storage belongs to or comes from: not the step itself, whose recording would live as long as a kept value. */
export interface StorageHome {
  readonly label: string;
  phase: 'open' | 'submitted' | 'discarded' | 'failed';
}

/** What this package knows about a storage. */
export interface StorageState {
  kind: StorageKind;
  /** The device's core: storages of different devices must not meet. */
  readonly owner: object;
  /** Kept and persistent storages on a real device. */
  buffer: PhysicalBuffer | undefined;
  /** The step that made a step-local or kept storage. */
  readonly home: StorageHome | undefined;
  /** Open or queued steps that have recorded this storage; its buffer is reused only at zero. */
  references: number;
  disposed: boolean;
  readonly release: (buffer: PhysicalBuffer) => void;
}

let nextId = 1;

/**
 * A piece of GPU memory, zero-copy to pass around. Bytes are counted without padding. Made by `step.allocate`, `step.upload` and
 * `gpu.persistent`.
 */
export class Storage {
  readonly id: number = nextId++;
  readonly byteLength: number;
  readonly label: string;
  /** @internal */
  readonly [internal]: StorageState;

  /** @internal */
  constructor(byteLength: number, label: string, state: StorageState) {
    if (!Number.isSafeInteger(byteLength) || byteLength <= 0)
      throw new LimnError('gpu/size', `'${label}' cannot have ${byteLength} bytes: a positive whole number is needed`, {
        details: { label, byteLength },
      });
    this.byteLength = byteLength;
    this.label = label;
    this[internal] = state;
  }

  /** How long it lives; `keep` turns a step-local storage into a kept one. */
  get kind(): StorageKind {
    return this[internal].kind;
  }

  /** Ends the storage's life; its memory is reused once no recorded step needs it. Disposing twice is allowed. */
  dispose(): void {
    const state = this[internal];
    state.disposed = true;
    releaseIfIdle(state);
  }
}

/** A step has recorded the storage. */
export function retain(storage: Storage): void {
  storage[internal].references += 1;
}

/** The step that had recorded the storage has been encoded, or given up. */
export function unretain(storage: Storage): void {
  const state = storage[internal];
  state.references -= 1;
  releaseIfIdle(state);
}

function releaseIfIdle(state: StorageState): void {
  if (!state.disposed || state.references > 0 || !state.buffer) return;
  const buffer = state.buffer;
  state.buffer = undefined;
  state.release(buffer);
}
