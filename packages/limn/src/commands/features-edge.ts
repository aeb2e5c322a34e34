// `limn features edge`: an edge of a circuit that `limn circuit` found, opened into the features of the MLP at one of its ends.
import { metricByName, scoreAt, type GradientMethodOptions } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { CircuitRecord } from '@limn/report';
import type { Command } from 'commander';
import { named } from '../circuit-request.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openSet } from '../dictionary-set.js';
import { openGivenModel } from '../given-model.js';
import { pairsOf, readGraph, type NamedGraph } from '../graph-source.js';
import { chooseMethod, IG_VARIANTS, nodeMethod, type CircuitMethod, type MethodChoice } from '../methods.js';
import type { OpenModel } from '../model-source.js';
import { openEdge, type EdgeSide, type OpenedEdge } from '../opened-edge.js';
import { prependBosOf } from '../pairs-source.js';
import { pairsSha256 } from '../pairs-sha256.js';
import { provenanceOf } from '../provenance.js';
import { ablationOf } from '../scoring.js';
import { labelsOf, transcodersOf } from '../set-transcoders.js';
import { bytesOption, integerOption, nameOption } from '../shared-options.js';
import { weightsOnly, withSetOptions, type SetOptions } from './features-options.js';

const SIDES = ['source', 'destination'] as const satisfies readonly EdgeSide[];

interface FeaturesEdgeOptions extends SetOptions {
  readonly circuit: string;
  readonly edge: string;
  readonly side?: EdgeSide;
  readonly top: number;
  readonly memory?: number;
}

export function addFeaturesEdgeCommand(features: Command, context: CommandContext): void {
  withSetOptions(features.command('edge'))
    .description('which features of an MLP carry the score of an edge that starts or ends at it')
    .requiredOption('--circuit <dir>', 'a folder that `limn circuit` wrote, or its graph.json')
    .requiredOption('--edge <name>', 'for example m1->logits or a0.h1->m1')
    .option(
      '--side <name>',
      `of an edge between two MLPs, whose features: ${SIDES.join(' or ')} (default: the source’s, if it is an MLP)`,
      nameOption('--side', 'side', SIDES),
    )
    .option('--top <n>', 'features to name', integerOption('--top', 1), 20)
    .option('--memory <size>', 'GPU memory for intermediate values (default: 512MiB)', bytesOption('--memory'))
    .action((options: FeaturesEdgeOptions) => run(options, context));
}

async function run(options: FeaturesEdgeOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  const found = await readGraph(options.circuit, { console });
  const { graph, scores } = found.parsed;
  const { u, v } = graph.parseEdge(options.edge);
  const { method, record } = methodOf(found);
  const side = options.side ?? (graph.nodes[u]?.kind === 'mlp' ? 'source' : 'destination');
  const end = side === 'source' ? graph.nodes[u] : graph.slots[v];
  if (end?.kind !== 'mlp')
    throw new LimnError('usage/edge-side', `the ${side} of ${options.edge} is no MLP`, {
      hint: 'open edges such as m1->logits at their source and a0.h1->m1 at their destination',
    });
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, weightsOnly(options), context);
  expectModel(found, record, model);
  using set = await openSet(model, options.transcoders, [end.layer]);
  const [dictionary] = transcodersOf(set);
  if (dictionary === undefined)
    throw new LimnError('usage/dictionary-layer', `${set.folder} has no transcoder of layer ${end.layer}`);
  const { sets } = await pairsOf(found, { info: model.hooked.info, tokenizer: model.tokenizer });
  const metric = metricByName(record.metric.name);
  const request = { model: model.hooked, sets, metric: record.metric.name as 'kl', method, signal };
  const ablation = await ablationOf({ ...request, onProgress: console.progress });
  try {
    const opened = await openEdge(model.hooked, sets.discovery, options.edge, dictionary, {
      ...gradientsOf(method),
      side,
      metric,
      ablation,
      signal,
      memoryBytes: options.memory,
      onProgress: named('edge', console.progress),
    });
    const label = await labelsOf(options.transcoders, [dictionary]);
    const inFile = scoreAt(scores, u, v);
    const shown = strongest(opened, options.top);
    signal.throwIfAborted();
    for (const line of describe(opened, shown, end.layer, inFile, label)) console.say(line);
    console.result({
      ok: true,
      command: 'features edge',
      ...opened,
      features: shown.map(({ feature, share }) => ({
        layer: end.layer,
        feature,
        share,
        label: label(end.layer, feature),
      })),
      carrying: opened.features.reduce((n, share) => (share === 0 ? n : n + 1), 0),
      inFile: Number.isFinite(inFile) ? inFile : null,
      provenance: provenanceOf(device.gpu, model, context, {
        seed: null,
        prompts: sets.discovery.map(({ clean }) => clean),
        prependBos: prependBosOf(sets),
        pairsSha256: await pairsSha256(sets),
        options: {
          transcoders: options.transcoders,
          circuit: options.circuit,
          edge: options.edge,
          side,
          method: method.name,
          metric: metric.name,
          ablation: method.ablation,
        },
      }),
    });
  } finally {
    if (typeof ablation === 'object') ablation.dispose();
  }
}

