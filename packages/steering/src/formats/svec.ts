// Steering vectors of IBM's activation-steering (.svec): JSON {model_type, directions: {layer: [floats]}, explained_variances: {layer: float}}, read only.
import { CheckedFields } from '@limn/hooks';
import { steeringOfDirections, type DirectionsModel, type ImportedSteering, type ResidualSite } from './directions.js';

/** What an .svec file holds. */
export interface Svec {
  /** The architecture as transformers names it: 'gpt2', 'llama'. */
  readonly modelType: string;
  /** [C] by layer, from 0; rounded to f32. */
  readonly directions: ReadonlyMap<number, Float32Array>;
  /** Share of the variance that the direction of a layer explained; of layers for which the file says it. */
  readonly explainedVariances: ReadonlyMap<number, number>;
}

const MOST_LAYERS = 10_000;
const MOST_WIDTH = 2 ** 24;

const fields = new CheckedFields(
  'data/steering-svec',
  'The .svec file',
  'Use a file that SteeringVector.save of activation-steering wrote, whole.',
);

/**
 * Reads the text of a file.
 * @throws LimnError `data/steering-svec`, naming the field, what it holds and what is allowed
 */
export function readSvec(text: string): Svec {
  const file = fields.parse(text);
  const modelType = fields.text(file.model_type, 'model_type');
  const directions = new Map<number, Float32Array>();
  for (const [key, list] of Object.entries(fields.record(file.directions, 'directions'))) {
    const field = `directions.${key.slice(0, 100)}`;
    const numbers = fields.list(list, field);
    const [first] = directions.values();
    const width = first?.length ?? fields.whole(numbers.length, `${field}.length`, 1, MOST_WIDTH);
    directions.set(layerOf(key, field), fields.floats(numbers, field, width));
  }
  if (directions.size === 0) throw fields.refuse('directions', file.directions, 'at least one layer');
  const explainedVariances = new Map<number, number>();
  for (const [key, share] of Object.entries(fields.record(file.explained_variances, 'explained_variances'))) {
    const field = `explained_variances.${key.slice(0, 100)}`;
    if (typeof share !== 'number' || !Number.isFinite(share)) throw fields.refuse(field, share, 'a finite number');
    explainedVariances.set(layerOf(key, field), share);
  }
  return { modelType, directions, explainedVariances };
}

/**
 * The vectors as steering. activation-steering measures the direction of layer l at the output of block l, and adds it to the input of
 * block l (its LeashLayer edits what goes into the layer that it wraps): so does the default, 'hook_resid_pre'; 'hook_resid_post' adds it
 * where it was measured.
 * @throws LimnError `data/steering-fit`; `data/steering-length`, `data/steering-roles`, `usage/position-mode`
 */
export function steeringFromSvec(
  { modelType, directions }: Svec,
  info: DirectionsModel,
  { site = 'hook_resid_pre' }: { readonly site?: ResidualSite } = {},
): ImportedSteering {
  return steeringOfDirections({ model: modelType, byLayer: directions }, info, site);
}

function layerOf(key: string, field: string): number {
  if (/^(0|[1-9]\d{0,4})$/.test(key) && Number(key) < MOST_LAYERS) return Number(key);
  throw fields.refuse(field, key, `the number of a layer, 0 to ${MOST_LAYERS - 1}`);
}
