// Steering by features: y += Σ_f (v_f − a_f)·W_dec[f] at the MLP's output, so that what the dictionary does not explain stays as it is.
import { LimnError } from '@limn/gpu';
import {
  blockHook,
  describeExtent,
  extentOf,
  type Extent,
  type Intervention,
  type InterventionContext,
  type Json,
} from '@limn/hooks';
import { add, fromData, gatherRows, matmul, mul, reshape, type Tensor } from '@limn/tensor';
import type { LayerEncoder } from './cross-layer/layer-encoder.js';
import { OncePerRun } from './cross-layer/once-per-run.js';
import { Dictionary } from './dictionary.js';
import { selectedActivations } from './reading/selected-activations.js';

/** A feature, what its activation becomes, and where. */
export interface FeatureSetting {
  readonly feature: number;
  /** The activation that it is given, whether or not it fires. */
  readonly value?: number | undefined;
  /** Its own activation times this: 0 takes it away, −1 is the usual steer. */
  readonly factor?: number | undefined;
  /** Absolute positions. Default: all. */
  readonly positions?: readonly number[] | undefined;
}

/**
 * Features set to values, or scaled, wherever the run goes: y + Σ_f (v_f − a_f)·W_dec[f] at `hook_mlp_out`, with a_f what the feature is
 * at that token in that run (an SAE's: of the output as earlier interventions left it). Behind `dictionary.replacement()` it is decoding
 * with those features clamped; by itself it leaves the error of the dictionary in the stream. On the tape, so that gradients pass.
 *
 * Features of a cross-layer transcoder are those of one of its `encoders`, and write at that layer and all behind it: there is an
 * intervention for each, y_l + Σ_f (v_f − a_f)·W_dec,l[f], in runs that start at or before what they read.
 * @throws LimnError `usage/steer-features` for features that are not there, settings without exactly one of value and factor, positions
 * that are none, and one feature set twice at a position
 */
export function steerFeatures(
  dictionary: Dictionary,
  settings: readonly FeatureSetting[],
  extent?: Omit<Extent, 'positions'>,
): Intervention;
export function steerFeatures(
  encoder: LayerEncoder,
  settings: readonly FeatureSetting[],
  extent?: Omit<Extent, 'positions'>,
): readonly Intervention[];
export function steerFeatures(
  owner: Dictionary | LayerEncoder,
  settings: readonly FeatureSetting[],
  extent: Omit<Extent, 'positions'> = {},
): Intervention | readonly Intervention[] {
  const { layer, input, features: F } = owner.config;
  checkSettings(settings, F);
  const features = Uint32Array.from(settings, ({ feature }) => feature);
  const everywhere = settings.some(({ positions }) => positions === undefined);
  const all = [...new Set(settings.flatMap(({ positions = [] }) => positions))].sort((a, b) => a - b);
  const where = extentOf(everywhere ? extent : { ...extent, positions: all });
  const isSae = input === 'hook_mlp_out';
  const changes = new OncePerRun<Tensor>();
  const interventions = owner.decoders.map((decoder, behind): Intervention => {
    const at = blockHook(layer + behind, 'hook_mlp_out');
    const options = { at, settings: settings.map(settingJson), ...(where as Record<string, Json>) };
    return Object.freeze<Intervention>({
      at,
      ...where,
      ...(isSae ? {} : { reads: Object.freeze([owner.reads]) }),
      spec: Object.freeze({
        kind: 'steer-features',
        options: owner instanceof Dictionary ? options : { ...options, from: layer },
      }),
      label: `${settings.map(inWords).join(', ')} of ${owner instanceof Dictionary ? '' : `layer ${layer} at `}${at}${describeExtent(where)}`,
      apply: (y, ctx) => {
        const { step } = ctx;
        const x = isSae ? y : ctx.at(owner.reads);
        const change = changes.of(step, layer, x, () => changeOf(owner, settings, features, x, ctx));
        const rows = gatherRows(step, decoder, fromData(step, features, [features.length], { label: 'features' }));
        return add(step, y, reshape(matmul(step, change, rows, { label: 'steered features' }), y.shape));
      },
    });
  });
  return owner instanceof Dictionary ? (interventions[0] as Intervention) : interventions;
}

/** v − a [N, n] of the features that are set, 0 where they are not. */
function changeOf(
  owner: Dictionary | LayerEncoder,
  settings: readonly FeatureSetting[],
  features: Uint32Array,
  x: Tensor,
  { step, positions: at }: Pick<InterventionContext, 'step' | 'positions'>,
): Tensor {
  const I = owner.config.inputWidth;
  const [N, n] = [x.size / I, settings.length];
  const a = selectedActivations(step, owner, reshape(x, [N, I]), features);
  // v − a = a·slope + offset.
  const slope = new Float32Array(N * n);
  const offset = new Float32Array(N * n);
  settings.forEach(({ value, factor, positions }, i) => {
    at.forEach((position, row) => {
      if (position < 0 || (positions && !positions.includes(position))) return;
      slope[row * n + i] = factor === undefined ? -1 : factor - 1;
      offset[row * n + i] = value ?? 0;
    });
  });
  const on = (data: Float32Array): Tensor => fromData(step, data, [N, n], { label: 'settings of features' });
  return add(step, mul(step, a, on(slope)), on(offset));
}

const settingJson = ({ feature, value, factor, positions }: FeatureSetting): Json => ({
  feature,
  ...(value === undefined ? {} : { value }),
  ...(factor === undefined ? {} : { factor }),
  ...(positions === undefined ? {} : { positions: [...positions] }),
});

const inWords = ({ feature, value, factor }: FeatureSetting): string =>
  value === undefined ? `feature ${feature} times ${factor}` : `feature ${feature} set to ${value}`;

function checkSettings(settings: readonly FeatureSetting[], F: number): void {
  const refuse = (problem: string, details: Record<string, unknown> = {}): LimnError =>
    new LimnError('usage/steer-features', `Features cannot be steered so: ${problem}.`, {
      details,
      hint: 'Give each feature a value or a factor, and positions where it shall not hold everywhere.',
    });
  if (settings.length === 0) throw refuse('none was given');
  for (const { feature, value, factor, positions } of settings) {
    if (!(Number.isInteger(feature) && feature >= 0 && feature < F))
      throw refuse(`features are 0 to ${F - 1}, and ${String(feature)} is none of them`, { feature, features: F });
    if ((value === undefined) === (factor === undefined))
      throw refuse(`feature ${feature} takes either a value or a factor`, { feature, value, factor });
    if (!Number.isFinite(value ?? factor))
      throw refuse(`feature ${feature} was given ${value ?? factor}`, { feature, value, factor });
    const odd = positions?.find((position) => !(Number.isInteger(position) && position >= 0));
    if (odd !== undefined || positions?.length === 0)
      throw refuse(`feature ${feature} was given ${odd === undefined ? 'no position' : `position ${odd}`}`, {
        feature,
        positions,
      });
  }
  settings.forEach(({ feature, positions }, i) => {
    const twice = settings
      .slice(0, i)
      .some(
        (other) =>
          other.feature === feature &&
          (!positions || !other.positions || positions.some((position) => other.positions?.includes(position))),
      );
    if (twice) throw refuse(`feature ${feature} is set twice at one position`, { feature });
  });
}
