// A bench as a command: --help, and what cannot be done as asked said in a line, not by a stack.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { LimnError } from '@limn/gpu';

/** What was asked for cannot be done; the message says why and what can. */
export class WrongArguments extends Error {}

/** Exit code of a command that was asked for what it cannot do. */
const WRONG = 2;

/** A file that is missing or may not be written, as Node says it. */
const isOfSystem = (error: Error): boolean => 'syscall' in error && 'path' in error;
const isOfArguments = (error: Error): boolean => 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');

/** Runs a command with its parsed arguments; its exit code is what `run` gives. `usage` is what --help prints. */
export async function command<Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
  run: (parsed: ReturnType<typeof parseArgs<Config>>) => Promise<number> | number,
): Promise<void> {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    console.log(usage);
    process.exitCode = 0;
    return;
  }
  try {
    process.exitCode = await run(parseArgs(config));
  } catch (thrown) {
    const error = thrown as Error;
    const isOurs = error instanceof WrongArguments || error instanceof LimnError;
    if (!isOurs && !isOfSystem(error) && !isOfArguments(error)) throw error;
    console.error(error.message);
    console.error(error instanceof LimnError ? (error.hint ?? '') : `\n${usage}`);
    process.exitCode = WRONG;
  }
}
