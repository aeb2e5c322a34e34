// Features set to other values while a prompt runs: as direct effects alone, along the local replacement model, or in the model as it is.
import { LimnError, type Step } from '@limn/gpu';
import { blockHook, intervene, type Intervention } from '@limn/hooks';
import { add, expand, fromData, gatherRows, matmul, mul, reshape, sub, type Tensor } from '@limn/tensor';
import type { FrozenFeatures, FrozenLayer, FrozenPrompt } from './frozen-prompt.js';

/** A feature given another activation at one position. */
export interface FeatureChange {
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
  /** The activation that it is given; the original one times −1 is the usual steer. */
  readonly value: number;
}

/**
 * - `constrained`: MLP outputs stay what they were, but for the changes; patterns and scales too. What is left are direct effects: exactly
 *   what edges say.
 * - `iterative`: features that the changes reach fire anew, and errors stay: the local replacement model. Patterns stay, scales do not.
 * - `free`: the model itself runs, with the changes added to what its MLPs write.
 */
export type ChangeMode = 'constrained' | 'iterative' | 'free';

/** How changes are made. */
export interface ChangeOptions {
  /** Default `constrained`. */
  readonly mode?: ChangeMode;
  /** Whether attention patterns stay. Default: not in `free`. */
  readonly attention?: 'frozen' | 'live';
  /** Whether scales of normalisations stay. Default: only in `constrained`, and there only if all layers are held. */
  readonly scales?: 'frozen' | 'live';
  /** Under `constrained`, the layers whose MLP outputs are held; others run. Default: all. */
  readonly layers?: { readonly from: number; readonly to: number };
}

/**
 * The interventions that make changes; `sets[b]` are those of row b of the run, whose rows are all this prompt. They go beside others.
 * @throws LimnError `usage/feature-change` for a feature or place that is not there
 */
export function featureChanges(
  prompt: FrozenPrompt,
  sets: readonly (readonly FeatureChange[])[],
  options: ChangeOptions = {},
): Intervention[] {
  const { mode = 'constrained', layers: held = { from: 0, to: prompt.layers.length - 1 } } = options;
  const all = held.from <= 0 && held.to >= prompt.layers.length - 1;
  const {
    attention = mode === 'free' ? 'live' : 'frozen',
    scales = mode === 'constrained' && all ? 'frozen' : 'live',
  } = options;
  for (const change of sets.flat()) checkChange(prompt, change);
  return [
    ...(attention === 'frozen'
      ? prompt.layers.map(({ pattern }, l) => holdAt(blockHook(l, 'attn.hook_pattern'), pattern))
      : []),
    ...(scales === 'frozen' ? heldScales(prompt) : []),
    ...prompt.layers.flatMap((layer, l) => {
      const entries = sets.flatMap((set, row) =>
        set.flatMap((change) => (writesAt(layer, change) ? [{ ...change, row }] : [])),
      );
      if (mode === 'constrained' && l >= held.from && l <= held.to) return [constrained(prompt, l, entries)];
      if (mode === 'iterative') return [iterative(prompt, l, entries)];
      return entries.length === 0 ? [] : [added(prompt, l, entries)];
    }),
  ];
}

/** A change, and the row of the run that it belongs to. */
interface RowChange extends FeatureChange {
  readonly row: number;
}

/** Whether a feature writes at a layer: its own, or, of a cross-layer transcoder, one behind it. */
const writesAt = ({ features }: FrozenLayer, { layer }: FeatureChange): boolean =>
  features?.writers.some(({ from }) => from === layer) ?? false;

function checkChange({ layers, length }: FrozenPrompt, { layer, position, feature, value }: FeatureChange): void {
  const encoder = layers[layer]?.features?.encoder;
  const problem = !encoder
    ? `layer ${layer} has no dictionary here`
    : !(Number.isInteger(feature) && feature >= 0 && feature < encoder.config.features)
      ? `layer ${layer} has features 0 to ${encoder.config.features - 1}`
      : !(Number.isInteger(position) && position >= 0 && position < length)
        ? `the prompt has positions 0 to ${length - 1}`
        : Number.isFinite(value)
          ? undefined
          : `${value} is no activation`;
  if (problem === undefined) return;
  throw new LimnError(
    'usage/feature-change',
    `Feature ${feature} of layer ${layer} at ${position} cannot be changed: ${problem}.`,
    {
      details: { layer, position, feature, value },
    },
  );
}

/** Puts a prompt's own value [...] in the place of every row's [B, ...]. */
function holdAt(at: Intervention['at'], value: Tensor): Intervention {
  return intervene(at, 'hold', (x, { step }) => expand(step, reshape(value, [1, ...x.shape.slice(1)]), x.shape));
}

function heldScales({ layers, final }: FrozenPrompt): Intervention[] {
  return [
    ...layers.flatMap(({ ln1, ln2 }, l) => [
      holdAt(blockHook(l, 'ln1.hook_scale'), ln1.scale),
      holdAt(blockHook(l, 'ln2.hook_scale'), ln2.scale),
    ]),
    holdAt('ln_final.hook_scale', final.scale),
  ];
}

