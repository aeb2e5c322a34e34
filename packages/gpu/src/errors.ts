// The one error class of limn: a stable code, the numbers behind the message, and what to do about it.

/** What an error may carry besides its code and message. */
export interface ErrorOptionsOfLimn {
  /** The values the message is about, JSON-serialisable. */
  readonly details?: Record<string, unknown>;
  /** One sentence that says what to do. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** JSON form of a LimnError, as it travels between workers and into result files. */
export interface LimnErrorJson {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly details: Record<string, unknown>;
  readonly hint?: string;
}

/**
 * Base class of every error that limn throws on purpose.
 * `code` is stable across versions: `family/what`, and the family decides the exit code of the command line.
 */
export class LimnError extends Error {
  readonly code: string;
  readonly details: Record<string, unknown>;
  readonly hint?: string;

  constructor(code: string, message: string, options: ErrorOptionsOfLimn = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LimnError';
    this.code = code;
    this.details = options.details ?? {};
    if (options.hint !== undefined) this.hint = options.hint;
  }

  /** The error as plain data, for logs and for messages between threads; `LimnError.revive` makes the error of it again. */
  toJSON(): LimnErrorJson {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      details: this.details,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }

  /** The error that `toJSON` described, of the same class. */
  static revive(json: LimnErrorJson): LimnError {
    const options = { details: json.details, ...(json.hint === undefined ? {} : { hint: json.hint }) };
    const make = revivers[json.name];
    return make ? make(json, options) : new LimnError(json.code, json.message, options);
  }
}

/** The device went away; everything on it is gone and a new one must be opened. `details.reason` is WebGPU's. */
export class DeviceLostError extends LimnError {
  constructor(message: string, options: ErrorOptionsOfLimn = {}) {
    super('gpu/device-lost', message, options);
    this.name = 'DeviceLostError';
  }
}

/** A buffer could not be made: larger than the device allows, or no memory left. */
export class OutOfMemoryError extends LimnError {
  constructor(message: string, options: ErrorOptionsOfLimn = {}) {
    super('gpu/out-of-memory', message, options);
    this.name = 'OutOfMemoryError';
  }
}

/** The caller's AbortSignal fired. */
export class AbortedError extends LimnError {
  constructor(message: string, options: ErrorOptionsOfLimn = {}) {
    super('aborted', message, options);
    this.name = 'AbortedError';
  }
}

/** A kernel that does not compile; `details.file` and `details.line` are those of the .wgsl file. */
export class ShaderError extends LimnError {
  constructor(message: string, options: ErrorOptionsOfLimn = {}) {
    super('gpu/shader', message, options);
    this.name = 'ShaderError';
  }
}

const revivers: Record<string, (json: LimnErrorJson, options: ErrorOptionsOfLimn) => LimnError> = {
  DeviceLostError: (json, options) => new DeviceLostError(json.message, options),
  OutOfMemoryError: (json, options) => new OutOfMemoryError(json.message, options),
  AbortedError: (json, options) => new AbortedError(json.message, options),
  ShaderError: (json, options) => new ShaderError(json.message, options),
};

/** What was thrown, as text, whatever it was. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
