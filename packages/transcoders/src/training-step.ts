// One update of a dictionary, recorded: its loss with every part, the gradient of each parameter, and which features fired.
import { LimnError, type Step } from '@limn/gpu';
import { activeCounts, scale, sumAll, type Tensor } from '@limn/tensor';
import { acrossRows, unitRows } from './decoder-rows.js';
import type { DictionaryConfig } from './dictionary-config.js';
import { type Dictionary, dictionaryShapes, type DictionaryTensorName } from './dictionary.js';
import { activationsToTrain } from './encoder.js';
import { checkLoss, type DictionaryLoss } from './losses/dictionary-loss.js';
import { auxiliaryLoss, deadSelection, preActivationSum, type DeadFeatures } from './losses/dead-features.js';
import { reconstructionLoss, rowErrors, rowWeights, totalVariance, unexplained } from './losses/reconstruction.js';
import { sparsitySum } from './losses/sparsity.js';
import { partsOf, rowRange, rowsPerBinding } from './row-parts.js';
import { addShares, stepShare, type DictionaryLossParts, type LossTerm, type StepShare } from './step-shares.js';
import { firedRows, type DictionaryTrainingState } from './training-state.js';

/** Rows that the dictionary reads, and what the MLP made of each. */
export interface DictionaryBatch {
  /** [N, I] */
  readonly x: Tensor;
  /** [N, O]; for an SAE the rows of x again. */
  readonly y: Tensor;
}

/** How an update is made; a schedule gives other numbers to every step. */
export interface DictionaryStepSettings {
  readonly loss: DictionaryLoss;
  /** Rows of W_dec are brought to length 1 before the step, and their gradient keeps them there. Default false. */
  readonly unitDecoder?: boolean;
  /** A feature is dead once it has not fired for this many rows. Default 10,000,000. */
  readonly deadAfter?: number;
  /** Rows whose [N, F] activations are held at a time, where they are held; by default as many as a binding takes. The loss stays that of the whole batch. */
  readonly rowsAtOnce?: number;
}

/** An update, recorded: read it, and take the optimiser's step, in the same step. */
export interface RecordedDictionaryStep {
  /** What the gradients are of, [1]. */
  readonly loss: Tensor;
  readonly parts: DictionaryLossParts;
  /** Features that fire for a row, on average, [1]. */
  readonly l0: Tensor;
  /** Σ‖e‖² / Σ‖y − ȳ‖² of the batch, [1]. */
  readonly fvu: Tensor;
  /** Features that were dead before this step, [1]. */
  readonly dead: Tensor;
  /** In how many rows each feature fired, [F]. */
  readonly fired: Tensor;
  /** Of each of `trainedNames`, in that order, shaped as the parameter. */
  readonly gradients: ReadonlyMap<DictionaryTensorName, Tensor>;
}

/** Rows without firing after which a feature is dead, unless the caller says otherwise. */
export const DEAD_AFTER = 10_000_000;

/** The tensors that gradients train: all of a dictionary but BatchTopK's threshold, which is a running mean. */
export function trainedNames(config: DictionaryConfig): readonly DictionaryTensorName[] {
  return [...dictionaryShapes(config).keys()].filter(
    (name) => name !== 'logThreshold' || config.activation.kind === 'jump-relu',
  );
}

/** What every part of a batch is measured with. */
interface Setting {
  readonly dictionary: Dictionary;
  readonly loss: DictionaryLoss;
  /** Rows of the whole batch. */
  readonly rows: number;
  readonly variance: Tensor;
  readonly dead: DeadFeatures;
  readonly state: DictionaryTrainingState;
  /** Whether a feature can be dead by now. */
  readonly anyDead: boolean;
}

/**
 * Records the loss and gradients of one update and counts which features fired; the optimiser's step is the caller's. In place: rows of
 * W_dec where `unitDecoder` is set, the counters of `state`, and log θ of `batch-top-k`.
 * @throws LimnError `usage/dictionary-loss` for a loss that this activation has not got; `usage/dictionary-batch` for rows that do not fit
 */
