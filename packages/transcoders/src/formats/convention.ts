// Which convention a dictionary was trained under, measured: the share of variance that it leaves unexplained, on the model's own activations, under each candidate.
import { LimnError, type Gpu } from '@limn/gpu';
import { fromData, readFloats } from '@limn/tensor';
import type { DictionaryConfig } from '../dictionary-config.js';
import { Dictionary, type DictionaryWeights } from '../dictionary.js';
import { reconstructOnHost } from './host-reconstruction.js';
import { centredInput, foldPreBias, lessRowMeans, readWithGain, unfoldPreBias, type Gain } from './orientation.js';
import type { DictionaryConvention, DictionaryProvenance, LoadedDictionary } from './stored-dictionary.js';

/** FVU from which nothing is said to fit. */
const MOST_FVU = 0.9;

/** Activations of the model as it is published, at the places that the dictionary reads and writes; rows of first tokens left out. */
export interface ConventionRows {
  /** Whether the texts began with a token of their own. */
  readonly bos: boolean;
  /** [N, I] */
  readonly x: Float32Array;
  /** [N, O], the MLP's output */
  readonly y: Float32Array;
}

/** One candidate and how it fits. */
export interface ConventionFit extends DictionaryConvention {
  /** Σ‖y − ŷ‖²/Σ‖y − ȳ‖² */
  readonly fvu: number;
}

/** What the check found. */
export interface ConventionReport {
  /** All candidates, the best first. */
  readonly candidates: readonly ConventionFit[];
  readonly best: ConventionFit;
  /** The best of those that agree with what the file or the caller says. */
  readonly expected: ConventionFit;
  /** Whether `expected` fits, and no other candidate does clearly better. */
  readonly fits: boolean;
}

/** ŷ [N, O] of x [N, I] under weights of a config. */
export type Reconstruct = (
  config: DictionaryConfig,
  weights: DictionaryWeights,
  x: Float32Array,
) => Float32Array | Promise<Float32Array>;

/** How to check. */
export interface ConventionOptions {
  /** γ and β of the LayerNorm before the MLP. Without them only dictionaries that read what it made are candidates. */
  readonly gain?: Gain;
  /** What is expected; by default what the dictionary's provenance says. */
  readonly expects?: Partial<DictionaryConvention>;
  /** Where ŷ is computed: `gpuReconstruction(gpu)`, or by default this thread, for small dictionaries. */
  readonly reconstruct?: Reconstruct;
  /** FVU from which nothing is said to fit. Default 0.9: a dictionary that explains less explains nothing. */
  readonly most?: number;
  /** By what factor another candidate's FVU must be lower for it to be the better one. Default 0.8. */
  readonly margin?: number;
}

/**
 * Measures a dictionary under every candidate: γ kept or folded away, output with or without its mean, pre-bias subtracted or not, and
 * each of the row sets (texts with and without a first token of their own). Which rows: some hundreds, of any texts; with fewer than there
 * are numbers in a row the FVU is noisy.
 * @throws LimnError `usage/dictionary-convention` without rows, or with rows of other widths; `data/dictionary-gain`; what `reconstruct` throws
 */
export async function checkConvention(
  dictionary: LoadedDictionary,
  rowSets: readonly ConventionRows[],
  options: ConventionOptions = {},
): Promise<ConventionReport> {
  const { config, provenance } = dictionary;
  const { gain, expects = provenance.expects, reconstruct = reconstructOnHost } = options;
  checkRows(config, rowSets);
  const candidates: ConventionFit[] = [];
  for (const { weights, outputs, ...convention } of variants(dictionary, gain))
    for (const { x, y, bos } of rowSets) {
      const predicted = await reconstruct(config, weights, x);
      for (const output of outputs) {
        const target = output === 'centred' ? lessRowMeans(y, config.outputWidth) : y;
        const fvu = fvuOf([spreadOf(target, predicted, config.outputWidth)]);
        candidates.push({ ...convention, output, bos, fvu });
      }
    }
  return reportOf(candidates, expects, options);
}

/** By which measure a candidate fits. */
export type ConventionMargins = Pick<ConventionOptions, 'most' | 'margin'>;

