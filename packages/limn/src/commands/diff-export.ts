// `limn diff export`: diffs as PEFT folders or as one file of the code of Diff Interpretation Tuning, alone or joined with the adapter that reads them.
import { catAdapters, writeDitDiffs, writePeft } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import type { WrittenFile } from '@limn/hooks';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { ditLabels } from '../dit-labels.js';
import { saveDictionaryFiles } from '../dictionary-files.js';
import { openGivenDiff, openGivenDiffs, type OpenedDiff } from '../given-diff.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { openOutputFolder } from '../output.js';
import { nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightsOption, type WeightOptions } from '../weight-options.js';

const FORMATS = ['peft', 'dit'] as const;
const RECORD = 'export.json';
const DIT_FILE = 'diffs.pt';

interface DiffExportOptions extends SharedOptions, WeightOptions {
  readonly base: string;
  readonly diff: readonly string[];
  readonly format: (typeof FORMATS)[number];
  readonly cat?: string;
  readonly out: string;
}

export function addDiffExportCommand(diff: Command, context: CommandContext): void {
  withSharedOptions(withWeightsOption(diff.command('export')))
    .description('write diffs for other tools: PEFT folders, or the .pt file that the code of arXiv 2510.05092 reads')
    .argument('<folder>', 'a pack, or a PEFT folder')
    .requiredOption('--base <name>', 'the model that the diffs are changes of')
    .option(
      '--diff <id>',
      'repeatable: which of the pack (default: all)',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--format <name>', FORMATS.join(' or '), nameOption('--format', 'format', FORMATS), 'peft')
    .option('--cat <adapter>', 'of peft: join each diff with this adapter into one, whose rank is the sum of both')
    .requiredOption('--out <dir>', 'a new folder; several PEFT adapters lie in folders of their names')
    .action((folder: string, options: DiffExportOptions) => run(folder, options, context));
}

async function run(folder: string, options: DiffExportOptions, context: CommandContext): Promise<void> {
  const { console, signal, words, env } = context;
  const { format, cat } = options;
  if (cat !== undefined && format !== 'peft')
    throw new LimnError('usage/diff-export', '--cat joins two adapters into one of PEFT, and --format is dit', {
      hint: 'leave --format out',
    });
  using device = await openDevice(context, { kernels: 'as is' });
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const diffs = await chosenDiffs(folder, options.diff, model);
  const names = diffs.length === 1 ? ['default'] : folderNames(diffs);
  const adapter = cat === undefined ? undefined : await openGivenDiff(model.hooked, cat);
  const files: WrittenFile[] =
    format === 'dit'
      ? [
          {
            name: DIT_FILE,
            bytes: writeDitDiffs(
              model.hooked,
              diffs.map((each) => ({ ...ditLabels(each), lora: each.lora })),
            ),
          },
        ]
      : diffs.flatMap(({ lora }, i) =>
          writePeft(model.hooked, adapter ? catAdapters([{ lora }, { lora: adapter.lora }]) : lora, { name: names[i] }),
        );
  const entries = [RECORD, ...new Set(files.map(({ name }) => name.split('/')[0] ?? name))];
  const output = openOutputFolder(options.out, { entries, mark: RECORD });
  try {
    await saveDictionaryFiles(output.draft, files);
    const { fingerprint } = model.hooked.info;
    const record = {
      schema: 'limn.diff-export',
      version: 1,
      format,
      base: { name: model.name, fingerprint },
      diffs: diffs.map(({ name, trained }, i) => ({
        id: name,
        ...(trained ? { key: trained.key } : {}),
        ...(format === 'peft' && names[i] !== 'default' ? { folder: names[i] } : {}),
      })),
      ...(cat === undefined ? {} : { joinedWith: cat }),
      commandLine: commandLine(words, env),
    };
    output.write(RECORD, `${JSON.stringify(record, undefined, 1)}\n`);
    signal.throwIfAborted();
    output.commit();
  } finally {
    output.discard();
  }
  console.say(`${diffs.length} diffs written to ${output.path}`);
  console.result({ ok: true, command: 'diff export', out: output.path, format, files: files.map(({ name }) => name) });
}

async function chosenDiffs(folder: string, ids: readonly string[], { hooked }: OpenModel): Promise<OpenedDiff[]> {
  if (ids.length === 0) return openGivenDiffs(hooked, folder);
  const diffs: OpenedDiff[] = [];
  for (const id of new Set(ids)) diffs.push(await openGivenDiff(hooked, `${folder}#${id}`));
  return diffs;
}

/** Names that PEFT takes: ids have slashes. @throws LimnError `usage/diff-export` where two ids become one name */
function folderNames(diffs: readonly OpenedDiff[]): string[] {
  const names = diffs.map(({ name }) =>
    name
      .replaceAll(/[^\w.-]+/g, '-')
      .replace(/^[^\w]+/, '')
      .slice(0, 100),
  );
  const twice = names.findIndex((name, i) => name === '' || name === 'default' || names.indexOf(name) !== i);
  if (twice < 0) return names;
  throw new LimnError(
    'usage/diff-export',
    `'${diffs[twice]?.name ?? ''}' has no name of its own for a folder ('${names[twice] ?? ''}')`,
    {
      details: { id: diffs[twice]?.name ?? '' },
      hint: 'export it alone, with --diff',
    },
  );
}