/** mlp(x) as it was + Σ (value − a)·d + (x' − x)·W_skip. */
function constrained(prompt: FrozenPrompt, l: number, entries: readonly RowChange[]): Intervention {
  const { features, mlpOut } = prompt.layers[l] as FrozenLayer;
  const wSkip = features?.wSkip;
  return intervene(
    blockHook(l, 'hook_mlp_out'),
    'hold, but for changes',
    (y, { step, at }) => {
      let out = expand(step, reshape(mlpOut, [1, ...mlpOut.shape]), y.shape);
      for (const { decoder, encoder, x, own } of writing(prompt, l, entries)) {
        if (own.length === 0) continue;
        const places = own.map(({ position, feature }) => position * encoder.config.features + feature);
        out = add(step, out, changesOf(step, decoder, encoder.encode(step, x), places, own, y.shape));
      }
      return wSkip ? add(step, out, skipChange(step, wSkip, at(features.encoder.reads), features.x, y.shape)) : out;
    },
    wSkip ? { reads: [features.encoder.reads] } : {},
  );
}

/** mlp(x) as it was + Σ_all (a' − a)·d + (x' − x)·W_skip, with a' = φ(x') but for the features that are set. */
function iterative(prompt: FrozenPrompt, l: number, entries: readonly RowChange[]): Intervention {
  const { features, mlpOut } = prompt.layers[l] as FrozenLayer;
  if (!features) return holdAt(blockHook(l, 'hook_mlp_out'), mlpOut);
  const T = prompt.length;
  const all = writing(prompt, l, entries);
  return intervene(
    blockHook(l, 'hook_mlp_out'),
    'features anew, and changes',
    (y, { step, at }) => {
      const B = y.shape[0] as number;
      let out = expand(step, reshape(mlpOut, [1, ...mlpOut.shape]), y.shape);
      for (const { decoder, encoder, x, own } of all) {
        const { features: F, inputWidth: I } = encoder.config;
        const now = encoder.encode(step, reshape(at(encoder.reads), [B * T, I]));
        const were = reshape(encoder.encode(step, x), [1, T, F]);
        const moved = reshape(sub(step, reshape(now, [B, T, F]), were), [B * T, F]);
        out = add(step, out, reshape(matmul(step, moved, decoder, { label: 'features anew' }), y.shape));
        if (own.length > 0) out = add(step, out, changesOf(step, decoder, now, placesIn(own, T, F), own, y.shape));
      }
      const { wSkip, encoder, x } = features;
      return wSkip ? add(step, out, skipChange(step, wSkip, at(encoder.reads), x, y.shape)) : out;
    },
    { reads: all.map(({ encoder }) => encoder.reads) },
  );
}

/** mlp(x') + Σ (value − a')·d. */
function added(prompt: FrozenPrompt, l: number, entries: readonly RowChange[]): Intervention {
  const changed = writing(prompt, l, entries).filter(({ own }) => own.length > 0);
  const T = prompt.length;
  return intervene(
    blockHook(l, 'hook_mlp_out'),
    'changes of features',
    (y, { step, at }) =>
      changed.reduce((out, { decoder, encoder, own }) => {
        const { features: F, inputWidth: I } = encoder.config;
        const now = encoder.encode(step, reshape(at(encoder.reads), [(y.shape[0] as number) * T, I]));
        return add(step, out, changesOf(step, decoder, now, placesIn(own, T, F), own, y.shape));
      }, y),
    { reads: changed.map(({ encoder }) => encoder.reads) },
  );
}

/** What writes at a layer: the features of each, what they read in the prompt, and which of the changes are theirs. */
function writing(
  { layers }: FrozenPrompt,
  l: number,
  entries: readonly RowChange[],
): (Pick<FrozenFeatures, 'encoder' | 'x'> & { readonly decoder: Tensor; readonly own: readonly RowChange[] })[] {
  return (layers[l]?.features?.writers ?? []).map(({ from, decoder }) => {
    const { encoder, x } = (layers[from] as FrozenLayer).features as FrozenFeatures;
    return { decoder, encoder, x, own: entries.filter(({ layer }) => layer === from) };
  });
}

const placesIn = (entries: readonly RowChange[], T: number, F: number): number[] =>
  entries.map(({ row, position, feature }) => (row * T + position) * F + feature);

/** Σ (value − a)·d at the rows and positions of the changes, [B, T, C]; a is found at `places` of the flat activations. */
function changesOf(
  step: Step,
  decoder: Tensor,
  activations: Tensor,
  places: readonly number[],
  entries: readonly RowChange[],
  shape: readonly number[],
): Tensor {
  const n = entries.length;
  const [B = 0, T = 0, C = 0] = shape;
  const words = (values: readonly number[]): Tensor => fromData(step, Uint32Array.from(values), [n]);
  const were = gatherRows(step, reshape(activations, [activations.size, 1]), words(places));
  const values = fromData(
    step,
    entries.map(({ value }) => value),
    [n, 1],
  );
  const rows = gatherRows(step, decoder, words(entries.map(({ feature }) => feature)));
  const put = new Float32Array(B * T * n);
  for (const [i, { row, position }] of entries.entries()) put[(row * T + position) * n + i] = 1;
  const changes = mul(step, rows, sub(step, values, were));
  return reshape(matmul(step, fromData(step, put, [B * T, n]), changes, { label: 'changes of features' }), [B, T, C]);
}

function skipChange(step: Step, wSkip: Tensor, now: Tensor, were: Tensor, shape: readonly number[]): Tensor {
  const moved = sub(step, now, reshape(were, [1, ...were.shape]));
  const rows = reshape(moved, [moved.size / (wSkip.shape[0] as number), wSkip.shape[0] as number]);
  return reshape(matmul(step, rows, wSkip, { label: 'skip' }), shape);
}
