// The one error class of this package: a stable code, what was given, what is allowed, what to do.

/** What may stand beside the code and the message of a {@link TasksError}. */
export interface TasksErrorOptions {
  /** The values involved, for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do about it. */
  readonly hint?: string;
}

/** Every error this package throws; the same fields as every other error of limn. */
export class TasksError extends Error {
  /** Stable and machine-readable, e.g. `tasks/unknown-task`. */
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly hint?: string;

  constructor(code: string, message: string, options: TasksErrorOptions = {}) {
    super(message);
    this.name = 'TasksError';
    this.code = code;
    this.details = options.details ?? {};
    if (options.hint !== undefined) this.hint = options.hint;
  }

  /** The error as plain data, for logs. */
  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: this.message, details: this.details, hint: this.hint };
  }
}

/** The candidate with the smallest edit distance (insert, delete, replace) to `given`; the first one on ties. */
export function nearest(given: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(given.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
