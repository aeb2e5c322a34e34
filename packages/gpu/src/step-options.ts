// What callers choose about a step, a dispatch and a copy.
import type { Progress } from './engine.js';
import type { AnyShader, Grid, OverridesOf, Variant } from './kernel.js';

/** How a step runs. */
export interface StepOptions {
  readonly label?: string;
  /** Checked before the step and at every cut; the step then rejects with AbortedError and its values are undefined. */
  readonly signal?: AbortSignal;
  /** Called after every cut and at the end. */
  readonly onProgress?: (progress: Progress) => void;
  /**
   * GPU timestamps, where the device has them; read by `gpu.timings()`. true: around every dispatch, under its label, each in a pass of its
   * own. 'passes': around each pass as it also runs without timing, under the step's label; copies and reads lie between passes.
   */
  readonly timing?: boolean | 'passes';
  /** Operations per submit, instead of the device's own budget. */
  readonly workBudgetFlops?: number;
}

/** Per-dispatch choices. */
export interface DispatchOptions<S extends AnyShader> {
  readonly overrides?: Partial<OverridesOf<S>>;
  readonly variant?: Variant;
  /** Instead of the kernel's own rule. */
  readonly grid?: Grid;
  /** For timings; the kernel's name by default. */
  readonly label?: string;
}

/** Byte ranges of a copy; multiples of four. */
export interface CopyRange {
  readonly fromOffset?: number;
  readonly toOffset?: number;
  /** To the end of the shorter one by default. */
  readonly byteLength?: number;
}
