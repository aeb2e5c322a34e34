// Control vectors: files of the tools that write them, byte for byte; round trips; and files that lie about every length, count, type and place.
import { blockHook, type HookName } from '@limn/hooks';
import { halfBits, halfValue } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import {
  positionTable,
  readControlVector,
  steeringFromControlVector,
  steeringToControlVector,
  writeControlVector,
  type SteerableSite,
  type SteeringSpec,
  type SteeringValues,
} from '../src/index.js';
import golden from './golden/control-vectors.json' with { type: 'json' };
import { CONTROL_VECTOR, entry, ggufBytes, text, u32, u64, type DescribedFile } from './gguf-bytes.js';

const bytesOf = (name: keyof typeof golden.files): Uint8Array =>
  Uint8Array.from(atob(golden.files[name].base64), (letter) => letter.charCodeAt(0));
const bits = (values: Float32Array): number[] => [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
const bitsOf = (vectors: ReadonlyMap<number, Float32Array>): object =>
  Object.fromEntries(Array.from(vectors, ([layer, values]) => [layer, bits(values)]));
const info = { architecture: 'gpt2', layers: 4, width: 5, fingerprint: 'a1b2' };

describe('control vectors that others wrote', () => {
  it('are read to the bit, as gguf itself reads them', () => {
    for (const [name, { bits: expected }] of Object.entries(golden.files))
      expect(bitsOf(readControlVector(bytesOf(name as 'repeng')).directions), name).toEqual(expected);
    expect(golden.madeBy.gguf).toBe('0.19.0');
  });

  it('say what they were made for, what else they say, and what is odd about them', () => {
    const { modelHint, metadata, notices } = readControlVector(bytesOf('easysteer'));
    expect({ modelHint, notices }).toEqual({ modelHint: 'gpt2', notices: [] });
    expect(Object.fromEntries(metadata ?? [])).toEqual({ method: 'caa', explained: 0.25 });
    expect(readControlVector(bytesOf('repeng from the last layer')).notices).toEqual([
      'llama.cpp has no slot for the output of block 0, and refuses files with a direction.0. This file has one; it is kept here.',
    ]);
    const count = entry('controlvector.layer_count', 4, u32(7));
    expect(readControlVector(ggufBytes({ entries: [CONTROL_VECTOR, count] })).notices).toEqual([
      'The file says that it has 7 layers; it has directions for 1.',
    ]);
  });

  it('are written again as the same bytes', () => {
    for (const name of ['repeng', 'easysteer'] as const)
      expect(writeControlVector(readControlVector(bytesOf(name))), name).toEqual(bytesOf(name));
  });

  it('may be of version 2, and lists in the metadata are passed over', () => {
    const older = bytesOf('repeng');
    older[4] = 2;
    expect(bitsOf(readControlVector(older).directions)).toEqual(golden.files.repeng.bits);
    const lists = [
      entry('a', 9, [...u32(8), ...u64(2), ...text('x'), ...text('')]),
      entry('b', 9, [...u32(9), ...u64(1), ...u32(0), ...u64(3), 1, 2, 3]),
      entry('c', 9, [...u32(12), ...u64(0)]),
      ...[0, 1, 7].map((type) => entry(`one${type}`, type, [1])),
      ...[2, 3].map((type) => entry(`two${type}`, type, [1, 0])),
      ...[4, 5, 6].map((type) => entry(`four${type}`, type, [1, 0, 0, 0])),
      ...[10, 11, 12].map((type) => entry(`eight${type}`, type, u64(1))),
    ];
    const { directions } = readControlVector(ggufBytes({ entries: [...lists, CONTROL_VECTOR] }));
    expect([...directions.keys()]).toEqual([1]);
  });

  it('hold every f16 as the number that it is', () => {
    const halves = Array.from({ length: 64 }, (_, i) => ((i * 991) % 0x7c00) | (i % 2 ? 0x8000 : 0));
    const bytes = ggufBytes({ tensors: [{ shape: [64], type: 1 }], data: 128 });
    new Uint16Array(bytes.buffer, bytes.length - 128).set(halves);
    const [found] = readControlVector(bytes).directions.values();
    expect(Array.from(found as Float32Array)).toEqual(halves.map(halfValue));
    expect(Array.from(found as Float32Array, halfBits)).toEqual(halves);
  });
});

describe('control vectors as steering', () => {
  it('are vectors at the output of the blocks that the file has, for all positions', () => {
    const { values, notices } = steeringFromControlVector(readControlVector(bytesOf('llama')), info);
    expect(values.spec).toEqual({
      method: { kind: 'steer-vec' },
      sites: ['hook_resid_post'],
      layers: [1, 2],
      positions: { mode: 'none', names: ['all'], skip: 0 },
    });
    expect(values.fingerprint).toBe('a1b2');
    expect([...values.places.keys()]).toEqual(['blocks.1.hook_resid_post', 'blocks.2.hook_resid_post']);
    expect(bits(values.places.get('blocks.2.hook_resid_post')?.get('vector') as Float32Array)).toEqual(
      golden.files.llama.bits[2],
    );
    expect(notices).toEqual([]);
  });

  it('are refused by a model of another width or of fewer layers, and name another architecture', async () => {
    const read = readControlVector(bytesOf('repeng'));
    for (const other of [{ width: 6 }, { layers: 3 }])
      expect((await refusal(() => steeringFromControlVector(read, { ...info, ...other }))).code).toBe(
        'data/steering-fit',
      );
    expect(steeringFromControlVector(read, { ...info, architecture: 'toy' }).notices).toEqual([
      "The file was made for the architecture 'gpt2'; this model is 'toy'.",
    ]);
    expect(steeringFromControlVector(readControlVector(ggufBytes({})), { ...info, width: 4 }).notices).toEqual([
      'The file does not say for which architecture it was made.',
    ]);
  });

  it('go out and come in again to the bit, the same bytes each time', () => {
    const values = valuesAt(['hook_resid_post'], [1, 2, 3]);
    const first = steeringToControlVector(values, { modelHint: 'gpt2' });
    expect({ leftOut: first.leftOut, notices: first.notices }).toEqual({ leftOut: [], notices: [] });
    const { values: back } = steeringFromControlVector(readControlVector(first.bytes), info);
    expect(back).toEqual(values);
    expect(steeringToControlVector(back, { modelHint: 'gpt2' }).bytes).toEqual(first.bytes);
    const turned = { ...values, places: new Map([...values.places].reverse()) };
    expect(steeringToControlVector(turned, { modelHint: 'gpt2' }).bytes).toEqual(first.bytes);
  });

  it('leave out what enters block 0 and, for llama.cpp, what leaves it, and say so', () => {
    const values = valuesAt(['hook_resid_post'], [0, 2]);
    const { bytes, leftOut, notices } = steeringToControlVector(values, { modelHint: 'gpt2' });
    expect([...readControlVector(bytes).directions.keys()]).toEqual([2]);
    expect(leftOut).toEqual(['blocks.0.hook_resid_post']);
    expect(notices).toEqual([
      'blocks.0.hook_resid_post is left out. llama.cpp has no slot for the output of block 0, and refuses files with a direction.0.',
    ]);
    const all = steeringToControlVector(values, { modelHint: 'gpt2', layerZero: 'write' });
    expect([...readControlVector(all.bytes).directions.keys()]).toEqual([0, 2]);
    expect(all.leftOut).toEqual([]);
    const before = steeringToControlVector(valuesAt(['hook_resid_pre'], [0, 2]), { modelHint: 'gpt2' });
    expect(before.leftOut).toEqual(['blocks.0.hook_resid_pre']);
    expect([...readControlVector(before.bytes).directions.keys()]).toEqual([1]);
  });

  it('sum what is added to one output, at the strength that is asked for', () => {
    const values = valuesAt(['hook_mlp_out', 'hook_resid_post'], [2]);
    const { bytes } = steeringToControlVector(values, { modelHint: 'gpt2', strength: -2 });
    const [mlp, resid] = ['hook_mlp_out', 'hook_resid_post'].map(
      (site) => values.places.get(blockHook(2, site as 'hook_mlp_out'))?.get('vector') as Float32Array,
    );
    const expected = Float32Array.from(
      mlp as Float32Array,
      (value, i) => -2 * value + -2 * ((resid as Float32Array)[i] as number),
    );
    // Both products are exact; their sum is rounded once.
    expect(readControlVector(bytes).directions.get(2)).toEqual(expected);
  });

  it('cannot hold scales, positions or other sites', async () => {
    const values = valuesAt(['hook_resid_post'], [1]);
    const given = async (change: Partial<SteeringSpec>, strength = 1) =>
      refusal(() =>
        steeringToControlVector({ ...values, spec: { ...values.spec, ...change } }, { modelHint: 'gpt2', strength }),
      );
    for (const change of [
      { method: { kind: 'activ-scalar' } as const },
      { positions: positionTable([{ length: 3 }], 'from-end') },
      { positions: positionTable([], 'none', { skip: 1 }) },
      { sites: ['hook_attn_out'] as const },
    ])
      expect((await given(change)).code, JSON.stringify(change)).toBe('usage/steering-export');
    expect((await given({}, Number.NaN)).code).toBe('usage/steering-export');
    const only = await refusal(() =>
      steeringToControlVector(valuesAt(['hook_resid_post'], [0]), { modelHint: 'gpt2' }),
    );
    expect(only.message).toContain('blocks.0.hook_resid_post');
    const damaged = new Map([[1, Float32Array.of(1, Number.NaN)]]);
    expect((await refusal(() => writeControlVector({ directions: damaged }))).code).toBe('data/steering-gguf');
  });
});

/** Vectors with odd bits at some places. */
function valuesAt(sites: readonly SteerableSite[], layers: readonly number[]): SteeringValues {
  const places = new Map<HookName, Map<'vector', Float32Array>>();
  for (const layer of layers)
    for (const site of sites)
      places.set(
        blockHook(layer, site),
        new Map([['vector', Float32Array.of(-0, 1 / (3 + layer), site.length, 1e-45, -1e30)]]),
      );
  return {
    spec: { method: { kind: 'steer-vec' }, sites, layers, positions: positionTable([], 'none') },
    fingerprint: 'a1b2',
    places,
  };
}

describe('a file that is damaged or lies', () => {
  const refused = async (bytes: Uint8Array): Promise<string> => {
    const { code, message } = await refusal(() => readControlVector(bytes));
    expect(code).toBe('data/steering-gguf');
    return message;
  };

  it('is refused when it ends at any byte, and when anything follows', async () => {
    for (const name of ['repeng', 'halves'] as const) {
      const whole = bytesOf(name);
      for (let length = 0; length < whole.length; length++) await refused(whole.slice(0, length));
      expect(await refused(Uint8Array.of(...whole, 0))).toContain('1 bytes follow');
    }
  });

  it('is read from its own bytes only, wherever they lie in a buffer', () => {
    const whole = bytesOf('repeng');
    const buffer = new Uint8Array(whole.length + 11).fill(255);
    buffer.set(whole, 7);
    expect(bitsOf(readControlVector(buffer.subarray(7, 7 + whole.length)).directions)).toEqual(
      golden.files.repeng.bits,
    );
  });

  it('with any byte changed is read or refused, and nothing else', async () => {
    const whole = bytesOf('halves');
    let read = 0;
    for (let at = 0; at < whole.length; at++)
      for (const flip of [1, 0x80, 0xff]) {
        const changed = whole.slice();
        changed[at] = (changed[at] as number) ^ flip;
        try {
          for (const vector of readControlVector(changed).directions.values()) expect(vector.length).toBe(5);
          read++;
        } catch (error) {
          expect((error as { code?: string }).code, `byte ${at}`).toBe('data/steering-gguf');
        }
      }
    expect(read).toBeGreaterThan(100);
  });

  const most = 2n ** 64n - 1n;
  const lies: readonly (readonly [what: string, file: DescribedFile, says: string])[] = [
    ['another magic', { magic: 'GGJT' }, "does not begin with 'GGUF'"],
    ['version 1', { version: 1 }, 'version is 1'],
    ['big-endian', { version: 0x03000000 }, 'big-endian'],
    ['version 0', { version: 0 }, 'version is 0'],
    ['too many tensors', { tensorCount: 1000n }, 'number of tensors is 1000, more than'],
    ['as many tensors as there can be', { tensorCount: most }, 'more than'],
    ['too many entries', { entryCount: most }, 'metadata entries is 18446744073709551615'],
    ['one entry too many', { entryCount: 2n }, 'This GGUF file'],
    ['a key without end', { entries: [[...text('k', most), ...u32(4)]] }, 'length of key 0'],
    ['a long key', { entries: [entry('k'.repeat(65_536), 0, [1])] }, 'at most 65535'],
    ['a key that is not UTF-8', { entries: [[...u64(2), 0xc3, 0x28, ...u32(0), 1]] }, 'not UTF-8'],
    ['a value of no type', { entries: [entry('k', 13, [])] }, 'type 13'],
    ['a truth value of 2', { entries: [entry('k', 7, [2])] }, 'truth value of 2'],
    ['a key twice', { entries: [CONTROL_VECTOR, CONTROL_VECTOR] }, 'twice'],
    ['a text without end', { entries: [entry('k', 8, u64(most))] }, 'length of the value'],
    ['a list of no type', { entries: [entry('k', 9, [...u32(99), ...u64(0)])] }, 'type 99'],
    ['a list without end', { entries: [entry('k', 9, [...u32(0), ...u64(most)])] }, 'count of the value'],
    ['a list of lists without end', { entries: [entry('k', 9, [...u32(9), ...u64(most)])] }, 'count of the value'],
    ['a list of texts without end', { entries: [entry('k', 9, [...u32(8), ...u64(2n ** 61n)])] }, 'count of the value'],
    [
      'lists in lists in lists',
      { entries: [entry('k', 9, Array.from({ length: 6 }, () => [...u32(9), ...u64(1)]).flat())] },
      'more than 4 deep',
    ],
    ['no architecture', { entries: [] }, 'general.architecture is missing'],
    ['a model', { entries: [entry('general.architecture', 8, text('llama'))] }, 'general.architecture is "llama"'],
    [
      'an architecture as a number',
      { entries: [entry('general.architecture', 4, u32(3))] },
      'general.architecture is 3',
    ],
    ['a hint as a number', { entries: [CONTROL_VECTOR, entry('controlvector.model_hint', 0, [3])] }, 'not text'],
    ['an alignment of 0', { entries: [CONTROL_VECTOR, entry('general.alignment', 4, u32(0))] }, 'alignment is 0'],
    ['an odd alignment', { entries: [CONTROL_VECTOR, entry('general.alignment', 4, u32(24))] }, 'alignment is 24'],
    ['a huge alignment', { entries: [CONTROL_VECTOR, entry('general.alignment', 4, u32(2 ** 31))] }, 'alignment is'],
    [
      'an alignment as text',
      { entries: [CONTROL_VECTOR, entry('general.alignment', 8, text('32'))] },
      'alignment is 32',
    ],
    ['no tensor', { tensors: [], data: 0 }, 'no direction'],
    ['a tensor of no dimension', { tensors: [{ shape: [] }] }, '0 dimensions'],
    ['a tensor of five dimensions', { tensors: [{ shape: [1, 1, 1, 1, 4] }] }, '5 dimensions'],
    ['a tensor of many dimensions', { tensors: [{ dimensions: 2 ** 31 }] }, '2147483648 dimensions'],
    ['a matrix', { tensors: [{ shape: [2, 2] }] }, 'instead of one dimension'],
    ['a tensor of no number', { tensors: [{ shape: [0] }] }, '0 numbers'],
    ['a tensor of too many numbers', { tensors: [{ shape: [9] }] }, 'ends at byte'],
    ['a tensor of as many numbers as there can be', { tensors: [{ shape: [most] }] }, `${most} numbers`],
    [
      'a product of extents that wraps round',
      { tensors: [{ shape: [2n ** 32n, 2n ** 32n] }] },
      '18446744073709551616 numbers',
    ],
    ['bf16', { tensors: [{ type: 30 }] }, 'type 30'],
    ['a quantised tensor', { tensors: [{ type: 2 }] }, 'type 2'],
    ['f64', { tensors: [{ type: 28 }] }, 'type 28'],
    ['an offset beyond the end', { tensors: [{ offset: most }] }, `byte ${most} of the data`],
    ['an offset that is not aligned', { tensors: [{ offset: 4 }] }, 'begins at byte 4'],
    ['a gap', { tensors: [{ offset: 32 }], data: 64 }, 'behind the one before it, 0'],
    ['an overlap', { tensors: [{}, { name: 'direction.2' }], data: 64 }, 'behind the one before it, 32'],
    ['two of a name', { tensors: [{}, { offset: 32 }], data: 64 }, 'two tensors "direction.1"'],
    ['another name', { tensors: [{ name: 'token_embd.weight' }] }, 'no direction of a block'],
    ['a layer below 0', { tensors: [{ name: 'direction.-1' }] }, 'no direction of a block'],
    ['a layer with a leading zero', { tensors: [{ name: 'direction.01' }] }, 'no direction of a block'],
    ['a layer of no model', { tensors: [{ name: 'direction.99999' }] }, 'no direction of a block'],
    ['unlike widths', { tensors: [{}, { name: 'direction.2', shape: [3], offset: 32 }], data: 64 }, 'has 3 numbers'],
  ];
  it.each(lies)('%s', async (_what, file, says) => {
    expect(await refused(ggufBytes(file))).toContain(says);
  });

  it('is whole as the builder of these files makes it', () => {
    expect([...readControlVector(ggufBytes({})).directions.keys()]).toEqual([1]);
  });

  it('holds no infinities', async () => {
    const bytes = ggufBytes({});
    new DataView(bytes.buffer).setFloat32(bytes.length - 28, Number.POSITIVE_INFINITY, true);
    expect(await refused(bytes)).toContain('not finite');
  });
});
