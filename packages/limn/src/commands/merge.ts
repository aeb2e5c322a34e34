// `limn merge`: joins the packs of `limn diff train --shard i/n`, or brings the shards of `limn circuit --shard i/n` together for one `limn circuit --resume`.
import { LimnError } from '@limn/gpu';
import { openSealed } from '@limn/hooks';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { isDiffRun } from '../diff-record.js';
import { mergeDiffs } from '../merged-diffs.js';
import { collectShards, shardFiles, shardFolderOf } from '../shard-folder.js';
import { withSharedOptions, type SharedOptions } from '../shared-options.js';

interface MergeOptions extends SharedOptions {
  readonly out: string;
}

export function addMergeCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('merge'))
    .description(
      'join the packs of `limn diff train --shard i/n`, or bring the shards of `limn circuit --shard i/n` runs together for one `limn circuit --resume`',
    )
    .argument(
      '<folders...>',
      'folders of `limn diff train`, or of shards: DIR.shards of each --out DIR of `limn circuit`',
    )
    .requiredOption(
      '--out <dir>',
      'a new folder for the whole pack; of circuits, the --out of the run that will finish: shards go to DIR.shards',
    )
    .action((folders: readonly string[], options: MergeOptions) => merge(folders, options, context));
}

async function merge(folders: readonly string[], { out }: MergeOptions, { console }: CommandContext): Promise<void> {
  const packs = folders.filter(isDiffRun);
  if (packs.length > 0) {
    const other = folders.find((folder) => !packs.includes(folder));
    if (other !== undefined)
      throw new LimnError('data/shards', `${other} is no folder of \`limn diff train\`, and ${packs[0]} is`, {
        details: { folder: other },
        hint: 'merge packs with packs, and shards of circuits with shards of circuits',
      });
    const { path, diffs, parts } = await mergeDiffs(packs, out);
    console.say(`${diffs} diffs of ${parts} parts in ${path}`);
    console.result({ ok: true, command: 'merge', out: path, diffs, parts });
    return;
  }
  const into = shardFolderOf(out);
  const added = await collectShards(folders, into, async (text) => (await openSealed(text)) !== undefined);
  const total = shardFiles(into).length;
  console.say(`${added} shards added to ${into}, ${total} in all`);
  console.say(`now run the same \`limn circuit\` with --out ${out} --resume, without --shard`);
  console.result({ ok: true, command: 'merge', out: into, added, total });
}
