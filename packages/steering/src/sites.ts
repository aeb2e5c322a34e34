// Where activations can be scaled, and which cells can have no effect: those whose activation never reaches the last position's logits.
import { LimnError } from '@limn/gpu';
import { blockHook, type BlockSite, type HookName, type ModelInfo } from '@limn/hooks';
import { scalesWhole, type SteeringMethod } from './method.js';

/**
 * Sites that steering may edit. `hook_attn_out` and `hook_mlp_out` are the paper's; `attn.hook_z` has a value per head, `mlp.hook_post`
 * one per neuron; the residual stream is offered except where the final LayerNorm would undo what is done to it.
 */
export const STEERABLE_SITES = [
  'hook_attn_out',
  'hook_mlp_out',
  'attn.hook_z',
  'mlp.hook_post',
  'hook_resid_pre',
  'hook_resid_mid',
  'hook_resid_post',
] as const satisfies readonly BlockSite[];

/** One of `STEERABLE_SITES`. */
export type SteerableSite = (typeof STEERABLE_SITES)[number];

/** One site of one layer. */
export interface SteeredPlace {
  readonly site: SteerableSite;
  readonly layer: number;
  readonly at: HookName;
  /** Numbers of one position: C, H·K or M. */
  readonly elements: number;
  /** Equal runs of them that one scalar scales: heads, neurons, or 1. */
  readonly units: number;
}

/** What a place needs to know of a model. */
export type SteeredModel = Pick<ModelInfo, 'layers' | 'heads' | 'headWidth' | 'width' | 'mlpWidth' | 'block'>;

/** What decides the places: the method, the sites and the layers of a `SteeringSpec`. */
export interface PlacedSpec {
  readonly method: SteeringMethod;
  readonly sites: readonly string[];
  /** Default: all. */
  readonly layers?: readonly number[];
}

/**
 * Every place of some sites and layers, layer by layer. For methods that scale a whole vector the end of the last layer is left out:
 * LN(γh) = LN(h) there. What is added to it, or scaled dimension by dimension, the LayerNorm does not undo.
 * @throws LimnError `usage/steering-site`, `usage/steering-layer`
 */
export function steeredPlaces(
  info: SteeredModel,
  { method, sites, layers = Array.from({ length: info.layers }, (_, l) => l) }: PlacedSpec,
): SteeredPlace[] {
  const known = sites.map((site) => {
    const found = STEERABLE_SITES.find((each) => each === site);
    if (found !== undefined && !(found === 'hook_resid_mid' && info.block === 'parallel')) return found;
    throw new LimnError('usage/steering-site', `Steering cannot edit '${site}'.`, {
      details: { given: site, allowed: STEERABLE_SITES },
      hint: `Choose among ${STEERABLE_SITES.join(', ')}.`,
    });
  });
  const bad = layers.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= info.layers);
  if (bad !== undefined || layers.length === 0 || known.length === 0)
    throw new LimnError(
      bad === undefined ? 'usage/steering-site' : 'usage/steering-layer',
      bad === undefined ? 'Steering was given no sites or layers.' : `There is no layer ${bad}.`,
      {
        details: { layers: info.layers },
        hint: `Layers are 0 to ${info.layers - 1}; give at least one, and one site.`,
      },
    );
  const elementsOf = (site: SteerableSite): number => (site === 'mlp.hook_post' ? info.mlpWidth : info.width);
  const unitsOf = (site: SteerableSite): number =>
    site === 'attn.hook_z' ? info.heads : site === 'mlp.hook_post' ? info.mlpWidth : 1;
  const places = [...new Set(layers)]
    .sort((a, b) => a - b)
    .flatMap((layer) =>
      STEERABLE_SITES.filter((site) => known.includes(site))
        .filter((site) => !(site === 'hook_resid_post' && layer === info.layers - 1 && scalesWhole(method)))
        .map((site) => ({
          site,
          layer,
          at: blockHook(layer, site),
          elements: site === 'attn.hook_z' ? info.heads * info.headWidth : elementsOf(site),
          units: unitsOf(site),
        })),
    );
  if (places.length === 0)
    throw new LimnError(
      'usage/steering-site',
      'The end of the last layer cannot be scaled as a whole: the LayerNorm behind it undoes that.',
      {
        details: { sites, layers, method: method.kind },
        hint: 'Choose an earlier layer, or hook_attn_out and hook_mlp_out.',
      },
    );
  return places;
}

/**
 * Whether a place has an effect on the logits at the last position when it is edited at `position` of a prompt of `length` tokens: in the
 * last layer nothing but the last position is read, except what attention reads.
 */
export function isLive(
  info: Pick<ModelInfo, 'layers'>,
  place: SteeredPlace,
  position: number,
  length: number,
): boolean {
  return place.layer < info.layers - 1 || place.site === 'hook_resid_pre' || position === length - 1;
}
