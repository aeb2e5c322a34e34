// How a long computation keeps to a memory budget: a step is recorded with as many units as its plan says will fit, before anything runs.
import { formatBytes, LimnError, OutOfMemoryError, type Step } from '@limn/gpu';

/** GPU bytes for intermediate values, beside the weights, unless the caller says otherwise. */
export const DEFAULT_MEMORY_BYTES = 512 * 2 ** 20;

/** A step that fits, and how many units it holds. */
export interface Fitted<R> {
  readonly step: Step;
  readonly count: number;
  readonly recorded: R;
}

/**
 * Records `record(step, count)` with as many units as fit the budget: nothing is allocated before the plan of the step is
 * known. Halves on a plan beyond the budget or a tensor that the device cannot bind.
 * @throws LimnError `memory/over-budget` with the numbers when a single unit does not fit, and what `record` throws
 */
export function recordWithin<R>(parts: {
  readonly what: string;
  readonly unit: string;
  readonly memoryBytes: number;
  readonly most: number;
  readonly open: () => Step;
  readonly record: (step: Step, count: number) => R;
}): Fitted<R> {
  for (let count = parts.most; ; count = Math.ceil(count / 2)) {
    const step = parts.open();
    let excess: { readonly bytes?: number; readonly cause?: unknown } | undefined;
    try {
      const recorded = parts.record(step, count);
      const { bytesPeak } = step.plan();
      if (bytesPeak <= parts.memoryBytes) return { step, count, recorded };
      excess = { bytes: bytesPeak };
    } catch (cause) {
      if (!isTooLarge(cause)) {
        step.dispose();
        throw cause;
      }
      excess = { cause };
    }
    step.dispose();
    if (count === 1) throw overBudget(parts, excess);
  }
}

const tooLarge = ['gpu/binding-size', 'tensor/logits-too-large'];

function isTooLarge(error: unknown): boolean {
  return error instanceof OutOfMemoryError || (error instanceof LimnError && tooLarge.includes(error.code));
}

/** `memory/over-budget`: not even one unit fits, with the bytes it takes or what the device said. */
export function overBudget(
  { what, unit, memoryBytes }: { readonly what: string; readonly unit: string; readonly memoryBytes: number },
  { bytes, cause }: { readonly bytes?: number; readonly cause?: unknown },
): LimnError {
  const need =
    bytes === undefined ? (cause instanceof Error ? cause.message : String(cause)) : `it takes ${formatBytes(bytes)}`;
  return new LimnError(
    'memory/over-budget',
    `${what} does not fit ${formatBytes(memoryBytes)} with one ${unit} at a time: ${need}.`,
    {
      details: { what, unit, memoryBytes, ...(bytes === undefined ? {} : { bytesNeeded: bytes }) },
      hint: 'Raise the memory budget, shorten the prompts, or ask for less at once.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
