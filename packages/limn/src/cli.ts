// The `limn` command: words to options, errors to exit codes, Ctrl-C to an AbortSignal.
import { LimnError } from '@limn/gpu';
import { Command, CommanderError } from 'commander';
import { addCircuitCommand } from './commands/circuit.js';
import { addCompareCommand } from './commands/compare.js';
import { addDemoCommand } from './commands/demo.js';
import { addDiffCommand } from './commands/diff.js';
import { addDitCommand } from './commands/dit.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addDrawCommand } from './commands/draw.js';
import { addFeaturesCommand } from './commands/features.js';
import { addGenerateCommand } from './commands/generate.js';
import { addPairsCommand } from './commands/pairs.js';
import { addMergeCommand } from './commands/merge.js';
import { addRunCommand } from './commands/run.js';
import { addSteerCommand } from './commands/steer.js';
import { addTrainCommand } from './commands/train.js';
import { addTranscodeCommand } from './commands/transcode.js';
import { addTuneCommand } from './commands/tune.js';
import { addVerifyCommand } from './commands/verify.js';
import { Console, type TextStream } from './console.js';
import type { CommandContext } from './context.js';
import { EXIT, exitCodeOf, isCoded, type ExitCode } from './exit-code.js';
import { discardUnfinishedOutputs } from './output.js';
import { redact } from './redact.js';
import { version } from './version.js';

/** Everything of the process that the command touches; tests pass their own. */
export interface Environment {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly openGpu?: CommandContext['openGpu'];
  readonly measure?: CommandContext['measure'];
}

/** Runs one command of `limn` in this process, with Ctrl-C and SIGTERM stopping it cleanly. Resolves to its exit code. */
export async function main(words: readonly string[]): Promise<ExitCode> {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) {
      discardUnfinishedOutputs();
      process.exit(EXIT.interrupted);
    }
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  try {
    return await runCli(words, {
      stdout: process.stdout,
      stderr: process.stderr,
      env: process.env,
      signal: controller.signal,
    });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** A reader that has seen enough, such as `head`, ends neither the work nor its files. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** {@link main} without touching the process: what `limn` prints goes to `environment`, and the exit code comes back. */
export async function runCli(words: readonly string[], environment: Environment): Promise<ExitCode> {
  const console = new Console({
    stdout: environment.stdout,
    stderr: environment.stderr,
    json: words.includes('--json'),
    quiet: words.includes('--quiet'),
  });
  const { signal, env, openGpu, measure } = environment;
  const context: CommandContext = { console, signal, env, openGpu, measure, words };
  try {
    await buildProgram(context, environment).parseAsync([...words], { from: 'user' });
    console.endProgress();
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    return explain(error, context);
  }
}

function buildProgram(context: CommandContext, environment: Environment): Command {
  const program = new Command('limn')
    .description('Look inside GPT-2-family language models: find circuits, measure them, and read the report.')
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => void environment.stdout.write(text),
      writeErr: (text) => void environment.stderr.write(text),
      // Parse errors are printed once, by explain(), together with their code.
      outputError: () => undefined,
    });
  addDoctorCommand(program, context);
  addTuneCommand(program, context);
  addDemoCommand(program, context);
  addRunCommand(program, context);
  addSteerCommand(program, context);
  addGenerateCommand(program, context);
  addTrainCommand(program, context);
  addTranscodeCommand(program, context);
  addDiffCommand(program, context);
  addDitCommand(program, context);
  addFeaturesCommand(program, context);
  addPairsCommand(program, context);
  addCircuitCommand(program, context);
  addMergeCommand(program, context);
  addCompareCommand(program, context);
  addDrawCommand(program, context);
  addVerifyCommand(program, context);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** Prints what went wrong, why and what to do, and says which exit code that is. */
function explain(thrown: unknown, { console, env, signal }: CommandContext): ExitCode {
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return EXIT.usage;
  const error = thrown instanceof CommanderError ? fromCommander(thrown) : thrown;
  const interrupted = signal.aborted && (error === signal.reason || exitCodeOf(error) === EXIT.interrupted);
  const exitCode = interrupted ? EXIT.interrupted : exitCodeOf(error);
  const code = interrupted ? 'aborted' : isCoded(error) ? error.code : 'internal';
  const message = redact(error instanceof Error ? error.message : String(error), env);
  const hint = isCoded(error) && error.hint !== undefined ? redact(error.hint, env) : undefined;
  console.warn(interrupted ? `limn: stopped: ${message}` : `limn: ${message}`);
  if (hint !== undefined && !message.includes(hint)) console.warn(`  try: ${hint}`);
  console.warn(`  code: ${code}`);
  if (code === 'internal' && error instanceof Error && error.stack !== undefined)
    console.warn(redact(error.stack, env));
  const said = { code, message, ...(hint === undefined ? {} : { hint }) };
  console.result({ ...resultOf(error), ok: false, exitCode, error: said });
  return exitCode;
}

/** What a command found out before it failed, as `verify` does whose figures differ. */
function resultOf(error: unknown): object {
  const result = isCoded(error) ? error.details?.['result'] : undefined;
  return typeof result === 'object' && result !== null ? result : {};
}

/** Commander's message already names the nearest command or option. */
function fromCommander(error: CommanderError): LimnError {
  const [message = error.message, ...suggestion] = error.message.replace(/^error: /, '').split('\n');
  return new LimnError(`usage/${kebab(error.code.replace(/^commander\./, ''))}`, message, {
    hint:
      suggestion.length > 0
        ? suggestion.join(' ').replace(/^\(Did (.*)\)$/, 'did $1')
        : '`limn --help` lists the commands, `limn COMMAND --help` their options',
  });
}

/** 'unknownCommand' → 'unknown-command', as all other codes are spelt. */
const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
