// Files of PyTorch are read number by number; what is not a state_dict, or lies about its size, is refused at once, and nothing in a file is ever run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { PickleDict, plainValue, TorchTensor } from '../src/torch-file/pickle-values.js';
import { storedZip } from '../src/torch-file/stored-zip.js';
import { TorchObject, TorchTuple, writeTorchFile, type TorchWritable } from '../src/torch-file/torch-write.js';
import { op, pickle, readBytes, tensor, torchBytes } from './pickles.js';

const golden = (name: string): string => join(import.meta.dirname, 'golden', 'torch', name);
const bytesOf = (name: string): Uint8Array => readFileSync(golden(name));
const expected = JSON.parse(readFileSync(golden('expected.json'), 'utf8')) as Record<
  'run' | 'dtypes',
  Record<string, number[]>
>;

const codeOf = async (bytes: Uint8Array): Promise<string> => (await refusal(() => readBytes(bytes))).code;

test("every dtype, strides and a scalar of torch's come out as torch has them", async () => {
  const { root, read } = await readBytes(bytesOf('dtypes.pt'));
  const found: Record<string, number[]> = {};
  for (const [name, value] of (root as PickleDict).entries)
    found[String(name)] = [...(await read(value as TorchTensor))];
  expect(found).toEqual(expected.dtypes);
  const shared = await readBytes(bytesOf('shared.pt'));
  const [turned, W] = ['turned', 'W'].map((name) => (shared.root as PickleDict).get(name) as TorchTensor);
  expect(turned!.strides).toEqual([1, 3]);
  const [across, along] = [await shared.read(turned!), await shared.read(W!)];
  expect(across).toEqual(along.map((_, at) => along[(at % 5) * 3 + Math.floor(at / 5)] as number));
  const linear = (await readBytes(bytesOf('linear.pt'))).root;
  expect(plainValue(linear)).toEqual({ weight: 'tensor [3, 2]', bias: 'tensor [3]' });
});

test('an object of a class that nobody here has is a record of its attributes', async () => {
  const { root } = await readBytes(bytesOf('run.pt'));
  expect(plainValue(root)).toMatchObject({
    cfg: {
      class: 'settings.Run',
      state: {
        name: 'a run',
        rate: 4e-4,
        big: String(2n ** 70n),
        nothing: null,
        flags: [true, false],
        names: ['a', 'é', ''],
        device: { class: 'torch.device', args: ['cpu'] },
        dtype: 'torch.float32',
      },
    },
    state_dict: { W: 'tensor [3, 5]', b: 'tensor [5]', V: 'tensor [5, 3]' },
  });
});

test('what is written comes back', async () => {
  const data = Float32Array.of(1.5, -0, 1e-45, 3.4e38);
  const W = { shape: [2, 2], data };
  const value = new Map<string, TorchWritable>([
    [
      'cfg',
      new TorchObject(
        'some.where.Config',
        new Map<string, string | number>([
          ['a', 'ü'],
          ['n', 0.5],
          ['m', -3],
        ]),
      ),
    ],
    ['none', null],
    ['flag', true],
    ['W', W],
    ['pairs', [new TorchTuple([W, W]), new TorchTuple([]), []]],
  ]);
  const { root, read } = await readBytes(writeTorchFile(value));
  expect(plainValue(root)).toEqual({
    cfg: { class: 'some.where.Config', state: { a: 'ü', n: 0.5, m: -3 } },
    none: null,
    flag: true,
    W: 'tensor [2, 2]',
    pairs: [['tensor [2, 2]', 'tensor [2, 2]'], [], []],
  });
  expect(await read((root as PickleDict).get('W') as TorchTensor)).toEqual(data);
});

test('a file of 1.4 GB of zeros claimed by its pickle costs no more than its own bytes', async () => {
  const bytes = torchBytes(pickle(tensor({ count: 350_000_000 }, [350_000_000], [1])), 16);
  expect((await refusal(() => readBytes(bytes))).code).toBe('data/torch-storage');
});

const storage = { count: 6 };
const dict = (...parts: readonly (readonly number[])[]): Uint8Array => pickle(op.emptyDict, ...parts);
const repeated = (count: number, part: readonly number[]): number[] => Array.from({ length: count }, () => part).flat();
const system = (name: string, module = 'os'): number[] => [
  ...op.global(module, name),
  ...op.text('true'),
  ...op.tuple1,
  ...op.reduce,
];

