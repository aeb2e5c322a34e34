// One update of a cross-layer transcoder, recorded: Σ_l ‖ŷ_l − y_l‖² and every term over the features of all layers, one loss for all of it.
import { LimnError, type Step } from '@limn/gpu';
import {
  activeCounts,
  add,
  concat,
  detach,
  div,
  mul,
  scale,
  sparseDecode,
  sub,
  sumAll,
  type SparseCodes,
  type Tensor,
} from '@limn/tensor';
import { checkLoss, type DictionaryLoss } from '../losses/dictionary-loss.js';
import { activationsToTrain, type FeatureEncoder } from '../encoder.js';
import { deadSelection, filledShare, preActivationSum, type DeadFeatures } from '../losses/dead-features.js';
import { reconstructionLoss, rowErrors, rowWeights, totalVariance, unexplained } from '../losses/reconstruction.js';
import { sparsitySum } from '../losses/sparsity.js';
import { partsOf, rowRange, rowsPerBinding } from '../row-parts.js';
import { addShares, stepShare, type DictionaryLossParts, type LossTerm, type StepShare } from '../step-shares.js';
import { firedRows, type DictionaryTrainingState } from '../training-state.js';
import { DEAD_AFTER, type DictionaryStepSettings } from '../training-step.js';
import { layerConfig, trainedCrossLayerNames, type CrossLayerTensorName } from './cross-layer-config.js';
import type { CrossLayerDictionary } from './cross-layer-dictionary.js';

/** Rows of the same tokens at every layer: what is read there, and what its MLP made of it; [N, d] each, by layer. */
export interface CrossLayerBatch {
  readonly x: readonly Tensor[];
  readonly y: readonly Tensor[];
}

/**
 * How an update is made. Each term of the loss is its sum over layers; ‖d_i‖ is the length of all that a feature writes, at all layers
 * together; AuxK rebuilds each layer's residual from the dead features of that layer and those before it, and is taken min(dead / (L·k_aux), 1) times.
 */
export type CrossLayerStepSettings = Omit<DictionaryStepSettings, 'unitDecoder'>;

/** An update, recorded: read it, and take the optimiser's step, in the same step. */
export interface RecordedCrossLayerStep {
  /** What the gradients are of, [1]. */
  readonly loss: Tensor;
  readonly parts: DictionaryLossParts;
  /** Features of each layer that fire for a row, on average, [L]. */
  readonly l0: Tensor;
  /** Σ‖e‖² / Σ‖y − ȳ‖² of the batch at each layer, [L]. */
  readonly fvu: Tensor;
  /** Features of each layer that were dead before this step, [L]. */
  readonly dead: Tensor;
  /** In how many rows each feature fired, [F] by layer. */
  readonly fired: readonly Tensor[];
  /** Of each of `trainedCrossLayerNames`, in that order, shaped as the parameter. */
  readonly gradients: ReadonlyMap<CrossLayerTensorName, Tensor>;
}

/** A layer's place in the batch. */
interface LayerSetting {
  /** Σ‖y − ȳ‖² of the whole batch, [1]. */
  readonly variance: Tensor;
  readonly dead: DeadFeatures;
  readonly state: DictionaryTrainingState;
}

/** What every part of a batch is measured with. */
interface Setting {
  readonly dictionary: CrossLayerDictionary;
  readonly loss: DictionaryLoss;
  /** Rows of the whole batch. */
  readonly rows: number;
  readonly layers: readonly LayerSetting[];
  /** Whether a feature can be dead by now. */
  readonly anyDead: boolean;
}

/** Rows of a part at one layer. */
interface LayerRows {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly weights: Tensor;
}

/**
 * Records the loss and gradients of one update and counts which features fired; the optimiser's step is the caller's. In place: the
 * counters of `states`, one for each layer, and log θ of `batch-top-k`.
 * @throws LimnError `usage/dictionary-loss` for a loss that this activation has not got; `usage/dictionary-batch` for rows or states that do
 * not fit
 */
