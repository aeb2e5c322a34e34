// From the stable code of an error to the exit code of the process: 0 ok, 1 failure, 2 usage, 3 no GPU, memory, disk or network, 4 bad data, 130 interrupted.

/** The exit codes of `limn`, by name. */
export const EXIT = { ok: 0, failure: 1, usage: 2, resource: 3, data: 4, interrupted: 130 } as const;
/** One of them. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What every coded error of limn's packages has in common; the classes differ, the shape does not. */
export interface CodedError extends Error {
  readonly code: string;
  readonly hint?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export function isCoded(error: unknown): error is CodedError {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
}

/** Errno values of a disk that is full, read-only, failing or out of handles. */
const DISK = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'EACCES', 'EPERM']);

/** Codes whose meaning differs from that of their family. */
const SINGLE: Readonly<Record<string, ExitCode>> = {
  aborted: EXIT.interrupted,
  ENOENT: EXIT.data,
  ENOTDIR: EXIT.data,
  EISDIR: EXIT.data,
  'checkpoint/in-use': EXIT.usage,
  'checkpoint/no-room': EXIT.resource,
  'checkpoint/too-large': EXIT.resource,
  'files/write': EXIT.resource,
  'gpu/adapter-choice': EXIT.usage,
  'gpu/binding-size': EXIT.resource,
  'gpu/choices': EXIT.data,
  'gpu/device': EXIT.resource,
  'gpu/device-lost': EXIT.resource,
  'gpu/feature': EXIT.resource,
  'gpu/kernel-setting': EXIT.usage,
  'gpu/limits': EXIT.resource,
  'gpu/no-adapter': EXIT.resource,
  'gpu/no-dawn': EXIT.resource,
  'gpu/no-webgpu': EXIT.resource,
  'gpu/out-of-memory': EXIT.resource,
  'gpu/self-test': EXIT.resource,
  'gpu/size': EXIT.resource,
  'gpu/write': EXIT.resource,
  'hooks/bad-generation': EXIT.usage,
  'hooks/bad-sampling': EXIT.usage,
  'hooks/unknown-site': EXIT.usage,
  'hooks/unreachable-site': EXIT.usage,
  'training/held-out-row': EXIT.data,
  'training/setting': EXIT.usage,
  'hub/bad-id': EXIT.usage,
  'hub/cache': EXIT.resource,
  'hub/disk-space': EXIT.resource,
  'hub/rate-limited': EXIT.resource,
  'hub/unavailable': EXIT.resource,
  'hub/unreachable': EXIT.resource,
};

/** Meaning of the part before the slash; a family that is not here is a failure of limn itself. */
const FAMILY: Readonly<Record<string, ExitCode>> = {
  usage: EXIT.usage,
  tasks: EXIT.usage,
  memory: EXIT.resource,
  disk: EXIT.resource,
  checkpoint: EXIT.data,
  config: EXIT.data,
  data: EXIT.data,
  files: EXIT.data,
  hub: EXIT.data,
  load: EXIT.resource,
  safetensors: EXIT.data,
  tokenizer: EXIT.data,
  tokens: EXIT.data,
  weights: EXIT.data,
};

/** A server that did not answer, broke off, or said that it cannot serve; what it holds is not at fault. */
function isDeadServer({ code, details }: CodedError): boolean {
  if (code !== 'files/fetch') return false;
  const status = Number(details?.['status'] ?? 0);
  return details?.['reason'] !== undefined || status === 429 || status >= 500;
}

/** The exit code that `error` ends the process with. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Error && error.name === 'AbortError') return EXIT.interrupted;
  if (!isCoded(error)) return EXIT.failure;
  if (isDeadServer(error)) return EXIT.resource;
  const family = error.code.split('/', 1)[0] ?? '';
  return SINGLE[error.code] ?? (DISK.has(error.code) ? EXIT.resource : undefined) ?? FAMILY[family] ?? EXIT.failure;
}