test.each<[what: string, code: string, data: Uint8Array]>([
  ['calls os.system', 'call', pickle(system('system'))],
  ['calls posix.system within a dict', 'call', dict(op.text('cfg'), system('system', 'posix'), op.setItem)],
  ['calls builtins.eval', 'call', pickle(system('eval', 'builtins'))],
  ['calls a class of torch', 'call', pickle(system('load', 'torch'))],
  ['calls what a call made', 'pickle', pickle(system('device', 'torch'), op.emptyTuple, op.reduce)],
  [
    'calls OrderedDict with items',
    'call',
    pickle(op.global('collections', 'OrderedDict'), op.emptyList, op.tuple1, op.reduce),
  ],
  ['has an opcode of protocol 4', 'opcode', pickle([0x8c, 1, 0x61])],
  [
    'has INST',
    'opcode',
    pickle(
      op.mark,
      Array.from('ios\nsystem\n', (sign) => sign.charCodeAt(0)),
    ),
  ],
  ['is of protocol 0', 'opcode', Uint8Array.from([0x49, 0x31, 0x0a, 0x2e])],
  ['does not stop', 'truncated', pickle(op.emptyDict).slice(0, -1)],
  ['is empty', 'truncated', new Uint8Array()],
  ['goes on behind its end', 'pickle', Uint8Array.from([...pickle(op.none), 0x4e])],
  ['leaves something on the stack', 'pickle', pickle(op.none, op.none)],
  ['takes from an empty stack', 'pickle', pickle(op.tuple1)],
  ['has no mark', 'pickle', pickle(op.none, op.tuple)],
  ['says that a text has 4 GB', 'truncated', pickle(op.text('a', 0xffff_ffff))],
  ['asks its memo for nothing', 'pickle', pickle(op.get(7))],
  ['puts into its memo at 4 billion', 'limit', pickle(op.none, op.put(0xffff_fff0))],
  ['has a list in itself', 'loop', pickle(op.emptyList, op.put(0), op.get(0), op.append)],
  [
    'has two lists in one another',
    'loop',
    pickle(op.emptyList, op.put(0), op.emptyList, op.put(1), op.get(0), op.append, op.append, op.get(1), op.append),
  ],
  ['lies 65 deep', 'depth', pickle(op.none, repeated(65, op.tuple1))],
  ['lies 100,000 deep', 'depth', pickle(repeated(50_000, op.emptyList), repeated(49_999, op.append))],
  [
    'means 2^60 values in a kilobyte',
    'limit',
    pickle(op.none, op.tuple1, ...Array.from({ length: 60 }, (_, i) => [...op.put(i), ...op.get(i), 0x86])),
  ],
  ['stacks 200,000 values', 'limit', pickle(repeated(200_000, op.none))],
  ['has a key that is a list', 'pickle', dict(op.emptyList, op.none, op.setItem)],
  ['has a key twice', 'pickle', dict(op.text('a'), op.none, op.setItem, op.text('a'), op.none, op.setItem)],
  ['has a text that is not UTF-8', 'pickle', pickle([0x58, 1, 0, 0, 0, 0xff])],
  ['has a name without end', 'pickle', pickle(op.global('a'.repeat(300), 'b'))],
  ['gives attributes to a tuple', 'pickle', pickle(op.emptyTuple, op.none, op.build)],
  ['refers to something that is no storage', 'storage', pickle(op.text('module'), op.tuple1, op.persistentId)],
  ['has a storage of objects', 'storage', pickle(tensor({ kind: 'PyObjectStorage', count: 6 }, [6], [1]))],
  ['has a storage by another path', 'storage', pickle(tensor({ key: '../../data.pkl', count: 6 }, [6], [1]))],
  ['has a storage that is not there', 'storage', pickle(tensor({ key: '9', count: 6 }, [6], [1]))],
  ['has a storage larger than its member', 'storage', pickle(tensor({ count: 7 }, [6], [1]))],
  ['has a storage smaller than its member', 'storage', pickle(tensor({ count: 5 }, [5], [1]))],
  ['has a storage of −1 numbers', 'storage', pickle(tensor({ count: -1 }, [6], [1]))],
  ['has a tensor beyond its storage', 'tensor', pickle(tensor(storage, [7], [1]))],
  ['has a tensor that begins too late', 'tensor', pickle(tensor(storage, [6], [1], 1))],
  ['has a tensor that begins before', 'tensor', pickle(tensor(storage, [6], [1], -1))],
  ['has strides beyond its storage', 'tensor', pickle(tensor(storage, [2, 2], [5, 1]))],
  ['has strides below 0', 'tensor', pickle(tensor(storage, [2, 2], [-1, 1]))],
  [
    'repeats one number 2^93 times',
    'tensor',
    pickle(tensor(storage, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1], [0, 0, 0])),
  ],
  ['has strides of other dimensions', 'tensor', pickle(tensor(storage, [6], []))],
  ['has a shape below 0', 'tensor', pickle(tensor(storage, [-6], [1]))],
  [
    'has a tensor of nothing',
    'tensor',
    pickle(op.global('torch._utils', '_rebuild_tensor_v2'), op.emptyTuple, op.reduce),
  ],
])('a pickle that %s is refused', async (_, code, data) => {
  const before = performance.now();
  expect(await codeOf(torchBytes(data, 24))).toBe(`data/torch-${code}`);
  // The limits stand between a reader and hours; a second would be far too much.
  expect(performance.now() - before).toBeLessThan(1000);
});

