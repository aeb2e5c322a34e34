// A progress bar for programs that call limn's packages: `onProgress: showProgress('patching')`.
import { Console, type TextStream } from './console.js';

/** How far a call has come, as every `onProgress` of limn's packages is told. */
export interface CountedProgress {
  readonly done: number;
  readonly total: number;
  readonly unit?: string;
}

/** Shows how far a call has come: a bar where `stream` (standard error by default) is a terminal, else a line every five seconds and at the end. */
export function showProgress(phase: string, stream: TextStream = process.stderr): (progress: CountedProgress) => void {
  const shown = new Console({ stdout: stream, stderr: stream, json: false, quiet: false });
  return ({ done, total, unit }) => shown.progress({ phase, done, total, ...(unit === undefined ? {} : { unit }) });
}
