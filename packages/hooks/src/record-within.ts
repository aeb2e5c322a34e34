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

/** A recording that did not fit: its plan's bytes, or why there is none. */
interface Excess {
  readonly count: number;
  readonly bytes?: number;
  readonly cause?: unknown;
}

/**
 * Records `record(step, count)` with as many units as fit the budget: nothing is allocated before the plan of the step is
 * known. After a plan beyond the budget the next count is what its bytes say would fit, after a tensor that the device cannot
 * bind half. The same counts every time.
 * @throws LimnError `memory/over-budget` with the numbers when a single unit does not fit, and what `record` throws
 */
export function recordWithin<R>(parts: {
  readonly what: string;
  readonly unit: string;
  readonly memoryBytes: number;
  readonly most: number;
  /** Units that belong together: counts beyond it are multiples of it. Default 1. */
  readonly grain?: number;
  readonly open: () => Step;
  readonly record: (step: Step, count: number) => R;
}): Fitted<R> {
  const tried: Excess[] = [];
  for (let count = parts.most; ; count = fewer(tried, parts.memoryBytes, parts.grain ?? 1)) {
    const step = parts.open();
    let excess: Excess;
    try {
      const recorded = parts.record(step, count);
      const { bytesPeak } = step.plan();
      if (bytesPeak <= parts.memoryBytes) return { step, count, recorded };
      excess = { count, bytes: bytesPeak };
    } catch (cause) {
      if (!isTooLarge(cause)) {
        step.dispose();
        throw cause;
      }
      excess = { count, cause };
    }
    step.dispose();
    if (count === 1) throw overBudget(parts, excess);
    tried.push(excess);
  }
}

/** Guesses that are made before counts are halved: bytes that do not follow the counts must not cost a recording a unit. */
const GUESSES = 3;

/**
 * The next count: first as if all bytes were the units', then on the line through the last two plans, whose offset is what a step
 * takes for itself.
 */
function fewer(tried: readonly Excess[], memoryBytes: number, grain: number): number {
  const [before, last] = [tried.at(-2), tried.at(-1) as Excess];
  const { count, bytes } = last;
  let guess = Math.ceil(count / 2);
  if (bytes !== undefined && tried.length <= GUESSES) {
    const perUnit = before?.bytes === undefined ? 0 : (before.bytes - bytes) / (before.count - count);
    guess =
      perUnit > 0 ? count - Math.ceil((bytes - memoryBytes) / perUnit) : Math.floor((count * memoryBytes) / bytes);
  }
  guess = Math.max(1, Math.min(guess, count - 1));
  return guess > grain ? guess - (guess % grain) : guess;
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
