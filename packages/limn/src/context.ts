// What every command is given: where to speak, when to stop, the environment, and the words it was called with.
import type { openNodeGpu } from '@limn/gpu/node';
import type { Console } from './console.js';
import type { measureKernels } from './kernel-tuning.js';

export interface CommandContext {
  readonly console: Console;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Opens every device; the command gives it back. Default `openNodeGpu`. */
  readonly openGpu?: typeof openNodeGpu | undefined;
  /** Measures a device's kernels. Default `measureKernels`. */
  readonly measure?: typeof measureKernels | undefined;
  /** The words after `limn`. */
  readonly words: readonly string[];
}

/** A command's options after parsing are strings, numbers and flags; each command narrows its own. */
export type Run<Options> = (options: Options, context: CommandContext) => Promise<void>;
