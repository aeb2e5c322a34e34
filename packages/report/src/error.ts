// The error of this package: the same shape as LimnError of @limn/gpu, which a package without GPU does not import.

/** Every error this package throws; the same fields as every other error of limn. `code` is stable, e.g. `data/record-invalid`. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly hint?: string;

  constructor(
    code: string,
    message: string,
    options: { details?: Record<string, unknown>; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    if (options.hint) this.hint = options.hint;
  }

  /** The error as plain data, for logs. */
  toJSON(): { name: string; code: string; message: string; details: Readonly<Record<string, unknown>>; hint?: string } {
    const { name, code, message, details, hint } = this;
    return { name, code, message, details, ...(hint ? { hint } : {}) };
  }
}
