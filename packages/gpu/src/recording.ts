// What a step has recorded: commands over numbered storages, before any memory is chosen.
import type { Grid } from './kernel.js';
import type { Program } from './program.js';
import type { Storage } from './storage.js';
import type { UniformBlock } from './uniforms.js';

/** One kernel run. `slots[i]` is the storage of the shader's binding i. */
export interface DispatchCommand {
  readonly kind: 'dispatch';
  readonly program: Program;
  readonly slots: readonly number[];
  readonly grid: Grid;
  /** Byte offset into the step's uniform block, or -1 without parameters. */
  readonly uniformOffset: number;
  readonly flops: number;
  readonly label: string;
}

/** A range moved between two storages. */
export interface CopyCommand {
  readonly kind: 'copy';
  readonly from: number;
  readonly to: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly bytes: number;
}

/** A storage set to zero. */
export interface ClearCommand {
  readonly kind: 'clear';
  readonly target: number;
  readonly bytes: number;
}

/** A storage copied out for the host; `order` numbers the step's reads. */
export interface ReadCommand {
  readonly kind: 'read';
  readonly source: number;
  readonly order: number;
}

export type Command = DispatchCommand | CopyCommand | ClearCommand | ReadCommand;

/** Host data that fills a step-local storage before the first command. */
export interface Upload {
  readonly target: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** A whole step, ready to be planned. Numbers in commands index `storages`. */
export interface Recording {
  readonly label: string;
  readonly commands: Command[];
  readonly storages: Storage[];
  readonly uploads: Upload[];
  /** Those of `storages` that this step keeps. */
  readonly kept: Storage[];
  readonly uniforms: UniformBlock;
}

/** The storages that a command touches. */
export function touched(command: Command): readonly number[] {
  switch (command.kind) {
    case 'dispatch':
      return command.slots;
    case 'copy':
      return [command.from, command.to];
    case 'clear':
      return [command.target];
    case 'read':
      return [command.source];
  }
}