/** How the circuit was scored. @throws LimnError `data/graph-pairs` where nothing says so, `usage/edge-method` for scores that are no product with a gradient */
function methodOf({ name, file, record }: NamedGraph): {
  readonly method: MethodChoice;
  readonly record: CircuitRecord;
} {
  if (record === undefined)
    throw new LimnError('data/graph-pairs', `${name}: no record beside ${file} says how it was scored`, {
      details: { file },
      hint: 'give a folder that `limn circuit` wrote',
    });
  const { igSteps, igRule, ablation } = record.method;
  const igVariant = IG_VARIANTS.find((each) => each === record.provenance.options['igVariant']);
  const method = chooseMethod(record.method.name as CircuitMethod, { igSteps, igRule, igVariant, ablation });
  try {
    nodeMethod(method.name);
  } catch (cause) {
    throw new LimnError(
      'usage/edge-method',
      `the scores of ${file} are of ${method.name}, and no product with a gradient`,
      {
        cause,
        details: { file, method: method.name },
        hint: 'edges scored by eap, eap-ig-inputs, eap-ig-activations or clean-corrupted can be opened',
      },
    );
  }
  return { method, record };
}

const gradientsOf = ({ name, igSteps, igRule, igVariant }: MethodChoice): GradientMethodOptions => ({
  method: nodeMethod(name),
  ...(igSteps === undefined ? {} : { steps: igSteps }),
  ...(igRule === undefined ? {} : { rule: igRule }),
  ...(igVariant === undefined ? {} : { variant: igVariant }),
});

/** @throws LimnError `data/graph-mismatch` for other weights, and for the same ones processed or with MLPs replaced otherwise */
function expectModel({ file }: NamedGraph, { provenance }: CircuitRecord, { hooked: { info }, name }: OpenModel): void {
  const { name: own, weightsSha256: scored, weightProcessing: processed } = provenance.model;
  const given = info.fingerprint;
  if (scored !== given)
    throw new LimnError(
      'data/graph-mismatch',
      `${file} was scored on other weights than those of ${name}: ${scored.slice(0, 12)}… instead of ${given.slice(0, 12)}…`,
      { details: { file, scored, given }, hint: `open the model that it was scored on, ${own}` },
    );
  if (processed === info.processing) return;
  throw new LimnError(
    'data/graph-mismatch',
    `${file} was scored on weights otherwise processed than those of ${name} here: ${processed} instead of ${info.processing}`,
    {
      details: { file, scored: processed, given: info.processing },
      hint: 'give --weights and --processing as the circuit had them; a circuit scored with --transcoders in the place of MLPs cannot be opened, score it without',
    },
  );
}

const strongest = ({ features }: OpenedEdge, most: number): { readonly feature: number; readonly share: number }[] =>
  Array.from(features, (share, feature) => ({ feature, share }))
    .filter(({ share }) => share !== 0)
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share))
    .slice(0, most);

function describe(
  { edge, side, score, features, error, skip, constant, residual }: OpenedEdge,
  shown: readonly { readonly feature: number; readonly share: number }[],
  layer: number,
  inFile: number,
  label: (layer: number, feature: number) => string,
): string[] {
  const signed = (value: number): string => value.toExponential(3).padStart(11);
  const all = features.reduce((sum, share) => sum + share, 0);
  return [
    `${edge}: ${score.toExponential(4)}${Number.isFinite(inFile) ? `, in the file ${inFile.toExponential(4)}` : ''}; opened at its ${side}`,
    `${signed(all)}  ${features.reduce((n, share) => (share === 0 ? n : n + 1), 0)} features`,
    `${signed(error)}  what they do not say of the MLP`,
    ...(skip === 0 ? [] : [`${signed(skip)}  the skip connection`]),
    ...(constant === 0 ? [] : [`${signed(constant)}  what the ablation puts there, less the bias`]),
    `the parts sum to the score within ${Math.abs(residual).toExponential(1)}`,
    ...shown.map(({ feature, share }) =>
      `${signed(share)}  tc${layer}[${feature}]  ${label(layer, feature)}`.trimEnd(),
    ),
  ];
}
