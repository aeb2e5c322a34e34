// Vectors by layer, as control-vector files have them, and the steering that they are: v added to the residual stream of every token.
import { LimnError } from '@limn/gpu';
import { blockHook, type HookName, type ModelInfo } from '@limn/hooks';
import { positionTable } from '../positions.js';
import type { SteeringValues } from '../steering.js';

/** What is to be known of the model that vectors are put into. */
export type DirectionsModel = Pick<ModelInfo, 'architecture' | 'layers' | 'width' | 'fingerprint'>;

/** Steering made from a file that somebody else's tool wrote. */
export interface ImportedSteering {
  /** Method 'steer-vec', one vector for all positions, at the layers that the file has. */
  readonly values: SteeringValues;
  /** What there is to know about the file, in sentences; empty where nothing is. */
  readonly notices: readonly string[];
}

/** Vectors by layer. */
export interface Directions {
  /** The architecture that the file was made for, as its maker names it. */
  readonly model: string | undefined;
  /** v [C] by layer, from 0. */
  readonly byLayer: ReadonlyMap<number, Float32Array>;
}

/** Sites whose vector is one of the residual stream itself. */
export type ResidualSite = 'hook_resid_pre' | 'hook_resid_post';

/**
 * The steering of some vectors at one site. Files of this kind name an architecture but not the weights, so the model is the caller's word.
 * @throws LimnError `data/steering-fit` for another width, or for layers that the model has not got
 */
export function steeringOfDirections(
  { model, byLayer }: Directions,
  info: DirectionsModel,
  site: ResidualSite,
): ImportedSteering {
  const layers = [...byLayer.keys()].sort((a, b) => a - b);
  const places = new Map<HookName, Map<'vector', Float32Array>>();
  for (const layer of layers) {
    const vector = byLayer.get(layer) as Float32Array;
    if (layer >= info.layers)
      throw doesNotFit(`has a vector for layer ${layer}; the model has layers 0 to ${info.layers - 1}`, { layer });
    if (vector.length !== info.width)
      throw doesNotFit(`has vectors of ${vector.length} numbers; the model's residual stream has ${info.width}`, {
        layer,
      });
    places.set(blockHook(layer, site), new Map([['vector', vector]]));
  }
  const notices = [
    ...(model === undefined ? ['The file does not say for which architecture it was made.'] : []),
    ...(model !== undefined && model !== info.architecture
      ? [`The file was made for the architecture '${model}'; this model is '${info.architecture}'.`]
      : []),
  ];
  const spec = { method: { kind: 'steer-vec' }, sites: [site], layers, positions: positionTable([], 'none') } as const;
  return { values: { spec, fingerprint: info.fingerprint, places }, notices };
}

function doesNotFit(what: string, details: Record<string, unknown>): LimnError {
  return new LimnError('data/steering-fit', `These vectors are another model's: the file ${what}.`, {
    details,
    hint: 'Use the model that the vectors were made for, or vectors that were made for this one.',
  });
}
