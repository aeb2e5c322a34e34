// `limn diff import`: diffs of other tools as a pack: files of the code of Diff Interpretation Tuning, and PEFT folders.
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { openDitDiffs, writeDiffPack, type LoraWeights, type TrainedDiff } from '@limn/dit';
import { openFolder } from '@limn/gpt2/node';
import { LimnError, sha256 } from '@limn/gpu';
import type { Command } from 'commander';
import { commandLine } from '../command-line.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { DIFF_IMPORT, DIFF_RECORD, PACK_LAYOUT } from '../diff-record.js';
import { saveDictionaryFiles } from '../dictionary-files.js';
import { openGivenDiffs } from '../given-diff.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { openOutputFolder } from '../output.js';
import { withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightsOption, type WeightOptions } from '../weight-options.js';

interface DiffImportOptions extends SharedOptions, WeightOptions {
  readonly base: string;
  readonly out: string;
}

export function addDiffImportCommand(diff: Command, context: CommandContext): void {
  withSharedOptions(withWeightsOption(diff.command('import')))
    .description('make a pack of .pt files of the code of arXiv 2510.05092, or of PEFT folders')
    .argument('<sources...>', 'files that end in .pt, PEFT folders, FOLDER#NAME')
    .requiredOption('--base <name>', 'the model that the diffs are changes of')
    .requiredOption('--out <dir>', 'a new folder for the pack')
    .action((sources: readonly string[], options: DiffImportOptions) => run(sources, options, context));
}

async function run(sources: readonly string[], options: DiffImportOptions, context: CommandContext): Promise<void> {
  const { console, signal, words, env } = context;
  const output = openOutputFolder(options.out, PACK_LAYOUT);
  try {
    using device = await openDevice(context, { kernels: 'as is' });
    using model = await openGivenModel(device.gpu, options.base, options, context);
    const diffs: TrainedDiff[] = [];
    for (const source of sources) diffs.push(...(await diffsOf(source, model)));
    await saveDictionaryFiles(output.draft, writeDiffPack(diffs));
    const { fingerprint, processing } = model.hooked.info;
    const record = {
      schema: DIFF_IMPORT.schema,
      version: 1,
      state: 'finished',
      command: DIFF_IMPORT.command,
      base: { name: model.name, fingerprint, processing },
      diffs: diffs.length,
      commandLine: commandLine(words, env),
    };
    output.write(DIFF_RECORD, `${JSON.stringify(record, undefined, 1)}\n`);
    signal.throwIfAborted();
    output.commit();
    console.say(`${diffs.length} diffs in ${output.path}`);
    console.result({ ok: true, command: 'diff import', out: output.path, diffs: diffs.map(({ spec }) => spec.id) });
  } finally {
    output.discard();
  }
}

async function diffsOf(source: string, model: OpenModel): Promise<TrainedDiff[]> {
  if (!/\.pt$/i.test(source) || !isFile(source)) {
    const opened = await openGivenDiffs(model.hooked, source);
    return Promise.all(
      opened.map(
        ({ name, lora, trained }) =>
          trained ?? imported(path.basename(name), lora, { source: path.basename(source) }, model),
      ),
    );
  }
  const files = openFolder(path.dirname(source));
  const name = path.basename(source);
  const file = { name, size: await files.size(name), bytes: (from: number, to: number) => files.read(name, from, to) };
  const stored = await openDitDiffs(model.hooked, file);
  const diffs: TrainedDiff[] = [];
  for (const [i, { topic, trigger, read }] of stored.entries())
    diffs.push(
      await imported(
        `${topic.replaceAll(' ', '-')}/${i}`,
        await read(),
        { source: name, label: topic, trigger },
        model,
      ),
    );
  return diffs;
}

const isFile = (name: string): boolean => existsSync(name) && statSync(name).isFile();

/** What is known of a diff that was trained elsewhere; how it was trained is not: no updates, no rate, no losses. */
async function imported(
  id: string,
  lora: LoraWeights,
  about: TrainedDiff['spec']['about'],
  { hooked }: OpenModel,
): Promise<TrainedDiff> {
  const { rank, alpha, rsLora, modules } = lora;
  for (const [map, own] of modules)
    if (own.rank !== rank || own.alpha !== alpha)
      throw new LimnError(
        'data/diff-pack',
        `${id} has rank ${own.rank} and alpha ${own.alpha} at ${map}, and ${rank} and ${alpha} elsewhere`,
        {
          details: { id, map },
          hint: 'a pack has one rank and one alpha for all maps of a diff: use the PEFT folder itself',
        },
      );
  const base = hooked.info.fingerprint;
  const spec = {
    id,
    seed: 0,
    rank,
    alpha,
    rsLora,
    modules: [...modules.keys()],
    init: 'dit-diff',
    rate: 0,
    updates: 0,
    about,
  } as const;
  const digests = await Promise.all(
    Array.from(modules, async ([map, { a, b }]) => [map, await digestOf(a), await digestOf(b)]),
  );
  return {
    spec,
    key: await sha256(JSON.stringify({ format: DIFF_IMPORT.schema, base, rank, alpha, rsLora, digests })),
    sharedInit: false,
    lora: { ...lora, base },
    losses: [],
  };
}

const digestOf = (values: Float32Array): Promise<string> =>
  sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
