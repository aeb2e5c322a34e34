// One tensor's entry in a safetensors header: {dtype, shape, data_offsets}, checked with exact integers before anything is allocated.
import type { LimnError } from '@limn/gpu';
import type { JsonLimits, ScannedJson } from '@limn/hooks';

/** Bits per element of every dtype the format knows. */
const dtypeBits = new Map(
  Object.entries({
    BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64, F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64,
    F4: 4, F6_E2M3: 6, F6_E3M2: 6, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  }), // prettier-ignore
);
/** Of a header or an index: tensors, dimensions, and how deep an entry lies. */
export const headerLimits: JsonLimits = { keys: 1_000_000, items: 16, depth: 4 };
const maxInteger = 2n ** 48n - 1n;
const maxNameLength = 4096;
/** The reference reader counts elements and bits in 64-bit words. */
const wordLimit = 2n ** 64n;

/** One tensor of a file; `begin` and `end` are absolute byte offsets in that file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly file: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Makes the error for a fault of this file. */
export type Complaint = (code: string, message: string, details?: Record<string, unknown>) => LimnError;

export const isJsonObject = (value: ScannedJson | undefined): value is ReadonlyMap<string, ScannedJson> =>
  value instanceof Map;

/** Reads one entry; offsets are moved by `dataStart`. Throws what `bad` makes. */
export function readEntry(
  name: string,
  value: ScannedJson,
  file: string,
  dataStart: number,
  bad: Complaint,
): SafetensorsEntry {
  if (name.length > maxNameLength)
    throw bad('limit', `a tensor name has ${name.length} characters; at most ${maxNameLength} are allowed`);
  const where = `tensor ${JSON.stringify(name)}`;
  // The reference reader also takes an entry written as a list in field order, by accident of its JSON library.
  if (Array.isArray(value)) throw bad('entry-form', `${where} is a list, not an object`);
  if (!isJsonObject(value)) throw bad('bad-entry', `${where} is not an object`);
  for (const key of value.keys()) {
    if (key === 'dtype' || key === 'shape' || key === 'data_offsets') continue;
    throw bad(
      'unknown-field',
      `${where} has an unknown field ${JSON.stringify(key)}; allowed are dtype, shape, data_offsets`,
    );
  }
  const dtype = value.get('dtype');
  if (isJsonObject(dtype)) throw bad('entry-form', `${where} has a dtype that is an object, not a word`);
  const bits = typeof dtype === 'string' ? dtypeBits.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    const given = typeof dtype === 'string' ? JSON.stringify(dtype.slice(0, 100)) : 'no word';
    throw bad('unknown-dtype', `${where} has dtype ${given}; known are ${[...dtypeBits.keys()].join(', ')}`);
  }
  const count = (item: ScannedJson, what: string): bigint => {
    if (typeof item !== 'bigint' || item < 0n || item >= wordLimit)
      throw bad('bad-entry', `${where} has ${what} that holds something else than whole numbers from 0`);
    if (item > maxInteger) throw bad('limit', `${where} has ${what} with ${item}; at most 2^48−1 is allowed`);
    return item;
  };
  const shapeValue = value.get('shape');
  if (!Array.isArray(shapeValue)) throw bad('bad-entry', `${where} has no shape`);
  const offsets = value.get('data_offsets');
  if (!Array.isArray(offsets) || offsets.length !== 2) throw bad('bad-entry', `${where} has no two data_offsets`);
  const shape = (shapeValue as readonly ScannedJson[]).map((item) => count(item, 'a shape'));
  const [begin, end] = (offsets as readonly ScannedJson[]).map((item) => count(item, 'data_offsets')) as [
    bigint,
    bigint,
  ];
  if (end < begin) throw bad('bad-entry', `${where} ends at byte ${end}, before it begins at byte ${begin}`);

  let elements = 1n;
  for (const extent of shape) {
    elements *= extent;
    if (elements >= wordLimit)
      throw bad('overflow', `${where} of shape [${shape.join(', ')}] has 2^64 elements or more`);
  }
  const total = elements * BigInt(bits);
  if (total >= wordLimit) throw bad('overflow', `${where} of shape [${shape.join(', ')}] needs 2^64 bits or more`);
  if (total % 8n !== 0n)
    throw bad('misaligned', `${where} of shape [${shape.join(', ')}] and dtype ${dtype} does not fill whole bytes`);
  if (total / 8n !== end - begin) {
    throw bad(
      'shape-mismatch',
      `${where} of shape [${shape.join(', ')}] and dtype ${dtype} needs ${total / 8n} bytes, but has ${end - begin}`,
    );
  }
  return {
    name,
    file,
    dtype,
    shape: shape.map(Number),
    begin: dataStart + Number(begin),
    end: dataStart + Number(end),
  };
}
