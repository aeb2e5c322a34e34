// Runs the command in this process, on devices whose kernels are compiled once for all commands, and hands back what it printed and its exit code.
import { lentGpu } from '@limn/testing';
import { runCli, type Environment } from '../src/cli.js';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The only line of stdout, parsed; for calls with --json. */
  json(): Record<string, unknown> & {
    readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  };
}

export async function runLimn(
  words: readonly string[],
  signal = new AbortController().signal,
  environment: Partial<Environment> = {},
): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const exitCode = await runCli(words, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: { HF_TOKEN: 'hf_neverprintthistoken', LIMN_KERNELS: 'built-in' },
    signal,
    openGpu: lentGpu,
    ...environment,
  });
  return {
    exitCode,
    stdout,
    stderr,
    json: () => {
      if (!/^[^\n]+\n$/.test(stdout)) throw new Error(`expected one line on stdout, got ${JSON.stringify(stdout)}`);
      return JSON.parse(stdout) as ReturnType<Outcome['json']>;
    },
  };
}
