// `limn features search`: features by token: those that fire on it or read its embedding, those that raise or lower its logit, and those whose label says so.
import { LimnError } from '@limn/gpu';
import {
  featureDashboards,
  searchFeatures,
  searchFeatureWeights,
  type Connection,
  type FeatureEncoder,
} from '@limn/transcoders';
import type { Command } from 'commander';
import { named } from '../circuit-request.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openSet } from '../dictionary-set.js';
import { chosenDictionaries } from '../feature-choice.js';
import { tokenOf } from '../feature-targets.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { provenanceOf } from '../provenance.js';
import { readLabels } from '../set-transcoders.js';
import { bytesOption, integerOption, nameOption } from '../shared-options.js';
import {
  readSequences,
  weightsOnly,
  withReadingOptions,
  withSetOptions,
  type ReadingOptions,
  type SetOptions,
} from './features-options.js';
import { skipOf } from './transcode-evaluate.js';

const WAYS = ['fires', 'context', 'reads'] as const;

interface FeaturesSearchOptions extends SetOptions, ReadingOptions {
  readonly token?: string;
  readonly by: (typeof WAYS)[number];
  readonly logit?: string;
  readonly against?: string;
  readonly label?: string;
  readonly top: number;
  readonly memory?: number;
}

/** A feature that was found. */
interface Found {
  readonly layer: number;
  readonly feature: number;
  readonly score: number;
}

export function addFeaturesSearchCommand(features: Command, context: CommandContext): void {
  withReadingOptions(withSetOptions(features.command('search')))
    .description('features by the token that they fire on, the logit that they move, or their label')
    .option('--token <text>', 'features that have to do with this token of the text; an id where there is no tokenizer')
    .option(
      '--by <name>',
      `with --token: ${WAYS.join(', ')}; the first two are shares of the strongest examples, reads asks the weights alone`,
      nameOption('--by', 'search', WAYS),
      'fires',
    )
    .option('--logit <text>', 'features that raise or lower this token’s logit most, by their weights')
    .option('--against <text>', 'with --logit: less the logit of this token (default: less the mean logit)')
    .option('--label <words>', 'features whose label has these words')
    .option('--top <n>', 'most features, at most 64', integerOption('--top', 1), 20)
    .option('--memory <size>', 'GPU memory for intermediate values (default: 512MiB)', bytesOption('--memory'))
    .action((options: FeaturesSearchOptions) => run(options, context));
}

async function run(options: FeaturesSearchOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectOne(options);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, weightsOnly(options), context);
  const { layers = 'all', sae } = options;
  using set = await openSet(model, options.transcoders, layers === 'all' ? undefined : layers);
  const dictionaries = chosenDictionaries(set, { sae, layers });
  const labels = new Map(
    await Promise.all(
      dictionaries.map(async ({ config }) => [config.layer, await readLabels(set.folder, config)] as const),
    ),
  );
  const ends =
    options.label === undefined
      ? await searched(options, { model, dictionaries, skip: options.skipPositions ?? skipOf(set) }, context)
      : {
          most: [...labels].flatMap(([layer, list]) =>
            list.search(options.label as string).map(([feature]): Found => ({ layer, feature, score: 1 })),
          ),
        };
  const entry = ({ layer, feature, score }: Found) => ({
    layer,
    feature,
    score,
    label: labels.get(layer)?.get(feature)?.text ?? '',
  });
  const found = Object.fromEntries(Object.entries(ends).map(([end, list]) => [end, list.map(entry)]));
  signal.throwIfAborted();
  for (const [end, list] of Object.entries(found)) {
    if (Object.keys(found).length > 1) console.say(end === 'most' ? 'raised by' : 'lowered by');
    for (const { layer, feature, score, label } of list)
      console.say(`${score.toFixed(3).padStart(9)}  ${layer}:${feature}  ${label}`.trimEnd());
    if (list.length === 0) console.say('  none');
  }
  const { token, by, logit, against, label } = options;
  console.result({
    ok: true,
    command: 'features search',
    ...found,
    provenance: provenanceOf(device.gpu, model, context, {
      seed: null,
      prompts: [],
      prependBos: null,
      options: Object.fromEntries(
        Object.entries({
          transcoders: options.transcoders,
          token,
          ...(token === undefined ? {} : { by }),
          logit,
          against,
          label,
          top: options.top,
        }).filter((each): each is [string, string | number] => each[1] !== undefined),
      ),
    }),
  });
}

/** @throws LimnError `usage/feature-query` unless one thing is searched for */
function expectOne({ token, logit, against, label, top }: FeaturesSearchOptions): void {
  const given = [token, logit, label].filter((each) => each !== undefined).length;
  const problem =
    given !== 1
      ? 'search for one thing: --token TEXT, --logit TEXT or --label WORDS'
      : against !== undefined && logit === undefined
        ? '--against goes with --logit'
        : top > 64
          ? `--top ${top}: at most 64 features are found`
          : undefined;
  if (problem !== undefined) throw new LimnError('usage/feature-query', problem, { details: { given, top } });
}

async function searched(
  { token, by, logit, against, top, ...options }: FeaturesSearchOptions,
  {
    model,
    dictionaries,
    skip,
  }: { readonly model: OpenModel; readonly dictionaries: readonly FeatureEncoder[]; readonly skip: number },
  { console, signal }: CommandContext,
): Promise<{ readonly most: readonly Found[]; readonly least?: readonly Found[] }> {
  const id = (option: string, text: string): number => tokenOf(option, text, model);
  const most: Found[] = [];
  const least: Found[] = [];
  const put = (list: Found[], layer: number, found: readonly { readonly feature: number; readonly score: number }[]) =>
    list.push(...found.map(({ feature, score }) => ({ layer, feature, score })));
  const scored = (list: readonly Connection[]) =>
    list.map(({ index, strength }) => ({ feature: index, score: strength }));
  if (token !== undefined && by !== 'reads') {
    const tokens = [id('--token', token)];
    const { sequences } = await readSequences(options, model);
    for (const dictionary of dictionaries) {
      const { layer } = dictionary.config;
      const dashboards = await featureDashboards(model.hooked, dictionary, sequences, {
        skip,
        weightTokens: 0,
        signal,
        memoryBytes: options.memory,
        onProgress: named(`layer ${layer}`, console.progress),
      });
      put(most, layer, searchFeatures(dashboards, { tokens, by: by === 'fires' ? 'activation' : by, most: top }));
    }
  } else
    for (const dictionary of dictionaries) {
      const query =
        token === undefined
          ? {
              by: 'writes' as const,
              tokens: [id('--logit', logit as string)],
              against: against === undefined ? undefined : [id('--against', against)],
            }
          : { by: 'reads' as const, tokens: [id('--token', token)] };
      const { layer, features } = dictionary.config;
      const ends = await searchFeatureWeights(
        model.hooked,
        dictionary,
        { ...query, most: Math.min(top, features) },
        { signal },
      );
      put(most, layer, scored(ends.most));
      put(least, layer, scored(ends.least));
    }
  const best = (list: readonly Found[], sign: 1 | -1): readonly Found[] =>
    [...list].sort((a, b) => sign * (b.score - a.score) || a.layer - b.layer || a.feature - b.feature).slice(0, top);
  return logit === undefined ? { most: best(most, 1) } : { most: best(most, 1), least: best(least, -1) };
}
