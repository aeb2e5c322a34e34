// `limn merge`: brings the shards of several `limn circuit --shard i/n` runs together, so that one `limn circuit --resume` finishes from them.
import { openSealed } from '@limn/hooks';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { collectShards, shardFiles, shardFolderOf } from '../shard-folder.js';
import { withSharedOptions, type SharedOptions } from '../shared-options.js';

interface MergeOptions extends SharedOptions {
  readonly out: string;
}

export function addMergeCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('merge'))
    .description('bring the shards of `limn circuit --shard i/n` runs together for one `limn circuit --resume`')
    .argument('<folders...>', 'folders of shards: DIR.shards of each --out DIR')
    .requiredOption('--out <dir>', 'the --out of the run that will finish; shards go to DIR.shards')
    .action((folders: readonly string[], options: MergeOptions) => merge(folders, options, context));
}

async function merge(folders: readonly string[], { out }: MergeOptions, { console }: CommandContext): Promise<void> {
  const into = shardFolderOf(out);
  const added = await collectShards(folders, into, async (text) => (await openSealed(text)) !== undefined);
  const total = shardFiles(into).length;
  console.say(`${added} shards added to ${into}, ${total} in all`);
  console.say(`now run the same \`limn circuit\` with --out ${out} --resume, without --shard`);
  console.result({ ok: true, command: 'merge', out: into, added, total });
}