export function recordCrossLayerStep(
  step: Step,
  dictionary: CrossLayerDictionary,
  batch: CrossLayerBatch,
  settings: CrossLayerStepSettings,
  states: readonly DictionaryTrainingState[],
): RecordedCrossLayerStep {
  const { config } = dictionary;
  const { loss, deadAfter = DEAD_AFTER } = settings;
  checkLoss(layerConfig(config, 0), loss);
  const rows = checkedRows(dictionary, batch, settings, states);
  const layers = states.map((state, l): LayerSetting & { readonly weights: Tensor } => {
    const y = batch.y[l] as Tensor;
    const variance = totalVariance(step, y);
    const weights = rowWeights(step, y, loss.reconstruction, variance);
    return { variance, weights, dead: state.dead(step, deadAfter), state };
  });
  const anyDead = (states[0] as DictionaryTrainingState).rows >= deadAfter;
  const setting = { dictionary, loss, rows, layers, anyDead };
  const share = partsOf(rows, rowsAtOnce(dictionary, settings))
    .map(([start, count]): StepShare => {
      const part = (of: Tensor): Tensor => rowRange(step, of, start, count);
      const at = layers.map(({ weights }, l): LayerRows => ({
        x: part(batch.x[l] as Tensor),
        y: part(batch.y[l] as Tensor),
        weights: part(weights),
      }));
      return recordPart(step, setting, at);
    })
    .reduce((a, b) => addShares(step, a, b));
  for (const [l, state] of states.entries()) state.count(step, share.fired[l] as Tensor, rows);
  const names = trainedCrossLayerNames(config);
  const counts = share.fired.map((fired) => sumAll(step, fired));
  return {
    loss: share.loss,
    parts: share.parts,
    l0: scale(step, concat(step, counts, 0), 1 / rows),
    fvu: share.fvu,
    dead: concat(
      step,
      layers.map(({ dead }) => dead.count),
      0,
    ),
    fired: share.fired,
    gradients: new Map(names.map((name, i) => [name, share.slopes[i] as Tensor])),
  };
}

/** Loss and gradients of some rows, as shares of the whole batch's. */
function recordPart(step: Step, setting: Setting, rowsOf: readonly LayerRows[]): StepShare {
  const { dictionary, loss, rows, layers, anyDead } = setting;
  const { config, parameters } = dictionary;
  const { activation } = config;
  const total = (values: readonly Tensor[]): Tensor => values.reduce((sum, value) => add(step, sum, value));
  const { sparsity, preActivation, auxiliary } = loss;
  const made = rowsOf.map(({ x }, i) => {
    const { dead } = layers[i] as LayerSetting;
    const revives = auxiliary && anyDead ? deadSelection(config.features, auxiliary.features, dead) : undefined;
    return activationsToTrain(step, dictionary.encoders[i] as FeatureEncoder, x, revives);
  });
  const encoded = made.map(({ fires }) => fires);
  const revived = made.flatMap(({ revived: codes }) => (codes ? [codes] : []));
  const yHats = rowsOf.map((_, l) => dictionary.decode(step, l, encoded));
  const errors = rowsOf.map(({ y }, l) => rowErrors(step, yHats[l] as Tensor, y));
  const terms: LossTerm[] = [];
  const perFeature = (
    name: LossTerm['name'],
    weight: number,
    sumOf: (h: Tensor, a: Tensor, i: number) => Tensor,
  ): void => {
    const sums = encoded.flatMap(({ h, a }, i) => (h ? [sumOf(h, a, i)] : []));
    terms.push({ name, value: scale(step, total(sums), 1 / rows), weight });
  };
  const thresholdOf = (i: number): Tensor | undefined => parameters.get(`logThreshold.${i}`);
  if (sparsity)
    perFeature('sparsity', sparsity.weight, (h, a, i) => {
      const logThreshold = thresholdOf(i);
      const jump = activation.kind === 'jump-relu' && logThreshold ? { jump: { logThreshold, ...activation } } : {};
      return sparsitySum(step, sparsity, { h, a, decoders: dictionary.decoders(i), ...jump });
    });
  if (preActivation && anyDead)
    perFeature('preActivation', preActivation.weight, (h, _, i) =>
      preActivationSum(step, h, (layers[i] as LayerSetting).dead.weight, dictionary.decoders(i), thresholdOf(i)),
    );
  if (auxiliary && revived.length > 0) {
    const value = auxiliaryLoss(step, setting, revived, rowsOf, yHats, auxiliary.features);
    terms.push({ name: 'auxiliary', value, weight: auxiliary.weight });
  }
  if (activation.kind === 'batch-top-k')
    for (const [i, { codes }] of encoded.entries())
      if (codes) (layers[i] as LayerSetting).state.average(step, codes.values, thresholdOf(i) as Tensor);
  return stepShare(step, {
    reconstruction: total(rowsOf.map(({ weights }, l) => reconstructionLoss(step, errors[l] as Tensor, weights))),
    terms,
    fvu: concat(
      step,
      errors.map((each, l) => unexplained(step, each, (layers[l] as LayerSetting).variance)),
      0,
    ),
    fired: encoded.map(({ codes, a }) => (codes ? activeCounts(step, codes) : firedRows(step, a))),
    targets: trainedCrossLayerNames(config).map((name) => parameters.get(name) as Tensor),
  });
}

