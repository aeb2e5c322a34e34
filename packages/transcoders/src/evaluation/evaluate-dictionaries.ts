// How good dictionaries are: L0, FVU, dead features, and what the model's predictions lose with them in its MLPs' place, beside ablations and neurons.
import { LimnError } from '@limn/gpu';
import { ablate, blockHook, settleControls, type Extent, type HookedModel, type RunControls } from '@limn/hooks';
import { persistent, type Tensor } from '@limn/tensor';
import { checkCrossLayerFits } from '../cross-layer/cross-layer-config.js';
import type { CrossLayerDictionary } from '../cross-layer/cross-layer-dictionary.js';
import { checkFits } from '../dictionary-config.js';
import type { Dictionary } from '../dictionary.js';
import { fidelityOf, replacementFigures, type Ablations, type ReplacementFigures } from './fidelity.js';
import { firingFigures, type FiringFigures } from './firing.js';
import { meanRows } from './mean-rows.js';
import { measureCases, type Case, type CaseSums } from './measure-cases.js';
import { TopNeurons, type NeuronBaseline } from './neurons.js';

/** A dictionary by a name of its own. */
export interface NamedDictionary {
  readonly name: string;
  readonly dictionary: Dictionary;
}

/** Several dictionaries in their MLPs' places at once. */
export interface JointReplacement {
  readonly name: string;
  /** Names of dictionaries, one a layer. */
  readonly dictionaries: readonly string[];
}

/** A cross-layer transcoder by a name of its own: one replacement of all MLPs. */
export interface NamedCrossLayer {
  readonly name: string;
  readonly dictionary: CrossLayerDictionary;
}

/** What is measured besides the dictionaries one by one. */
export interface EvaluateOptions extends RunControls {
  /** Positions at the start of every sequence where nothing is replaced or measured, as in training. Default 0. */
  readonly skip?: number | undefined;
  readonly together?: readonly JointReplacement[] | undefined;
  readonly neurons?: readonly NeuronBaseline[] | undefined;
  readonly crossLayer?: readonly NamedCrossLayer[] | undefined;
}

/** One MLP rebuilt. */
export interface RebuiltFigures extends ReplacementFigures {
  /** Σ ‖y − ŷ‖² / Σ ‖y − ȳ‖², ȳ the mean over all tokens. */
  readonly fvu: number;
}

/** Of one dictionary. */
export interface DictionaryFigures extends RebuiltFigures, FiringFigures {
  readonly name: string;
  readonly layer: number;
}

/** Of an MLP with its k largest neurons. */
export interface NeuronFigures extends RebuiltFigures, NeuronBaseline {
  /** k: of the neurons kept, those at exactly 0 count too. */
  readonly l0: number;
}

/** Of several dictionaries at once. */
export interface JointFigures extends ReplacementFigures {
  readonly name: string;
  readonly ablations: Ablations;
}

/**
 * One layer of a cross-layer transcoder, by what the original model reads there and before, without the errors of other layers: L0, FVU, and
 * what predictions lose where it stands in this layer's MLP's place alone.
 */
export interface CrossLayerLayerFigures extends RebuiltFigures, FiringFigures {
  readonly layer: number;
}

/** Of a cross-layer transcoder in the place of all MLPs at once. */
export interface CrossLayerFigures extends JointFigures {
  readonly layers: readonly CrossLayerLayerFigures[];
}

/** All of it. */
export interface DictionaryEvaluation {
  /** Tokens with a next one, over which losses are means, and tokens at positions ≥ skip, over which features are counted. */
  readonly predictions: number;
  readonly tokens: number;
  /** Mean cross-entropy of the untouched model in nats. */
  readonly loss: number;
  /** By layer, of those that anything was measured in: what its MLP is worth. */
  readonly layers: readonly Ablations[];
  readonly dictionaries: readonly DictionaryFigures[];
  readonly neurons: readonly NeuronFigures[];
  readonly together: readonly JointFigures[];
  readonly crossLayer: readonly CrossLayerFigures[];
}

/**
 * Measures dictionaries on sequences. Two passes: means, then the original and every replacement on each batch, all sums in float64 and
 * in a fixed order, so that the same call gives the same bits.
 * @throws LimnError `data/dictionary-model`, `data/dictionary-empty` for sequences without a next token, `usage/dictionary-names` for names
 * that are taken twice or unknown and for two dictionaries of one layer together, `usage/dictionary-neurons`, `usage/batch-size`,
 * `usage/memory`, `tokens/…`, `memory/over-budget`; AbortedError
 */
