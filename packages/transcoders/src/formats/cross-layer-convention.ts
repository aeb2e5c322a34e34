// Which convention a cross-layer transcoder was trained under, measured as one dictionary: what all its layers together leave unexplained under each.
import { LimnError, type Gpu } from '@limn/gpu';
import { fromData, readFloats, type Tensor } from '@limn/tensor';
import { layerConfig } from '../cross-layer/cross-layer-config.js';
import { CrossLayerDictionary } from '../cross-layer/cross-layer-dictionary.js';
import {
  fvuOf,
  reportOf,
  required,
  spreadOf,
  type ConventionFit,
  type ConventionMargins,
  type ConventionReport,
} from './convention.js';
import type { CrossLayerSet, StoredCrossLayer } from './cross-layer-set.js';
import { lessRowMeans, readWithGain, type Gain } from './orientation.js';
import type { DictionaryConvention } from './stored-dictionary.js';

/** Activations of the model as it is published, at every layer; rows of first tokens left out. */
export interface CrossLayerConventionRows {
  /** Whether the texts began with a token of their own. */
  readonly bos: boolean;
  /** What each layer reads, [N, d]. */
  readonly x: readonly Float32Array[];
  /** What each MLP wrote, [N, d]. */
  readonly y: readonly Float32Array[];
}

/** How to check. */
export interface CrossLayerConventionOptions extends ConventionMargins {
  /** γ and β of the LayerNorm before each MLP. Without them only those that read what it made are candidates. */
  readonly gains?: readonly Gain[] | undefined;
  /** What is expected; by default what the provenance says. */
  readonly expects?: Partial<DictionaryConvention> | undefined;
}

/**
 * Measures a cross-layer transcoder under every candidate, as `checkConvention` measures a dictionary, with the FVU of all layers together, and
 * refuses one whose convention is not the expected one. Its numbers are on the GPU once for each candidate of γ.
 * @throws LimnError `data/dictionary-convention` with the FVU of every candidate; `usage/dictionary-convention` for rows of other layers or
 * widths; `data/dictionary-gain`; as `CrossLayerDictionary.read`
 */
export async function requireCrossLayerConvention(
  gpu: Gpu,
  set: StoredCrossLayer,
  rowSets: readonly CrossLayerConventionRows[],
  options: CrossLayerConventionOptions = {},
): Promise<ConventionReport> {
  const { config, provenance } = set;
  const { gains, expects = provenance.expects } = options;
  checkRows(set, rowSets, gains);
  const canFold = gains !== undefined && config.input === 'ln2.hook_normalized';
  const candidates: ConventionFit[] = [];
  for (const gain of canFold ? (['kept', 'folded'] as const) : (['kept'] as const)) {
    using dictionary = await CrossLayerDictionary.read(gpu, conformedAcross(set, { gain }, gains));
    for (const { bos, x, y } of rowSets) {
      const predicted = await decoded(gpu, dictionary, x);
      for (const output of ['plain', 'centred'] as const) {
        const spreads = y.map((rows, l) =>
          spreadOf(
            output === 'centred' ? lessRowMeans(rows, config.width) : rows,
            predicted[l] as Float32Array,
            config.width,
          ),
        );
        candidates.push({ gain, output, preBias: 'none', bos, fvu: fvuOf(spreads) });
      }
    }
  }
  return required(reportOf(candidates, expects, options), provenance, options);
}

/**
 * The same transcoder for a model as it is published: of one that reads x̂, with γ and β of each layer in its encoder.
 * @throws LimnError `usage/dictionary-convention` where γ is needed and not given; its `read`: `data/dictionary-gain`
 */
export function conformedAcross(
  { config, read }: CrossLayerSet,
  { gain }: Pick<DictionaryConvention, 'gain'>,
  gains: readonly Gain[] | undefined,
): CrossLayerSet {
  if (gain === 'kept' || config.input !== 'ln2.hook_normalized') return { config, read };
  if (gains === undefined)
    throw new LimnError(
      'usage/dictionary-convention',
      "A cross-layer transcoder that reads x̂ needs each LayerNorm's γ and β to read what it made.",
      { hint: "Give gains: ln_2's weight and bias of every layer." },
    );
  return {
    config,
    read: async (layer) => {
      const own = await read(layer);
      const { wEnc, bEnc } = readWithGain(layerConfig(config, layer), own, gains[layer] as Gain);
      return { ...own, wEnc, bEnc };
    },
  };
}

async function decoded(
  gpu: Gpu,
  dictionary: CrossLayerDictionary,
  x: readonly Float32Array[],
): Promise<Float32Array[]> {
  const { width } = dictionary.config;
  using step = gpu.step({ label: 'convention' });
  const rows = x.map((each): Tensor => fromData(step, each, [each.length / width, width]));
  return Promise.all(dictionary.apply(step, rows).map((y) => readFloats(step, y)));
}

function checkRows(
  { config: { layers, width } }: CrossLayerSet,
  rowSets: readonly CrossLayerConventionRows[],
  gains: readonly Gain[] | undefined,
): void {
  const sound = rowSets.every(({ x, y }) => {
    const length = x[0]?.length ?? 0;
    const all = [...x, ...y];
    return (
      x.length === layers &&
      y.length === layers &&
      length > 0 &&
      length % width === 0 &&
      all.every((each) => each.length === length)
    );
  });
  if (rowSets.length > 0 && sound && (gains === undefined || gains.length === layers)) return;
  throw new LimnError(
    'usage/dictionary-convention',
    `A cross-layer transcoder is measured on rows [N, ${width}] of all ${layers} layers, as many of x as of y, and of γ.`,
    { details: { sets: rowSets.length, layers, width }, hint: 'Give x and y of some hundred positions.' },
  );
}
