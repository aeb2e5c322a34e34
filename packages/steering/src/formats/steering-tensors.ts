// Steering values as named tensors and text metadata: what a safetensors file holds, for whoever has a writer and a reader of that format.
import type { HookName } from '@limn/hooks';
import type { ParameterForm } from '../method.js';
import type { SteeringValues } from '../steering.js';
import type { SteeringFile } from './steering-file.js';
import {
  checkHeader,
  expectedTensors,
  headerOf,
  STEERING_FORMAT,
  steeringFields,
  type SteeringProvenance,
} from './steering-header.js';

/** A tensor on the host, row-major. */
export interface SteeringTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors by `{hook name}.{tensor name}`, and metadata: `format`, and the header of a steering file as JSON under `steering`. */
export interface SteeringTensors {
  readonly tensors: ReadonlyMap<string, SteeringTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Values as tensors; `steeringFromTensors` gives them back to the bit.
 * @throws LimnError `data/steering-file`; `data/steering-length`, `data/steering-roles`, `usage/position-mode`, `usage/steering-layer`, `usage/steering-method`, `usage/steering-objective`, `usage/steering-site`
 */
export function steeringTensors(values: SteeringValues, provenance: SteeringProvenance): SteeringTensors {
  const header = JSON.stringify(headerOf(values, provenance));
  const checked = checkHeader(steeringFields.parse(header));
  const tensors = new Map<string, SteeringTensor>();
  for (const { place, form } of expectedTensors(checked)) {
    const field = `${place.at}.${form.name}`;
    const data = values.places.get(place.at)?.get(form.name);
    tensors.set(field, { shape: form.shape, data: checkedData(field, form, form.shape, data) });
  }
  return { tensors, metadata: { format: STEERING_FORMAT, steering: header } };
}

/**
 * The values and provenance of tensors and metadata.
 * @throws LimnError `data/steering-file`; `data/steering-length`, `data/steering-roles`, `usage/position-mode`, `usage/steering-layer`, `usage/steering-method`, `usage/steering-objective`, `usage/steering-site`
 */
export function steeringFromTensors({ tensors, metadata }: SteeringTensors): SteeringFile {
  const fields = steeringFields;
  fields.oneOf(metadata.format, 'metadata.format', [STEERING_FORMAT]);
  const header = checkHeader(fields.parse(fields.text(metadata.steering, 'metadata.steering')));
  const places = new Map<HookName, Map<ParameterForm['name'], Float32Array>>();
  const known = new Set<string>();
  for (const { place, form } of expectedTensors(header)) {
    const field = `${place.at}.${form.name}`;
    known.add(field);
    const tensor = tensors.get(field);
    const own = places.get(place.at) ?? new Map<ParameterForm['name'], Float32Array>();
    own.set(form.name, checkedData(field, form, tensor?.shape, tensor?.data));
    places.set(place.at, own);
  }
  const odd = [...tensors.keys()].find((name) => !known.has(name));
  if (odd !== undefined)
    throw fields.refuse(
      'tensors',
      odd,
      'those of its sites, layers and method, such as ' + [...known].slice(0, 2).join(', '),
    );
  const { spec, provenance } = header;
  return { values: { spec, fingerprint: provenance.model.fingerprint, places }, provenance };
}

function checkedData(
  field: string,
  { shape }: ParameterForm,
  given: readonly number[] | undefined,
  data: Float32Array | undefined,
): Float32Array {
  const allowed = `${shape[0] * shape[1]} finite f32 of shape [${shape.join(', ')}]`;
  const count = shape[0] * shape[1];
  if (given === undefined || data === undefined || given.join() !== shape.join() || data.length !== count)
    throw steeringFields.refuse(
      field,
      data === undefined ? undefined : `${data.length} of shape [${given?.join(', ')}]`,
      allowed,
    );
  if (!data.every(Number.isFinite))
    throw steeringFields.refuse(
      field,
      data.find((value) => !Number.isFinite(value)),
      allowed,
    );
  return data;
}
