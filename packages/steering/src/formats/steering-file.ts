// Steering values as text, 'activation-scale/1': JSON with everything that is needed to use, check and learn the values again, to the bit.
import { floatsToText, textToFloats, type HookName } from '@limn/hooks';
import type { ParameterForm } from '../method.js';
import type { SteeringValues } from '../steering.js';
import {
  checkHeader,
  expectedTensors,
  headerOf,
  steeringFields,
  type ExpectedTensor,
  type SteeringProvenance,
} from './steering-header.js';

/** What a steering file holds. */
export interface SteeringFile {
  readonly values: SteeringValues;
  readonly provenance: SteeringProvenance;
}

/** Values up to this many are written as decimals, which can be read without tools; more are a third as long in base64. */
const MOST_DECIMALS = 256;

/**
 * The text of a file. `provenance.model` may be the `info` of the model that the values were learnt on. One field to a line, one place to
 * a line; each tensor is {shape, values} in the shortest decimals that round to its f32, or {shape, base64} of little-endian f32.
 * Whatever is written here can be read: the text is read once before it is given back.
 * @throws LimnError `data/steering-file` for values that are not finite or do not fit their spec, and for provenance that is none; `data/steering-length`, `data/steering-roles`, `usage/position-mode`, `usage/steering-layer`, `usage/steering-method`, `usage/steering-objective`, `usage/steering-site`
 */
export function writeSteering(values: SteeringValues, provenance: SteeringProvenance): string {
  const lines = (object: object, indent: string): string =>
    Object.entries(object)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${indent}${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(',\n');
  const shapes = new Map<string, readonly number[]>();
  const header = headerOf(values, provenance);
  const { model } = provenance;
  for (const { place, form } of expectedTensors({ spec: values.spec, provenance: { model } }))
    shapes.set(`${place.at} ${form.name}`, form.shape);
  const places = Object.fromEntries(
    Array.from(values.places, ([at, own]) => [
      at,
      Object.fromEntries(
        Array.from(own, ([name, data]) => [
          name,
          { shape: shapes.get(`${at} ${name}`) ?? [data.length], ...numbersOf(data) },
        ]),
      ),
    ]),
  );
  const text = `{\n${lines(header, '  ')},\n  "places": {\n${lines(places, '    ')}\n  }\n}\n`;
  readSteering(text);
  return text;
}

/**
 * The values and provenance of a file's text, every field checked; fields that the format does not define come back as
 * `provenance.extra`, and go out again with it.
 * @throws LimnError `data/steering-file`, naming the field, what it holds and what is allowed
 */
export function readSteering(text: string): SteeringFile {
  const file = steeringFields.parse(text);
  const header = checkHeader(file);
  const given = steeringFields.record(file.places, 'places');
  const places = new Map<HookName, Map<ParameterForm['name'], Float32Array>>();
  const expected = expectedTensors(header);
  for (const tensor of expected) {
    const { at } = tensor.place;
    const own = places.get(at) ?? new Map<ParameterForm['name'], Float32Array>();
    own.set(tensor.form.name, numbersAt(steeringFields.record(given[at], `places.${at}`), tensor));
    places.set(at, own);
  }
  for (const [at, own] of Object.entries(given)) {
    const names = new Set(places.get(at as HookName)?.keys());
    if (names.size === 0)
      throw steeringFields.refuse(`places.${at}`, own, 'left out: no place of these sites, layers and method');
    for (const [name, tensor] of Object.entries(steeringFields.record(own, `places.${at}`)))
      if (!names.has(name as ParameterForm['name']))
        throw steeringFields.refuse(
          `places.${at}.${name}`,
          tensor,
          `left out: the method has ${[...names].join(', ')}`,
        );
  }
  const { spec, provenance } = header;
  return { values: { spec, fingerprint: provenance.model.fingerprint, places }, provenance };
}

/** Decimals where they are few and hold every bit (JSON has no −0), else base64. */
function numbersOf(data: Float32Array): { readonly values: readonly number[] } | { readonly base64: string } {
  const plain = data.length <= MOST_DECIMALS && !data.some((value) => Object.is(value, -0));
  return plain ? { values: Array.from(data, shortestDecimal) } : { base64: floatsToText(data) };
}

/** The number with the fewest decimals that rounds to this f32; nine always suffice. */
function shortestDecimal(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

function numbersAt(
  own: Readonly<Record<string, unknown>>,
  { place: { at }, form: { name, shape } }: ExpectedTensor,
): Float32Array {
  const fields = steeringFields;
  const field = `places.${at}.${name}`;
  const { shape: given, values, base64 } = fields.record(own[name], field);
  if (!Array.isArray(given) || given.length !== 2 || given[0] !== shape[0] || given[1] !== shape[1])
    throw fields.refuse(
      `${field}.shape`,
      Array.isArray(given) ? JSON.stringify(given.slice(0, 4)) : given,
      `[${shape.join(', ')}]`,
    );
  const count = shape[0] * shape[1];
  if (values !== undefined && base64 !== undefined)
    throw fields.refuse(field, own[name], "a shape with either 'values' or 'base64'");
  if (base64 === undefined) return fields.floats(values, `${field}.values`, count);
  const letters = 4 * Math.ceil((4 * count) / 3);
  const padding = '='.repeat((3 * letters) / 4 - 4 * count);
  const allowed = `base64 of ${count} finite little-endian f32, ${letters} characters`;
  const sound = typeof base64 === 'string' && base64.length === letters && base64.endsWith(padding);
  if (!sound || !/^[A-Za-z0-9+/]*$/.test(base64.slice(0, letters - padding.length)))
    throw fields.refuse(`${field}.base64`, base64, allowed);
  const floats = textToFloats(base64);
  if (floats.length !== count || !floats.every(Number.isFinite))
    throw fields.refuse(`${field}.base64`, base64, allowed);
  return floats;
}