export async function evaluateDictionaries(
  model: HookedModel,
  sequences: readonly ArrayLike<number>[],
  dictionaries: readonly NamedDictionary[],
  options: EvaluateOptions = {},
): Promise<DictionaryEvaluation> {
  const { skip = 0, together = [], neurons = [], crossLayer = [] } = options;
  const controls = { ...options, ...settleControls(options) };
  for (const { dictionary } of dictionaries) checkFits(dictionary.config, model.info);
  for (const { dictionary } of crossLayer) checkCrossLayerFits(dictionary.config, model.info);
  const joint = together.map((each) => ({ ...each, members: membersOf(each, dictionaries) }));
  if (!sequences.some(({ length }) => length > Math.max(1, skip)))
    throw new LimnError('data/dictionary-empty', 'No sequence has a token to replace and a next one to predict.', {
      details: { sequences: sequences.length, skip },
      hint: 'Give sequences of at least two tokens, and longer than skip.',
    });
  const usable = sequences.filter(({ length }) => length > Math.max(1, skip));

  const layers = [
    ...new Set([
      ...dictionaries.map(({ dictionary }) => dictionary.config.layer),
      ...neurons.map(({ layer }) => layer),
      ...crossLayer.flatMap(({ dictionary }) => layersAcross(dictionary)),
    ]),
  ].sort((a, b) => a - b);
  if (layers.length === 0)
    throw new LimnError('data/dictionary-empty', 'There is nothing to evaluate.', {
      hint: 'Give dictionaries, neurons or a cross-layer transcoder.',
    });
  const atMean = neurons.filter(({ rest }) => rest === 'mean').map(({ layer }) => blockHook(layer, 'mlp.hook_post'));
  const found = await meanRows(
    model,
    usable,
    [...layers.map((layer) => blockHook(layer, 'hook_mlp_out')), ...new Set(atMean)],
    { ...controls, skip, onProgress: undefined },
  );
  const resources: Disposable[] = [];
  try {
    const means = new Map<number, Tensor>();
    for (const layer of layers) {
      const values = found.get(blockHook(layer, 'hook_mlp_out')) as Float32Array;
      const mean = persistent(model.gpu, [values.length], values, { label: `mean MLP output of layer ${layer}` });
      resources.push({ [Symbol.dispose]: () => mean.dispose() });
      means.set(layer, mean);
    }
    const restrictions: TopNeurons[] = [];
    for (const baseline of neurons) {
      const own = await TopNeurons.create(model, baseline, found.get(blockHook(baseline.layer, 'mlp.hook_post')));
      resources.push(own);
      restrictions.push(own);
    }

    const extent: Extent =
      skip === 0 ? {} : { positions: Array.from({ length: model.info.maxPositions - skip }, (_, i) => skip + i) };
    /** The sets of layers that are ablated: each alone, then those of the joint replacements. */
    const ablated = [
      ...layers.map((layer) => [layer]),
      ...joint.map(({ members }) => layersOf(members)),
      ...crossLayer.map(({ dictionary }) => layersAcross(dictionary)),
    ];
    const ablationCases = ablated.flatMap((set): Case[] =>
      [(layer: number) => means.get(layer) as Tensor, () => 'zero' as const].map((to) => ({
        firstLayer: Math.min(...set),
        interventions: set.map((layer) => ablate(blockHook(layer, 'hook_mlp_out'), to(layer), extent)),
      })),
    );
    const cases: Case[] = [
      ...ablationCases,
      ...dictionaries.map(({ dictionary }) => ({
        firstLayer: dictionary.config.layer,
        interventions: [dictionary.replacement(extent)],
        rebuilds: [dictionary.config.layer],
        counts: [dictionary],
      })),
      ...restrictions.map((restriction) => ({
        firstLayer: restriction.baseline.layer,
        interventions: [restriction.restriction(extent)],
        rebuilds: [restriction.baseline.layer],
      })),
      ...joint.map(({ members }) => ({
        firstLayer: Math.min(...layersOf(members)),
        interventions: members.map((dictionary) => dictionary.replacement(extent)),
      })),
      ...crossLayer.flatMap(({ dictionary }) =>
        dictionary.replacement(extent).map((own): Case => ({ firstLayer: 0, interventions: [own] })),
      ),
      ...crossLayer.map(({ dictionary }): Case => ({
        firstLayer: 0,
        interventions: dictionary.replacement(extent),
        rebuilds: layersAcross(dictionary),
        rebuild: (step, rowsAt) =>
          dictionary.apply(
            step,
            dictionary.encoders.map(({ reads }) => rowsAt(reads)),
          ),
        counts: dictionary.encoders,
      })),
    ];
    const measured = await measureCases(model, usable, cases, { ...controls, skip, means });
    const { predictions, tokens, variance } = measured;
    const loss = measured.original.loss / predictions;
    const all = [...measured.cases];
    const take = (count: number): CaseSums[] => all.splice(0, count);
    const ofAblations = take(2 * ablated.length);
    const ablations = ablated.map((set, i): Ablations => {
      const [mean, zero] = [0, 1].map((which) => fidelityOf(ofAblations[2 * i + which] as CaseSums, predictions));
      return {
        layers: set,
        mean: mean as Ablations['mean'],
        zero: zero as Ablations['zero'],
        cost: (mean as Ablations['mean']).loss - loss,
      };
    });
    const fvuOf = ({ residuals }: CaseSums, i: number, layer: number): number =>
      (residuals[i] as number) / (variance.get(layer) as number);
    const alone = (sums: CaseSums, layer: number): ReplacementFigures =>
      replacementFigures(fidelityOf(sums, predictions), ablations[layers.indexOf(layer)] as Ablations, loss);
    const rebuilt = (sums: CaseSums, layer: number): RebuiltFigures => ({
      ...alone(sums, layer),
      fvu: fvuOf(sums, 0, layer),
    });
    /** Of the i-th of the joint replacements and the cross-layer transcoders behind them. */
    const jointly = (name: string, sums: CaseSums, i: number): JointFigures => {
      const of = ablations[layers.length + i] as Ablations;
      return { name, ...replacementFigures(fidelityOf(sums, predictions), of, loss), ablations: of };
    };
    const firingsOf = ({ fired }: CaseSums, i: number): FiringFigures =>
      firingFigures(fired[i] as Float64Array, tokens);
    const dictionaryFigures = take(dictionaries.length).map((sums, i): DictionaryFigures => {
      const { name, dictionary } = dictionaries[i] as NamedDictionary;
      const { layer } = dictionary.config;
      return { name, layer, ...rebuilt(sums, layer), ...firingsOf(sums, 0) };
    });
    const neuronFigures = take(neurons.length).map((sums, i): NeuronFigures => {
      const baseline = neurons[i] as NeuronBaseline;
      return { ...baseline, ...rebuilt(sums, baseline.layer), l0: baseline.k };
    });
    const jointFigures = take(joint.length).map((sums, i) => jointly((joint[i] as JointReplacement).name, sums, i));
    const eachAlone = crossLayer.map(({ dictionary }) => take(dictionary.config.layers));
    const crossLayerFigures = take(crossLayer.length).map((sums, i): CrossLayerFigures => {
      const { name, dictionary } = crossLayer[i] as NamedCrossLayer;
      return {
        ...jointly(name, sums, joint.length + i),
        layers: layersAcross(dictionary).map((layer) => ({
          layer,
          ...alone(eachAlone[i]?.[layer] as CaseSums, layer),
          fvu: fvuOf(sums, layer, layer),
          ...firingsOf(sums, layer),
        })),
      };
    });
    return {
      predictions,
      tokens,
      loss,
      layers: ablations.slice(0, layers.length),
      dictionaries: dictionaryFigures,
      neurons: neuronFigures,
      together: jointFigures,
      crossLayer: crossLayerFigures,
    };
  } finally {
    for (const resource of resources) resource[Symbol.dispose]();
  }
}

