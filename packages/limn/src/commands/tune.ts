// `limn tune`: measures which kernels suit this machine's device, shows what came of it, and keeps it for every later command.
import { existsSync } from 'node:fs';
import { kernelKey } from '@limn/gpu';
import { forgetKernelChoices, kernelChoicesFile, kernelSetting, writeKernelChoices } from '@limn/gpu/node';
import type { TrialResult, Tuning } from '@limn/tensor';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice, type OpenDevice } from '../device.js';
import { measureKernels } from '../kernel-tuning.js';
import { numberOption, withSharedOptions, type SharedOptions } from '../shared-options.js';

interface TuneCommandOptions extends SharedOptions {
  readonly budget?: number;
  readonly dryRun?: boolean;
  readonly forget?: boolean;
}

export function addTuneCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('tune'))
    .description('measure which kernels suit this device, and keep that for every later command')
    .option(
      '--budget <seconds>',
      'how long to measure (default: 2, on software adapters 30)',
      numberOption('--budget', 'for example --budget 10'),
    )
    .option('--dry-run', 'show what would be kept, and keep nothing')
    .option('--forget', 'remove what is kept for this device, and measure nothing')
    .action((options: TuneCommandOptions) => run(options, context));
}

async function run(options: TuneCommandOptions, context: CommandContext): Promise<void> {
  const { console, env } = context;
  using device = await openDevice(context, { kernels: 'built-in' });
  const { capabilities } = device.gpu;
  const { adapter, source } = capabilities;
  const file = await kernelChoicesFile(capabilities, env);
  const about = { command: 'tune', adapter, source, key: await kernelKey(capabilities) };
  if (options.forget) {
    const found = options.dryRun ? existsSync(file) : await forgetKernelChoices(capabilities, env);
    const done = options.dryRun ? 'would be removed: --dry-run' : 'removed';
    console.say(found ? `${file}: ${done}` : `nothing is kept for this device in ${file}`);
    console.result({ ok: true, ...about, file, forgotten: found && !options.dryRun });
    return;
  }
  console.say(`adapter  ${adapter.description || adapter.device || adapter.vendor || 'unnamed'} (${source})`);
  const { seconds, ...tuning } = await measure(device, options, context);
  for (const line of table(tuning)) console.say(line);
  const kept = options.dryRun
    ? undefined
    : await writeKernelChoices(capabilities, tuning.choices, { env, onNotice: (line) => console.note(line) });
  console.say();
  console.say(`${summary(tuning)}, in ${seconds.toFixed(1)} s`);
  if (options.dryRun) console.say('nothing was written: --dry-run');
  if (kept !== undefined) console.say(`kept in ${kept}`);
  if (kept !== undefined && kernelSetting(env) === 'built-in')
    console.note('limn: LIMN_KERNELS=built-in is set, so what was measured is not taken');
  console.result({ ok: true, ...about, file: kept ?? null, seconds, ...tuning });
}

async function measure(
  { gpu }: OpenDevice,
  { budget }: TuneCommandOptions,
  { console, signal, measure: measured = measureKernels }: CommandContext,
): Promise<Tuning & { readonly seconds: number }> {
  const start = performance.now();
  const tuning = await measured(gpu, {
    signal,
    ...(budget === undefined ? {} : { budgetMs: 1000 * budget }),
    onProgress: ({ done, total }) => console.progress({ phase: 'kernels', done, total, unit: 'cases' }),
  });
  console.endProgress();
  signal.throwIfAborted();
  return { ...tuning, seconds: (performance.now() - start) / 1000 };
}

/** What was measured, and what else deviates from the rules. */
function table({ results }: Tuning): string[] {
  const rows = results
    .filter(({ inheritedFrom, chosen, rule }) => inheritedFrom === undefined || chosen !== rule)
    .map((result) => [
      result.name,
      result.rule,
      result.chosen === result.rule ? '' : result.chosen,
      comparison(result),
    ]);
  if (rows.length === 0) return [];
  const lines = [['decision', 'default', 'chosen', ''], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  return lines.map((line) =>
    line
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** How much faster, and what was found wrong. */
function comparison({ rule, chosen, milliseconds, dropped, inheritedFrom }: TrialResult): string {
  const wrong = Object.entries(dropped).filter(([, why]) => !why.includes('times as long'));
  const notes = wrong.map(([name, why]) => `${name}: ${why}`);
  if (inheritedFrom !== undefined) return [`as ${inheritedFrom}`, ...notes].join('; ');
  const ratio = (milliseconds[rule] ?? Number.NaN) / (milliseconds[chosen] ?? Number.NaN);
  return [chosen === rule ? '' : `${ratio.toFixed(2)} times as fast`, ...notes].filter(Boolean).join('; ');
}

function summary({ results, open }: Tuning): string {
  const measured = results.filter(({ inheritedFrom }) => inheritedFrom === undefined).length;
  const changed = results.filter(({ chosen, rule }) => chosen !== rule).length;
  const left = open.length > 0 ? `, ${open.length} for which there was no time (--budget)` : '';
  return `${measured} cases measured, ${results.length - measured} by the nearest of them${left}; ${changed} deviate from the built-in rules`;
}