test('objects of unknown classes are records, whatever they are called', async () => {
  const made = pickle(
    op.global('os', 'system'),
    op.emptyTuple,
    op.newObject,
    op.emptyDict,
    op.text('a'),
    op.int(1),
    op.setItem,
    op.build,
  );
  expect(plainValue((await readBytes(torchBytes(made))).root)).toEqual({ class: 'os.system', state: { a: 1 } });
  const odd = dict(op.text('__proto__'), op.emptyDict, op.text('polluted'), op.int(1), op.setItem, op.setItem);
  expect(Object.keys(plainValue((await readBytes(torchBytes(odd))).root) as object)).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

/** A sound file with the bytes at a mark of its directory (or of its end) changed. */
function changed(edit: (view: DataView, directory: number, bytes: Uint8Array) => void): Uint8Array {
  const bytes = torchBytes(pickle(tensor(storage, [6], [1])), 24);
  const view = new DataView(bytes.buffer);
  edit(view, view.getUint32(bytes.length - 6, true), bytes);
  return bytes;
}
/** The second entry of the directory, data/0; the first has 46 + 16 bytes. */
const SECOND = 62;

test('the sound file that the next tests change is read', async () => {
  const { root, read } = await readBytes(changed(() => undefined));
  expect([...(await read(root as TorchTensor))]).toEqual([0, 0, 0, 0, 0, 0]);
});

test.each<[what: string, code: string, bytes: Uint8Array]>([
  ['is of PyTorch before 1.6', 'not-zip', bytesOf('legacy.pt')],
  ['is empty', 'not-zip', new Uint8Array()],
  ['is text', 'not-zip', new TextEncoder().encode('{"cfg": 1, "state_dict": {}, "and": "more"}')],
  ['is big-endian', 'byte-order', bytesOf('big-endian.pt')],
  [
    'has two pickles',
    'pickle',
    storedZip([
      ['a/data.pkl', pickle(op.none)],
      ['b/data.pkl', pickle(op.none)],
    ]),
  ],
  ['has no pickle', 'pickle', storedZip([['a/version', Uint8Array.of(0x33)]])],
  [
    'has two members of one name',
    'duplicate',
    storedZip([
      ['a/data.pkl', pickle(op.none)],
      ['a/data.pkl', pickle(op.none)],
    ]),
  ],
  ['has a compressed storage', 'compressed', changed((view, at) => view.setUint16(at + SECOND + 10, 8, true))],
  [
    'has a storage that unpacks to a gigabyte',
    'compressed',
    changed((view, at) => view.setUint32(at + SECOND + 24, 2 ** 9, true)),
  ],
  ['has an encrypted member', 'encrypted', changed((view, at) => view.setUint16(at + SECOND + 8, 1, true))],
  [
    'has members that overlap',
    'overlap',
    changed((view, at) => view.setUint32(at + SECOND + 42, view.getUint32(at + 42, true) + 8, true)),
  ],
  [
    'has a storage that reaches into the next',
    'overlap',
    changed((view, at) => [20, 24].forEach((field) => view.setUint32(at + SECOND + field, 400, true))),
  ],
  ['has a member beyond its end', 'zip', changed((view, at) => view.setUint32(at + SECOND + 42, 2 ** 30, true))],
  [
    'has a member of 2 GB',
    'zip',
    changed((view, at) => [20, 24].forEach((field) => view.setUint32(at + SECOND + field, 2 ** 31, true))),
  ],
  [
    'lacks wide sizes that it promises',
    'zip',
    changed((view, at) => view.setUint32(at + SECOND + 24, 2 ** 32 - 1, true)),
  ],
  ['has a name beyond its directory', 'zip', changed((view, at) => view.setUint16(at + SECOND + 28, 60_000, true))],
  ['counts more members than it has', 'zip', changed((view, _, { length }) => view.setUint16(length - 12, 9, true))],
  ['counts fewer members than it has', 'zip', changed((view, _, { length }) => view.setUint16(length - 12, 2, true))],
  ['has its directory elsewhere', 'zip', changed((view, _, { length }) => view.setUint32(length - 6, 3, true))],
  [
    'has a comment',
    'truncated',
    Uint8Array.from([...changed((view, _, { length }) => view.setUint16(length - 2, 1, true)), 65]),
  ],
  ['promises a wide directory', 'zip', changed((view, _, { length }) => view.setUint16(length - 12, 0xffff, true))],
  [
    'has other bytes than were written',
    'checksum',
    changed((_, __, bytes) => (bytes[0x44] = (bytes[0x44] as number) ^ 1)),
  ],
])('a file that %s is refused', async (_, code, bytes) => {
  expect(await codeOf(bytes)).toBe(`data/torch-${code}`);
});

test('a member whose own header says something else is refused when it is read', async () => {
  for (const offset of [0, 8, 30]) {
    const bytes = changed((view, at) => {
      const local = view.getUint32(at + SECOND + 42, true);
      view.setUint8(local + offset, view.getUint8(local + offset) ^ 1);
    });
    const { root, read } = await readBytes(bytes);
    expect((await refusal(() => read(root as TorchTensor))).code).toBe('data/torch-zip');
  }
});

test('every cut of a file of torch is refused, and no byte of one can be changed without a code or the same result', async () => {
  const bytes = bytesOf('run.pt');
  for (let length = 0; length < bytes.length; length += 7)
    expect(await codeOf(bytes.subarray(0, length))).toMatch(/^data\/torch-/);
  // Every 11th byte, each with another mask: pickle, headers, directory and storages.
  for (let at = 0; at < bytes.length; at += 11) {
    const spoilt = Uint8Array.from(bytes);
    spoilt[at] = (spoilt[at] as number) ^ (1 << (at % 8));
    const outcome = await readBytes(spoilt)
      .then(async ({ root, read }) => {
        const state = (root as PickleDict).get('state_dict') as PickleDict;
        for (const [name, value] of state.entries) {
          const numbers = [...(await read(value as TorchTensor))];
          expect(numbers).toEqual(expected.run[String(name)]);
        }
        return 'the same';
      })
      .catch((error: { code?: string; message: string }) => error.code ?? error.message);
    expect(outcome).toMatch(/^the same$|^data\/torch-/);
  }
});

test('a pickle of torch with any of its bytes changed is read or refused, at once', async () => {
  const whole = bytesOf('run.pt');
  const from = whole.indexOf(0x80);
  const data = whole.subarray(from, from + 571);
  const codes = new Set<string>();
  for (let at = 0; at < data.length; at += 2) {
    const spoilt = Uint8Array.from(data);
    spoilt[at] = (spoilt[at] as number) ^ (1 << (at % 7)) ^ 0x80;
    await readBytes(torchBytes(spoilt, 60, 20, 60)).catch((error: { code?: string; message: string }) => {
      expect(error.code ?? error.message).toMatch(/^data\/torch-/);
      codes.add(error.code as string);
    });
  }
  expect(codes.size).toBeGreaterThan(4);
});
