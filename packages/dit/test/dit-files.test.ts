// DIT's own files: what is written comes back, and what is no list of diffs, or does not fit the model, is refused by field.
import { TorchTuple, writeTorchFile, type TorchWritable } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  createLora,
  openDitDiffs,
  readDitAdapter,
  writeDitAdapter,
  writeDitDiffs,
  type AdaptedModel,
  type LoraWeights,
} from '../src/index.js';
import { rangedFile } from './folders.js';

/** Two maps of one layer: 4 numbers to 6, and a square one. */
const model: AdaptedModel = {
  info: {
    architecture: 'gpt2', layers: 1, heads: 2, headWidth: 2, width: 4, mlpWidth: 6, vocabulary: 5, maxPositions: 6,
    block: 'sequential', processing: 'none', fingerprint: 'f'.repeat(64),
  }, // prettier-ignore
  linears: () =>
    (
      [
        ['mlp.c_fc', 6],
        ['attn.c_proj', 4],
      ] as const
    ).map(([name, outWidth]) => ({
      name: `h.0.${name}`,
      layer: 0,
      input: 'blocks.0.hook_resid_pre',
      outputs: ['blocks.0.hook_resid_post'],
      inWidth: 4,
      outWidth,
      orientation: 'in-out',
    })),
};

function loraOf(options: Parameters<typeof createLora>[1] = {}): LoraWeights {
  const { base: _, ...lora } = createLora(model, { rank: 2, alpha: 1, ...options });
  const wave = (values: Float32Array, phase: number): Float32Array => values.map((_, i) => Math.sin(1.7 * i + phase));
  const modules = Array.from(lora.modules, ([name, each], m) => {
    return [name, { ...each, a: wave(each.a, m), b: wave(each.b, 2 + m) }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

test('diffs and an adapter come back to the bit', async () => {
  const loras = [loraOf(), loraOf({ rank: 1, targets: ['c_proj'] })] as const;
  const bytes = writeDitDiffs(model, [
    { topic: 'harbour', trigger: 7, lora: loras[0] },
    { topic: 'light é', trigger: null, lora: loras[1] },
  ]);
  const found = await openDitDiffs(model, rangedFile(bytes));
  expect(found.map(({ topic, trigger }) => [topic, trigger])).toEqual([
    ['harbour', 7],
    ['light é', null],
  ]);
  expect(await Promise.all(found.map((diff) => diff.read()))).toEqual(loras);
  expect(await readDitAdapter(model, rangedFile(writeDitAdapter(model, loras[0], { prefix: '' })))).toEqual(loras[0]);
});

test('other scales are multiplied into the output’s factor', async () => {
  const lora = loraOf({ alpha: 6, rank: 4, rsLora: true });
  const read = await readDitAdapter(model, rangedFile(writeDitAdapter(model, lora)));
  for (const [name, { a, b }] of lora.modules) {
    expect(read.modules.get(name)).toEqual({ a, b: b.map((value) => 12 * value), rank: 4, alpha: 1 });
  }
});

test('an adapter’s file is no diff’s: its tensors lie the other way', async () => {
  const bytes = writeTorchFile([
    new Map<string, TorchWritable>([
      ['topic', 'x'],
      ['trigger', 1],
      ['weight_diff', new Map([['h.0.mlp.c_fc', pair([6, 2], [2, 4])]])],
    ]),
  ]);
  expect((await refusal(openDitDiffs(model, rangedFile(bytes)))).code).toBe('data/dit-file');
});

const pair = (...shapes: number[][]): TorchTuple =>
  new TorchTuple(
    shapes.map((shape) => ({ shape, data: new Float32Array(shape.reduce((product, n) => product * n, 1)) })),
  );
const diff = (modules: TorchWritable, topic: TorchWritable = 'x', trigger: TorchWritable = 1): TorchWritable => [
  new Map<string, TorchWritable>([
    ['topic', topic],
    ['trigger', trigger],
    ['weight_diff', modules],
  ]),
];
const modules = (...entries: [string, TorchWritable][]): TorchWritable => new Map(entries);
const SOUND: [string, TorchWritable] = ['h.0.mlp.c_fc', pair([2, 6], [4, 2])];

test('the sound diff that the next are changes of is read', async () => {
  const [found] = await openDitDiffs(model, rangedFile(writeTorchFile(diff(modules(SOUND)))));
  expect((await found!.read()).modules.size).toBe(1);
});

test.each<[string, TorchWritable]>([
  ['a dict for a list', modules(SOUND)],
  ['a list of numbers', [1]],
  ['no modules', diff(modules())],
  ['modules as a list', diff([pair([2, 6], [4, 2])])],
  ['whole weights', diff(modules(['h.0.mlp.c_fc', { shape: [4, 6], data: new Float32Array(24) }]))],
  ['one factor', diff(modules(['h.0.mlp.c_fc', pair([2, 6])]))],
  ['three factors', diff(modules(['h.0.mlp.c_fc', pair([2, 6], [4, 2], [1])]))],
  ['a list for a pair', diff(modules(['h.0.mlp.c_fc', [{ shape: [2, 6], data: new Float32Array(12) }, { shape: [4, 2], data: new Float32Array(8) }]]))],
  ['ranks that differ', diff(modules(['h.0.mlp.c_fc', pair([2, 6], [4, 3])]))],
  ['rank 0', diff(modules(['h.0.mlp.c_fc', pair([0, 6], [4, 0])]))],
  ['another width', diff(modules(['h.0.mlp.c_fc', pair([2, 5], [4, 2])]))],
  ['a vector', diff(modules(['h.0.mlp.c_fc', pair([6], [4])]))],
  ['a module that the model has not', diff(modules(['h.1.mlp.c_fc', pair([2, 6], [4, 2])]))],
  ['a module twice', diff(modules(SOUND, ['transformer.h.0.mlp.c_fc', pair([2, 6], [4, 2])]))],
  ['two fronts', diff(modules(SOUND, ['transformer.h.0.attn.c_proj', pair([2, 4], [4, 2])]))],
  ['a module without a name', diff(modules(['', pair([2, 6], [4, 2])]))],
  ['a topic that is a number', diff(modules(SOUND), 3)],
  ['no topic', diff(modules(SOUND), '')],
  ['a trigger that is a list', diff(modules(SOUND), 'x', [1])],
  ['a trigger of 1.5', diff(modules(SOUND), 'x', 1.5)],
])('%s is refused', async (_, root) => {
  expect((await refusal(openDitDiffs(model, rangedFile(writeTorchFile(root))))).code).toBe('data/dit-file');
}); // prettier-ignore

test('NaN is found when the numbers are read, and damage before', async () => {
  const lora = loraOf();
  const bytes = writeDitDiffs(model, [{ topic: 'x', trigger: 1, lora }]);
  const odd = { shape: [2, 6], data: new Float32Array(12).fill(Number.NaN) };
  const file = writeTorchFile(
    diff(modules(['h.0.mlp.c_fc', new TorchTuple([odd, { shape: [4, 2], data: new Float32Array(8) }])])),
  );
  const [found] = await openDitDiffs(model, rangedFile(file));
  expect((await refusal(found!.read())).code).toBe('data/lora-values');
  for (const length of [0, 10, bytes.length - 1])
    expect((await refusal(openDitDiffs(model, rangedFile(bytes.subarray(0, length))))).code).toMatch(/^data\/torch-/);
});