/**
 * min(dead / (L·k_aux), 1) · Σ_l (Σ ‖ê_l − e_l‖² / Σ ‖y_l − ȳ_l‖²) as [1], on the tape: e_l = y_l − ŷ_l is taken as given,
 * ê_l = Σ_{i ≤ l} a_aux,i·W_dec,i→l with the codes of the k_aux largest positive dead pre-activations of each row, by layer.
 */
function auxiliaryLoss(
  step: Step,
  { dictionary, layers }: Setting,
  codes: readonly SparseCodes[],
  rowsOf: readonly LayerRows[],
  yHats: readonly Tensor[],
  most: number,
): Tensor {
  const unexplainedBy = rowsOf.map(({ y }, l) => {
    const rebuilt = codes
      .slice(0, l + 1)
      .map((each, i) => sparseDecode(step, each, dictionary.decoder(i, l)))
      .reduce((sum, part) => add(step, sum, part));
    const off = rowErrors(step, rebuilt, sub(step, y, detach(yHats[l] as Tensor)));
    return div(step, sumAll(step, off), (layers[l] as LayerSetting).variance);
  });
  const dead = layers.map(({ dead: { count } }) => count).reduce((sum, count) => add(step, sum, count));
  const share = filledShare(step, dead, most * layers.length);
  return mul(
    step,
    unexplainedBy.reduce((sum, part) => add(step, sum, part)),
    share,
  );
}

/** All layers' activations at a time are as many as one binding takes; codes need no parts, and BatchTopK selects from the whole batch. */
function rowsAtOnce({ gpu, config }: CrossLayerDictionary, settings: CrossLayerStepSettings): number {
  if (config.activation.kind === 'top-k' || config.activation.kind === 'batch-top-k') return Infinity;
  return settings.rowsAtOnce ?? rowsPerBinding(gpu, config.features * config.layers);
}

/** N, once everything that was given has been looked at. */
function checkedRows(
  { config: { layers, width } }: CrossLayerDictionary,
  { x, y }: CrossLayerBatch,
  { rowsAtOnce: atOnce = 1, deadAfter = DEAD_AFTER }: CrossLayerStepSettings,
  states: readonly DictionaryTrainingState[],
): number {
  const rows = x[0]?.shape[0] ?? 0;
  const odd = [...x, ...y].find(({ shape }) => shape.length !== 2 || shape[0] !== rows || shape[1] !== width);
  const problem =
    x.length !== layers || y.length !== layers || states.length !== layers
      ? `there are x of ${x.length} layers, y of ${y.length} and ${states.length} states, but the transcoder has ${layers} layers`
      : odd
        ? `[${odd.shape.join(', ')}] is not [${rows}, ${width}]`
        : !Number.isSafeInteger(atOnce) || atOnce < 1
          ? `rowsAtOnce is ${atOnce}, not a whole number of at least 1`
          : !Number.isInteger(deadAfter) || deadAfter < 1 || deadAfter >= 2 ** 32
            ? `deadAfter is ${deadAfter}, not a whole number from 1 to 2³² − 1`
            : undefined;
  if (problem === undefined) return rows;
  throw new LimnError(
    'usage/dictionary-batch',
    `A step of a cross-layer transcoder takes x and y [N, d] of every layer, and a state of each: ${problem}.`,
    { details: { x: x.length, y: y.length, states: states.length, layers, width, rowsAtOnce: atOnce, deadAfter } },
  );
}
