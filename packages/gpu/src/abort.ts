// The check that long calls make at their start and between their parts.
import { AbortedError } from './errors.js';

/**
 * Ends a call whose signal has fired. `what` begins the message; `progress`, in floating-point operations, goes into it and into `details`.
 * @throws AbortedError with the signal's reason as its cause
 */
export function throwIfAborted(
  signal: AbortSignal | undefined,
  what: string,
  progress?: { readonly done: number; readonly total: number },
): void {
  if (!signal?.aborted) return;
  const after = progress === undefined ? '' : ` after ${progress.done} of ${progress.total} operations`;
  throw new AbortedError(`${what} was aborted${after}`, { details: { what, ...progress }, cause: signal.reason });
}