export function recordDictionaryStep(
  step: Step,
  dictionary: Dictionary,
  batch: DictionaryBatch,
  settings: DictionaryStepSettings,
  state: DictionaryTrainingState,
): RecordedDictionaryStep {
  const { config } = dictionary;
  const { loss, unitDecoder = false, deadAfter = DEAD_AFTER } = settings;
  checkLoss(config, loss);
  checkBatch(config, batch, settings);
  const wDec = dictionary.tensor('wDec');
  if (unitDecoder) unitRows(step, wDec);

  const rows = batch.x.shape[0] as number;
  const variance = totalVariance(step, batch.y);
  const weights = rowWeights(step, batch.y, loss.reconstruction, variance);
  const dead = state.dead(step, deadAfter);
  const setting = { dictionary, loss, rows, variance, dead, state, anyDead: state.rows >= deadAfter };
  const share = partsOf(rows, rowsAtOnce(dictionary, settings))
    .map(([start, count]): StepShare => {
      const part = (of: Tensor): Tensor => rowRange(step, of, start, count);
      return recordPart(step, setting, part(batch.x), part(batch.y), part(weights));
    })
    .reduce((a, b) => addShares(step, a, b));

  const [fired] = share.fired as readonly [Tensor];
  state.count(step, fired, rows);
  const names = trainedNames(config);
  return {
    loss: share.loss,
    parts: share.parts,
    l0: scale(step, sumAll(step, fired), 1 / rows),
    fvu: share.fvu,
    dead: dead.count,
    fired,
    gradients: new Map(
      names.map((name, i) => {
        const slope = share.slopes[i] as Tensor;
        return [name, unitDecoder && name === 'wDec' ? acrossRows(step, slope, wDec) : slope];
      }),
    ),
  };
}

/** Loss and gradients of some rows, as shares of the whole batch's. */
function recordPart(step: Step, setting: Setting, x: Tensor, y: Tensor, weights: Tensor): StepShare {
  const { dictionary, loss, rows, variance, dead, anyDead, state } = setting;
  const { config, parameters } = dictionary;
  const wDec = dictionary.tensor('wDec');
  const revives = loss.auxiliary && anyDead ? deadSelection(config.features, loss.auxiliary.features, dead) : undefined;
  const { fires, revived } = activationsToTrain(step, dictionary, x, revives);
  const { codes, h, a } = fires;
  const yHat = dictionary.decode(step, codes ?? a, x);
  const errors = rowErrors(step, yHat, y);
  const reconstruction = reconstructionLoss(step, errors, weights);
  const logThreshold = parameters.get('logThreshold');
  const terms: LossTerm[] = [];
  if (loss.sparsity && h) {
    const { activation } = config;
    const jump = activation.kind === 'jump-relu' && logThreshold ? { logThreshold, ...activation } : undefined;
    const value = sparsitySum(step, loss.sparsity, { h, a, decoders: [wDec], ...(jump ? { jump } : {}) });
    terms.push({ name: 'sparsity', value: scale(step, value, 1 / rows), weight: loss.sparsity.weight });
  }
  if (loss.preActivation && h && anyDead) {
    const value = preActivationSum(step, h, dead.weight, [wDec], logThreshold);
    terms.push({ name: 'preActivation', value: scale(step, value, 1 / rows), weight: loss.preActivation.weight });
  }
  if (loss.auxiliary && revived) {
    const view = { codes: revived, y, yHat, wDec, dead, variance };
    const value = auxiliaryLoss(step, loss.auxiliary.features, view);
    terms.push({ name: 'auxiliary', value, weight: loss.auxiliary.weight });
  }
  if (codes && config.activation.kind === 'batch-top-k') state.average(step, codes.values, logThreshold as Tensor);

  return stepShare(step, {
    reconstruction,
    terms,
    fvu: unexplained(step, errors, variance),
    fired: [codes ? activeCounts(step, codes) : firedRows(step, a)],
    targets: trainedNames(config).map((name) => parameters.get(name) as Tensor),
  });
}

/** Codes need no parts: they hold no [N, F], and BatchTopK selects from the whole batch. */
function rowsAtOnce({ gpu, config }: Dictionary, settings: DictionaryStepSettings): number {
  if (config.activation.kind === 'top-k' || config.activation.kind === 'batch-top-k') return Infinity;
  return settings.rowsAtOnce ?? rowsPerBinding(gpu, config.features);
}

function checkBatch(config: DictionaryConfig, { x, y }: DictionaryBatch, settings: DictionaryStepSettings): void {
  const { rowsAtOnce: atOnce = 1, deadAfter = DEAD_AFTER } = settings;
  const problem =
    x.shape.length !== 2 || y.shape.length !== 2 || x.shape[0] !== y.shape[0]
      ? `x [${x.shape.join(', ')}] and y [${y.shape.join(', ')}] are not rows of one batch`
      : x.shape[1] !== config.inputWidth || y.shape[1] !== config.outputWidth
        ? `x [${x.shape.join(', ')}] and y [${y.shape.join(', ')}] are not ${config.inputWidth} and ${config.outputWidth} wide`
        : !Number.isSafeInteger(atOnce) || atOnce < 1
          ? `rowsAtOnce is ${atOnce}, not a whole number of at least 1`
          : !Number.isInteger(deadAfter) || deadAfter < 1 || deadAfter >= 2 ** 32
            ? `deadAfter is ${deadAfter}, not a whole number from 1 to 2³² − 1`
            : undefined;
  if (problem !== undefined)
    throw new LimnError('usage/dictionary-batch', `A step of a dictionary takes x [N, I] and y [N, O]: ${problem}.`, {
      details: { x: x.shape, y: y.shape, rowsAtOnce: atOnce, deadAfter },
    });
}