/** What candidates say, of whom there is at least one. */
export function reportOf(
  found: readonly ConventionFit[],
  expects: Partial<DictionaryConvention>,
  { most = MOST_FVU, margin = 0.8 }: ConventionMargins,
): ConventionReport {
  const candidates = [...found].sort((a, b) => a.fvu - b.fvu);
  const best = candidates[0] as ConventionFit;
  const agrees = (candidate: ConventionFit): boolean =>
    (['gain', 'output', 'preBias', 'bos'] as const).every(
      (key) =>
        expects[key] === undefined ||
        expects[key] === candidate[key] ||
        !candidates.some((each) => each[key] === expects[key]),
    );
  const agreeing = candidates.filter(agrees);
  const leading = agreeing[0] ?? best;
  // What nobody says is decided by a difference that decides; a smaller one is noise, and then numbers stay as they are.
  const expected = agreeing.find((each) => changesNothing(each) && leading.fvu >= margin * each.fvu) ?? leading;
  return { candidates, best, expected, fits: expected.fvu < most && best.fvu >= margin * expected.fvu };
}

/** Whether `conformed` gives the numbers as they are. */
const changesNothing = ({ gain, output, preBias }: DictionaryConvention): boolean =>
  gain === 'kept' && output === 'plain' && preBias === 'none';

/**
 * Refuses a dictionary whose convention is not the expected one, with the evidence: the FVU of every candidate.
 * @throws LimnError `data/dictionary-convention`; what `checkConvention` throws: `usage/dictionary-convention`, `data/dictionary-gain`
 */
export async function requireConvention(
  dictionary: LoadedDictionary,
  rowSets: readonly ConventionRows[],
  options: ConventionOptions = {},
): Promise<ConventionReport> {
  return required(await checkConvention(dictionary, rowSets, options), dictionary.provenance, options);
}

/** The report, if the expected convention fits. @throws LimnError `data/dictionary-convention` */
export function required(
  report: ConventionReport,
  { file }: Pick<DictionaryProvenance, 'file'>,
  { most = MOST_FVU }: ConventionMargins,
): ConventionReport {
  if (report.fits) return report;
  const { best, expected, candidates } = report;
  const nothing = best === expected || best.fvu >= most;
  throw new LimnError(
    'data/dictionary-convention',
    nothing
      ? `${file} fits this model under no convention: at best its FVU is ${rounded(best)} (${inWords(best)}).`
      : `${file} is expected to be for ${inWords(expected)}, with an FVU of ${rounded(expected)}; ${inWords(best)} gives ${rounded(best)}.`,
    {
      details: { file, expected, best, candidates },
      hint: nothing
        ? 'Is it for this model, this layer and these hooks?'
        : 'Load it under the convention that fits (expects), or give the model that it was trained on.',
    },
  );
}

/**
 * Weights for a model as it is published (γ kept, output as it is), of a dictionary under the convention that was found: γ and β folded
 * into the encoder, the pre-bias taken out where it does not belong. The output of a centred dictionary stays centred: every later
 * LayerNorm subtracts that mean.
 * @throws LimnError `data/dictionary-gain`; `usage/dictionary-convention` where γ is needed and not given
 */
export function conformed(
  dictionary: LoadedDictionary,
  convention: Pick<DictionaryConvention, 'gain' | 'output' | 'preBias'>,
  gain?: Gain,
): DictionaryWeights {
  const { config } = dictionary;
  let weights = withPreBias(dictionary, convention.preBias);
  if (config.input === 'hook_mlp_out') return convention.output === 'centred' ? centredInput(config, weights) : weights;
  if (convention.gain === 'folded' && config.input === 'ln2.hook_normalized') {
    if (!gain)
      throw new LimnError(
        'usage/dictionary-convention',
        "A dictionary that reads x̂ needs the LayerNorm's γ and β to read what it made.",
        {
          hint: "Give gain: ln_2's weight and bias.",
        },
      );
    weights = readWithGain(config, weights, gain);
  }
  return weights;
}

/** Reconstruction on a GPU: the activations of `DictionaryConfig` as `Dictionary` has them. */
export function gpuReconstruction(gpu: Gpu): Reconstruct {
  return async (config, weights, x) => {
    using dictionary = Dictionary.create(gpu, config, weights);
    using step = gpu.step();
    const rows = fromData(step, x, [x.length / config.inputWidth, config.inputWidth]);
    return readFloats(step, dictionary.apply(step, rows));
  };
}