const layersAcross = ({ encoders }: CrossLayerDictionary): number[] => [...encoders.keys()];
const layersOf = (dictionaries: readonly Dictionary[]): number[] => dictionaries.map(({ config }) => config.layer);

/** The dictionaries that a joint replacement names. @throws LimnError `usage/dictionary-names` */
function membersOf({ name, dictionaries: wanted }: JointReplacement, all: readonly NamedDictionary[]): Dictionary[] {
  const names = all.map((each) => each.name);
  const twice = names.find((each, i) => names.indexOf(each) < i);
  const unknown = wanted.find((each) => !names.includes(each));
  const members = all.filter((each) => wanted.includes(each.name)).map(({ dictionary }) => dictionary);
  const shared = new Set(layersOf(members)).size < members.length;
  if (twice === undefined && unknown === undefined && !shared && members.length > 0) return members;
  throw new LimnError(
    'usage/dictionary-names',
    twice !== undefined
      ? `Two dictionaries are called ${twice}.`
      : unknown !== undefined
        ? `${name} names ${unknown}, which is no dictionary here.`
        : `${name} has ${members.length === 0 ? 'no dictionaries' : 'two dictionaries of one layer'}.`,
    { details: { name, wanted, names }, hint: 'Give every dictionary a name of its own, and one a layer together.' },
  );
}
