// `limn diff show`: what is in a pack or in a PEFT folder, and a warning where an adapter changes nothing.
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { diffFolderKind, openPack } from '../diff-folder.js';
import { openGivenDiff, parseGivenDiff } from '../given-diff.js';
import { openGivenModel } from '../given-model.js';
import { withSharedOptions, type SharedOptions } from '../shared-options.js';
import { describeDiff, diffTable, emptyChange, shownDiff, type ShownDiff } from '../shown-diffs.js';
import { withWeightsOption, type WeightOptions } from '../weight-options.js';

interface DiffShowOptions extends SharedOptions, WeightOptions {
  readonly base?: string;
}

export function addDiffShowCommand(diff: Command, context: CommandContext): void {
  withSharedOptions(withWeightsOption(diff.command('show')))
    .description(
      'list the diffs of a pack, or show one (PACK#ID) or a PEFT folder: what it is about, how large it is in every layer, losses, gate',
    )
    .argument('<folder>', 'PACK, PACK#ID, or a PEFT folder')
    .option('--base <name>', 'of a PEFT folder: the model that it is a change of, by whose maps it is read')
    .action((folder: string, options: DiffShowOptions) => run(folder, options, context));
}

async function run(text: string, options: DiffShowOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  const given = parseGivenDiff(text);
  const isPeft = (await diffFolderKind(given.folder)) === 'peft';
  const diffs = isPeft ? [await adapterIn(text, options, context)] : await packIn(given.folder, given.id);
  const single = diffs.length === 1 && (isPeft || given.id !== undefined);
  for (const line of single ? diffs.flatMap(describeDiff) : diffTable(diffs)) console.say(line);
  for (const diff of diffs) {
    const warning = emptyChange(diff);
    if (warning !== undefined) console.warn(warning);
  }
  console.result({ ok: true, command: 'diff show', kind: isPeft ? 'peft' : 'pack', diffs });
}

async function packIn(folder: string, id: string | undefined): Promise<ShownDiff[]> {
  const all = await openPack(folder);
  const chosen = id === undefined ? all : all.filter(({ spec }) => spec.id === id);
  if (chosen.length === 0)
    throw new LimnError('usage/diff-name', `${folder} has no diff '${id ?? ''}'`, {
      details: { folder, id: id ?? '' },
      hint: `\`limn diff show ${folder}\` lists all`,
    });
  return chosen.map((trained) => shownDiff(trained.spec.id, trained.lora, trained));
}

/** @throws LimnError `usage/diff-base` without a model */
async function adapterIn(text: string, options: DiffShowOptions, context: CommandContext): Promise<ShownDiff> {
  if (options.base === undefined)
    throw new LimnError(
      'usage/diff-base',
      `${text} is a PEFT folder: it is read by the maps of its model, which is not named`,
      {
        hint: 'add --base MODEL',
      },
    );
  using device = await openDevice(context, { kernels: 'as is' });
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const { name, lora } = await openGivenDiff(model.hooked, text);
  return shownDiff(name, lora);
}