/** Every convention that is possible here, with weights for the model as it is published; those of a transcoder serve both outputs. */
function* variants(dictionary: LoadedDictionary, gain: Gain | undefined): Generator<Variant> {
  const { input } = dictionary.config;
  const outputs = ['plain', 'centred'] as const;
  for (const preBias of dictionary.preBias ? (['subtracted', 'none'] as const) : (['none'] as const))
    for (const gainOf of input === 'ln2.hook_normalized' && gain ? (['kept', 'folded'] as const) : (['kept'] as const))
      for (const of of input === 'hook_mlp_out' ? outputs.map((output) => [output]) : [outputs]) {
        const output = of[0] as DictionaryConvention['output'];
        const weights = conformed(dictionary, { gain: gainOf, output, preBias }, gain);
        yield { gain: gainOf, preBias, outputs: of, weights };
      }
}

/** Weights, and the conventions that they stand for. */
interface Variant extends Pick<DictionaryConvention, 'gain' | 'preBias'> {
  readonly outputs: readonly DictionaryConvention['output'][];
  readonly weights: DictionaryWeights;
}

/** The weights with the pre-bias in b_enc, or without it. */
function withPreBias(
  { weights, preBias }: LoadedDictionary,
  wanted: DictionaryConvention['preBias'],
): DictionaryWeights {
  if (!preBias || preBias.folded === (wanted === 'subtracted')) return weights;
  const change = preBias.folded ? unfoldPreBias : foldPreBias;
  return { ...weights, bEnc: change(weights.wEnc, weights.bEnc, preBias.values) };
}

/** Σ‖y − ŷ‖² and Σ‖y − ȳ‖². */
export interface Spread {
  readonly left: number;
  readonly all: number;
}

/** Of y [N, width] and what was made in its place. */
export function spreadOf(y: Float32Array, predicted: Float32Array, width: number): Spread {
  const rows = y.length / width;
  let [left, all] = [0, 0];
  for (let i = 0; i < width; i++) {
    let mean = 0;
    for (let at = i; at < y.length; at += width) mean += (y[at] as number) / rows;
    for (let at = i; at < y.length; at += width) {
      left += ((y[at] as number) - (predicted[at] as number)) ** 2;
      all += ((y[at] as number) - mean) ** 2;
    }
  }
  return { left, all };
}

/** The share that is left of all of them; infinite where nothing varies. */
export function fvuOf(spreads: readonly Spread[]): number {
  const fvu = spreads.reduce((sum, { left }) => sum + left, 0) / spreads.reduce((sum, { all }) => sum + all, 0);
  return Number.isFinite(fvu) ? fvu : Number.POSITIVE_INFINITY;
}

function checkRows({ inputWidth, outputWidth }: DictionaryConfig, rowSets: readonly ConventionRows[]): void {
  const bad = rowSets.find(
    ({ x, y }) => x.length === 0 || x.length % inputWidth !== 0 || y.length !== (x.length / inputWidth) * outputWidth,
  );
  if (rowSets.length > 0 && !bad) return;
  throw new LimnError(
    'usage/dictionary-convention',
    bad
      ? `Rows of ${bad.x.length} and ${bad.y.length} numbers are not [N, ${inputWidth}] and [N, ${outputWidth}].`
      : 'A convention is measured on activations of the model; none were given.',
    { details: { sets: rowSets.length, inputWidth, outputWidth }, hint: 'Give x and y of some hundred positions.' },
  );
}

const rounded = ({ fvu }: ConventionFit): string => fvu.toPrecision(3);

function inWords({ gain, output, preBias, bos }: DictionaryConvention): string {
  return [
    gain === 'kept' ? 'inputs with γ and β' : 'inputs without γ and β',
    output === 'plain' ? 'outputs as they are' : 'outputs without their mean',
    preBias === 'subtracted' ? 'a pre-bias subtracted' : 'no pre-bias',
    bos ? 'a token before each text' : 'no token before a text',
  ].join(', ');
}
