// `limn features label`: what a feature stands for, written down beside its dictionary; or read, or taken away.
import { LimnError } from '@limn/gpu';
import { writeAtomically } from '@limn/gpt2/node';
import { openDictionarySet, type FeatureLabel, type FeatureLabels, type LabelledPlace } from '@limn/transcoders';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDictionaryFolder } from '../dictionary-files.js';
import { featureOption } from '../feature-choice.js';
import { setFolder } from '../bundled-folders.js';
import { labelsFile, placesOfSet, readLabels } from '../set-transcoders.js';
import { withSharedOptions, type SharedOptions } from '../shared-options.js';

interface FeaturesLabelOptions extends SharedOptions {
  readonly transcoders: string;
  readonly sae?: boolean;
  readonly author: string;
  readonly evidence?: string;
  readonly remove?: boolean;
}

export function addFeaturesLabelCommand(features: Command, context: CommandContext): void {
  withSharedOptions(features.command('label'))
    .description('write, read or remove the label of a feature; labels lie in the folder of the set')
    .argument('<feature>', 'LAYER:FEATURE')
    .argument('[text]', 'what it stands for (default: the label that it has is shown)')
    .requiredOption('--transcoders <dir>', 'a set in limn’s format')
    .option('--sae', 'the SAE of the layer, and not its transcoder')
    .option('--author <name>', 'who says so', 'anonymous')
    .option('--evidence <text>', 'what it rests on')
    .option('--remove', 'take the label away')
    .action((feature: string, text: string | undefined, options: FeaturesLabelOptions) =>
      run(feature, text, options, context),
    );
}

async function run(
  given: string,
  text: string | undefined,
  { transcoders, sae = false, author, evidence, remove = false }: FeaturesLabelOptions,
  { console, signal }: CommandContext,
): Promise<void> {
  const { layer, feature } = featureOption(given);
  if (remove && text !== undefined)
    throw new LimnError('usage/feature-label', '--remove takes a label away: leave the text out');
  const config = await placeOf(transcoders, layer, sae);
  if (feature >= config.features)
    throw new LimnError('usage/features', `layer ${layer} has features 0 to ${config.features - 1}; given ${feature}`, {
      details: { layer, feature, features: config.features },
    });
  const labels = await readLabels(transcoders, config);
  const file = labelsFile(transcoders, config);
  if (text !== undefined)
    writeLabel(labels, feature, {
      text,
      author,
      time: new Date().toISOString(),
      ...(evidence === undefined ? {} : { evidence }),
    });
  const removed = remove && labels.delete(feature);
  signal.throwIfAborted();
  if (text !== undefined || removed) {
    await writeAtomically(file, new TextEncoder().encode(labels.toText()));
    if (setFolder(transcoders) !== transcoders)
      console.note(`the labels of the set that comes with limn are in ${file}`);
  }
  const label = labels.get(feature);
  console.say(
    removed
      ? `${given}: its label is removed`
      : label
        ? `${given}: ${label.text}  (${label.author}, ${label.time.slice(0, 10)}${label.evidence === undefined ? '' : `; ${label.evidence}`})`
        : `${given} has no label`,
  );
  console.result({
    ok: true,
    command: 'features label',
    layer,
    feature,
    label: label ?? null,
    labels: labels.size,
    ...(text !== undefined || removed ? { file } : {}),
  });
}

/** What stands in files of labels is checked by them; here it was given on the command line. @throws LimnError `usage/feature-label` */
function writeLabel(labels: FeatureLabels, feature: number, label: FeatureLabel): void {
  try {
    labels.set(feature, label);
  } catch (cause) {
    if (!(cause instanceof LimnError)) throw cause;
    throw new LimnError('usage/feature-label', `the label cannot be written. ${cause.message}`, {
      cause,
      details: { feature },
      hint: 'say what the feature stands for; --remove takes a label away',
    });
  }
}

/** @throws LimnError `usage/dictionary-layer`; as `openDictionarySet` */
async function placeOf(folder: string, layer: number, sae: boolean): Promise<LabelledPlace> {
  const places = placesOfSet(await openDictionarySet(await openDictionaryFolder(folder)));
  const found = places.filter((place) => place.layer === layer && (place.input === 'hook_mlp_out') === sae);
  const [only] = found;
  if (only && found.length === 1) return only;
  const kind = sae ? 'SAE' : 'transcoder';
  throw new LimnError(
    'usage/dictionary-layer',
    `${folder} has ${found.length === 0 ? `no ${kind}` : `${found.length} ${kind}s`} of layer ${layer}`,
    { details: { layer, layers: places.map((place) => place.layer) } },
  );
}
