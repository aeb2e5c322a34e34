// The check that long calls make at their start and between their parts.
import { AbortedError } from '@limn/gpu';

/** @throws AbortedError with the signal's reason as its cause */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new AbortedError(`${what} was aborted.`, { cause: signal.reason });
}
