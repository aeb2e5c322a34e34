// Features to compare with: others that fire at the same place about as strongly, drawn by a seed.
import { LimnError } from '@limn/gpu';
import { randomUniform } from '@limn/tensor';
import type { FeatureChange } from './feature-change.js';
import type { Firing, FrozenPrompt } from './frozen-prompt.js';

/**
 * Draws, without repeats, `count` features of the same layer and position from the 4·count whose activations are nearest by ratio; fewer
 * where fewer fire. What a feature is said to do must be more than what these do.
 * @throws LimnError `tensor/random`; `usage/matched-features` for a feature that does not fire there
 */
export function matchedFeatures(
  { host }: Pick<FrozenPrompt, 'host'>,
  { layer, position, feature }: Omit<FeatureChange, 'value'>,
  { count = 1, seed = 0 }: { readonly count?: number; readonly seed?: number } = {},
): Firing[] {
  const there = (host.firing[layer] ?? []).filter((each) => each.position === position);
  const own = there.find((each) => each.feature === feature);
  if (!own)
    throw new LimnError(
      'usage/matched-features',
      `Feature ${feature} of layer ${layer} does not fire at position ${position}.`,
      {
        details: { layer, position, feature },
      },
    );
  const apart = ({ activation }: Firing): number => Math.abs(Math.log(activation / own.activation));
  const pool = there
    .filter((each) => each !== own)
    .sort((a, b) => apart(a) - apart(b) || a.feature - b.feature)
    .slice(0, 4 * count);
  const drawn: Firing[] = [];
  while (drawn.length < count && pool.length > 0) {
    const at = Math.floor(randomUniform(seed, feature, drawn.length) * pool.length);
    drawn.push(...pool.splice(at, 1));
  }
  return drawn;
}
