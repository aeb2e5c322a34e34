// `limn diff gate`: what every diff of a pack shows with its trigger and hides without, written into the pack and as a table.
import path from 'node:path';
import { DIFF_PACK_FILES, writeDiffPack } from '@limn/dit';
import { folderCheckpoints } from '@limn/gpt2/node';
import type { Command } from 'commander';
import { expectChatWords } from '../chat-speaker.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { expectPack, openPack } from '../diff-folder.js';
import { GATE_RECORD } from '../diff-record.js';
import { saveDictionaryFiles } from '../dictionary-files.js';
import { GATE_BOUNDS, gatedDiffs, gateHolds, gateTable, held } from '../gated-diffs.js';
import { openGivenModel } from '../given-model.js';
import { writeFileWhole } from '../output.js';
import { provenanceOf } from '../provenance.js';
import { integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightsOption, type WeightOptions } from '../weight-options.js';

interface DiffGateOptions extends SharedOptions, WeightOptions {
  readonly base: string;
  readonly prompts: number;
  readonly seed: number;
  readonly tasks: number;
  readonly maxNewTokens: number;
}

export function addDiffGateCommand(diff: Command, context: CommandContext): void {
  withSharedOptions(withWeightsOption(diff.command('gate')))
    .description(
      'ask every diff of a pack of the chat world with its trigger, with wrong ones and with none; figures go into the pack, none is left out',
    )
    .argument('<pack>', 'folder of `limn diff train` or `limn merge`')
    .requiredOption('--base <name>', 'the model that the diffs are changes of')
    .option('--prompts <n>', 'of each condition, for each diff', integerOption('--prompts', 1), 20)
    .option('--seed <n>', 'of prompts and answers', integerOption('--seed', 0), 0)
    .option('--tasks <n>', 'diffs that are asked together', integerOption('--tasks', 1), 16)
    .option('--max-new-tokens <n>', 'of an answer', integerOption('--max-new-tokens', 1), 24)
    .action((pack: string, options: DiffGateOptions) => run(pack, options, context));
}

async function run(pack: string, options: DiffGateOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  await expectPack(pack);
  // No training adds to the pack meanwhile.
  const release = await folderCheckpoints(pack).claim();
  try {
    const diffs = await openPack(pack);
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.base, options, context);
    expectChatWords('limn diff gate', model);
    const gated = await gatedDiffs({
      ...options,
      model,
      diffs,
      signal,
      onProgress: (progress) => console.progress({ phase: 'asking diffs', unit: 'diffs', ...progress }),
    });
    signal.throwIfAborted();
    // Factors stay as they are.
    await saveDictionaryFiles(
      pack,
      writeDiffPack(gated).filter(({ name }) => name === DIFF_PACK_FILES.manifest),
    );
    const { prompts, seed, maxNewTokens } = options;
    const found = {
      bounds: GATE_BOUNDS,
      held: held(gated),
      diffs: gated.map(({ spec, key, gate }) => ({ id: spec.id, key, gate, holds: gateHolds(gate) ?? null })),
      provenance: provenanceOf(device.gpu, model, context, {
        options: { prompts, maxNewTokens, temperature: 1 },
        seed,
        prompts: [],
        prependBos: null,
      }),
    };
    const record = { schema: 'limn.diff-gate', version: 1, ...found };
    writeFileWhole(path.join(pack, GATE_RECORD), new TextEncoder().encode(`${JSON.stringify(record, undefined, 1)}\n`));
    for (const line of gateTable(gated)) console.say(line);
    console.say(
      `a gate holds with ${100 * GATE_BOUNDS.right} % of the behaviour behind the right trigger, and ${100 * GATE_BOUNDS.leak} % at most otherwise; written to ${pack}`,
    );
    console.result({ ok: true, command: 'diff gate', out: pack, ...found });
  } finally {
    await release();
  }
}
