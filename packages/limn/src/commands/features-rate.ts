// `limn features rate`: a rating study that hides where features come from, and what raters said of each source, with intervals. 2406.11944, Appendix F.
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import {
  blindStudy,
  featureDashboards,
  scoreRatings,
  type CountedShare,
  type FeatureOwner,
  type StudySource,
} from '@limn/transcoders';
import type { Command } from 'commander';
import { named } from '../circuit-request.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openSet, type OpenSet } from '../dictionary-set.js';
import { placeName } from '../dictionary-settings.js';
import { openGivenModel } from '../given-model.js';
import { openOutputFolder, type OutputLayout } from '../output.js';
import { provenanceOf } from '../provenance.js';
import { parseKey, parseRatings, parseStudy, studyFileText } from '../rating-files.js';
import { ratingPage } from '../rating-page.js';
import { bytesOption, integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { readSequences, withTextReading, type ReadingOptions } from './features-options.js';
import { skipOf } from './transcode-evaluate.js';

const FILES = {
  entries: ['rate.html', 'study.json', 'key.json', 'result.json'],
  mark: 'result.json',
} as const satisfies OutputLayout;

interface FeaturesRateOptions extends SharedOptions, WeightOptions, Omit<ReadingOptions, 'layers' | 'sae'> {
  readonly model?: string;
  readonly transcoders?: readonly string[];
  readonly layer?: number;
  readonly neurons?: number;
  readonly blind?: boolean;
  readonly score?: string;
  readonly study?: string;
  readonly perSource: number;
  readonly seed: number;
  readonly memory?: number;
  readonly out?: string;
}

/** A study that can be drawn. */
type BlindOptions = FeaturesRateOptions &
  Required<Pick<FeaturesRateOptions, 'model' | 'transcoders' | 'layer' | 'out'>>;

export function addFeaturesRateCommand(features: Command, context: CommandContext): void {
  withTextReading(withWeightOptions(withSharedOptions(features.command('rate'))))
    .description(
      'a blind study: --blind writes rate.html for raters, which hides the sources, and key.json; --score counts what they said',
    )
    .option('--blind', 'draw a study')
    .option('--model <name>', 'with --blind: the model that the sets were trained on')
    .option(
      '--transcoders <dir>',
      'with --blind: a set in limn’s format; several times for several. Every dictionary of --layer is a source',
      (folder: string, before: readonly string[] = []) => [...before, folder],
    )
    .option('--layer <n>', 'with --blind: whose features', integerOption('--layer', 0))
    .option(
      '--neurons <k>',
      'with --blind: neurons as a source too, of each token the k that write most',
      integerOption('--neurons', 1),
    )
    .option('--per-source <n>', 'features of each source', integerOption('--per-source', 1), 50)
    .option('--seed <n>', 'which features, and their order', integerOption('--seed', 0), 0)
    .option('--memory <size>', 'GPU memory for intermediate values (default: 512MiB)', bytesOption('--memory'))
    .option('--out <dir>', 'with --blind: where the files go')
    .option('--score <file>', 'ratings.json, as rate.html saves it')
    .option('--study <dir>', 'with --score: the folder of the study')
    .action((options: FeaturesRateOptions) => {
      expectOne(options);
      return options.score === undefined ? draw(options as BlindOptions, context) : score(options, context);
    });
}

/** @throws LimnError `usage/blind-study` for what is missing */
function expectOne({ blind, score: file, study, model, transcoders, layer, out }: FeaturesRateOptions): void {
  const refuse = (problem: string): LimnError =>
    new LimnError('usage/blind-study', problem, {
      hint: 'limn features rate --blind --model NAME --transcoders SET --layer L --out DIR; then --score ratings.json --study DIR',
    });
  if ((blind === true) === (file !== undefined))
    throw refuse('draw a study with --blind, or count ratings with --score FILE');
  if (file !== undefined) {
    if (study === undefined) throw refuse('--score needs --study DIR, the folder of the study');
    return;
  }
  const [missing] = Object.entries({ model, transcoders, layer, out }).find(([, value]) => value === undefined) ?? [];
  if (missing !== undefined) throw refuse(`--blind needs --${missing}`);
}

async function draw(options: BlindOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  const { layer, neurons, perSource, seed } = options;
  const output = openOutputFolder(options.out, FILES);
  const sets: OpenSet[] = [];
  try {
    // Sets are what is read here, and not what the model runs with.
    const { transcoders: folders, ...others } = options;
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.model, others, context);
    const owners: { readonly name: string; readonly owner: FeatureOwner; readonly skip: number }[] = [];
    for (const folder of folders) {
      const set = await openSet(model, folder, [layer]);
      sets.push(set);
      const across = set.crossLayer?.dictionary.encoders[layer];
      const ofLayer = across ? [{ name: placeName(layer, false), dictionary: across }] : set.dictionaries;
      for (const { name, dictionary } of ofLayer)
        owners.push({ name: `${path.basename(path.resolve(folder))} ${name}`, owner: dictionary, skip: skipOf(set) });
    }
    const skip = options.skipPositions ?? Math.max(...owners.map((each) => each.skip));
    if (neurons !== undefined)
      owners.push({ name: `neurons, ${neurons} a token`, owner: { layer, k: neurons, rest: 'zero' }, skip });
    const own = await readSequences(options, model);
    const sources: StudySource[] = [];
    for (const { name, owner } of owners)
      sources.push({
        name,
        dashboards: await featureDashboards(model.hooked, owner, own.sequences, {
          skip,
          weightTokens: 0,
          text: model.show,
          signal,
          memoryBytes: options.memory,
          onProgress: named(name, console.progress),
        }),
      });
    const { study, key } = await blindStudy(sources, { perSource, seed });
    const provenance = provenanceOf(device.gpu, model, context, {
      seed,
      prompts: own.sequences.map((ids) => Array.from(ids)),
      prependBos: null,
      options: {
        transcoders: folders.join(' '),
        layer,
        ...(neurons === undefined ? {} : { neurons }),
        perSource,
        text: own.name,
        sequences: own.sequences.length,
        skip,
      },
    });
    const files = { study: study.items.length, keyDigest: study.keyDigest, sources: key.sources };
    output.write('rate.html', ratingPage(study));
    output.write('study.json', `${JSON.stringify(study)}\n`);
    output.write('key.json', `${JSON.stringify(key, undefined, 1)}\n`);
    output.write(
      'result.json',
      `${JSON.stringify({ schema: 'limn.blind-study', version: 1, ...files, provenance }, undefined, 1)}\n`,
    );
    signal.throwIfAborted();
    output.commit();
    console.say(`${study.items.length} features of ${key.sources.length} sources, shuffled`);
    console.say('give raters rate.html alone; key.json says who is who');
    console.say(`written to ${output.path}: ${FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'features rate',
      out: output.path,
      files: FILES.entries,
      ...files,
      provenance,
    });
  } finally {
    for (const set of sets) set[Symbol.dispose]();
    output.discard();
  }
}

async function score({ score: file, study: folder }: FeaturesRateOptions, { console }: CommandContext): Promise<void> {
  const place = folder as string;
  const study = parseStudy(await studyFileText(path.join(place, 'study.json'), 'data/blind-study'));
  const key = parseKey(await studyFileText(path.join(place, 'key.json'), 'data/blind-key'));
  const ratings = parseRatings(await studyFileText(file as string, 'data/ratings'), study);
  const sources = await scoreRatings(study, ratings, key);
  const share = ({ count, share: part, low, high }: CountedShare): string =>
    `${count}${Number.isNaN(part) ? '' : ` (${percent(part)}, ${percent(low)} to ${percent(high)})`}`;
  for (const { source, rated, unrated, interpretable, maybe, not, contextFree } of sources) {
    console.say(`${source}: ${rated} rated${unrated > 0 ? `, ${unrated} not` : ''}; shares with 95 % intervals`);
    for (const [name, counted] of Object.entries({ interpretable, maybe, not, 'context-free': contextFree }))
      console.say(`  ${name.padEnd(13)} ${share(counted)}`);
  }
  console.result({ ok: true, command: 'features rate', ratings: ratings.length, sources });
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
