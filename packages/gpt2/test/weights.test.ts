// Finding and reading weights: prefixes, shards, tying, orientation, and every way in which a folder can be wrong.
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { newConfig } from '../src/config.js';
import { memoryFiles, type ModelFiles } from '../src/files.js';
import { writeSafetensors, type WritableTensor } from '../src/safetensors-write.js';
import { findWeights, Fingerprint, readWeight } from '../src/weights.js';
import { isLinearWeight, weightShapes } from '../src/weight-names.js';

const config = newConfig({ vocabulary: 5, maxPositions: 4, width: 4, layers: 1, heads: 2, mlpWidth: 6 });
const { tied: _stated, ...undecided } = config;

/** Distinct values everywhere; `lm_head.weight` only when asked for. */
function tensors(head: 'none' | 'equal' | 'different' = 'none'): Map<string, WritableTensor> {
  const made = new Map<string, WritableTensor>();
  let next = 1;
  for (const [name, shape] of weightShapes(config, head === 'none')) {
    const size = shape.reduce((a, b) => a * b, 1);
    made.set(name, { shape, data: Float32Array.from({ length: size }, () => next++) });
  }
  if (head === 'equal') made.set('lm_head.weight', made.get('wte.weight') as WritableTensor);
  return made;
}
const folder = (map: Map<string, WritableTensor>) => memoryFiles({ 'model.safetensors': writeSafetensors(map) });
async function fingerprint(files: ModelFiles): Promise<string> {
  const { entries } = await findWeights(files, undecided);
  const print = new Fingerprint();
  for (const [name, entry] of entries) await print.add(name, await readWeight(files, name, entry));
  return print.digest();
}

describe('weights', () => {
  test('prefix, mask buffers, an equal head and shards change nothing: same fingerprint', async () => {
    const plain = await fingerprint(folder(tensors()));
    expect(plain).toMatch(/^[0-9a-f]{64}$/);
    const prefixed = new Map([...tensors()].map(([name, tensor]) => [`transformer.${name}`, tensor]));
    prefixed.set('transformer.h.0.attn.bias', { shape: [1, 1, 4, 4], data: new Float32Array(16) });
    prefixed.set('transformer.h.0.attn.masked_bias', { shape: [], data: new Float32Array(1) });
    expect(await fingerprint(folder(prefixed))).toBe(plain);
    expect(await fingerprint(folder(tensors('equal')))).toBe(plain);
    const all = [...tensors()];
    const shards = memoryFiles({
      'model-00001-of-00002.safetensors': writeSafetensors(new Map(all.slice(0, 5))),
      'model-00002-of-00002.safetensors': writeSafetensors(new Map(all.slice(5))),
      'model.safetensors.index.json': JSON.stringify({
        weight_map: Object.fromEntries(
          all.map(([name], i) => [name, `model-0000${i < 5 ? 1 : 2}-of-00002.safetensors`]),
        ),
      }),
    });
    expect(await fingerprint(shards)).toBe(plain);
    const changed = tensors();
    (changed.get('ln_f.bias') as { data: Float32Array }).data[1] = 0.5;
    expect(await fingerprint(folder(changed))).not.toBe(plain);
  });

  test('a head of its own is kept, and must not contradict the config', async () => {
    expect((await findWeights(folder(tensors('different')), undecided)).tied).toBe(false);
    expect((await findWeights(folder(tensors('equal')), undecided)).tied).toBe(true);
    expect((await findWeights(folder(tensors('equal')), { ...config, tied: false })).tied).toBe(false);
    expect((await refusal(findWeights(folder(tensors('different')), config))).code).toBe('weights/tie-mismatch');
    expect((await refusal(findWeights(folder(tensors()), { ...config, tied: false }))).code).toBe('weights/missing');
  });

  test('an orientation that is none is refused, however it is written; a head that config.json does not mention is told of', async () => {
    for (const orientation of ['out_in', 'OUT-IN', null, 5]) {
      const error = await refusal(findWeights(folder(tensors()), config, orientation as never));
      expect(error.code).toBe('weights/bad-orientation');
      expect(error.message).toContain("allowed: 'in-out', 'out-in'");
    }
    const said: string[] = [];
    const note = (notice: string): void => void said.push(notice);
    expect((await findWeights(folder(tensors('different')), undecided, undefined, note)).tied).toBe(false);
    expect(said).toEqual([expect.stringMatching(/does not say tie_word_embeddings.*loaded untied/)]);
    await findWeights(folder(tensors('equal')), undecided, undefined, note);
    await findWeights(folder(tensors('different')), { ...undecided, tied: false }, undefined, note);
    expect(said.length).toBe(1);
  });

  test('nn.Linear orientation is turned on request and suggested when shapes show it', async () => {
    const turned = new Map(
      [...tensors()].map(([name, { shape, data }]) => {
        if (!isLinearWeight(name)) return [name, { shape, data }] as const;
        const [rows, columns] = shape as [number, number];
        return [
          name,
          {
            shape: [columns, rows],
            data: Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number),
          },
        ] as const;
      }),
    );
    const files = folder(turned);
    const { entries } = await findWeights(files, undecided, 'out-in');
    for (const [name, { shape, data }] of tensors()) {
      expect(await readWeight(files, name, entries.get(name) as never, 'out-in')).toEqual({ shape, data });
    }
    const error = await refusal(findWeights(files, undecided));
    expect([error.code, error.hint]).toEqual(['weights/shape', "It looks transposed: pass orientation 'out-in'."]);
  });

  test.each([
    ['weights/missing', (map: Map<string, WritableTensor>) => map.delete('ln_f.bias')],
    [
      'weights/unexpected',
      (map: Map<string, WritableTensor>) => map.set('score.weight', { shape: [1], data: new Float32Array(1) }),
    ],
    [
      'weights/duplicate',
      (map: Map<string, WritableTensor>) => map.set('transformer.ln_f.bias', map.get('ln_f.bias') as WritableTensor),
    ],
    [
      'weights/shape',
      (map: Map<string, WritableTensor>) => map.set('wpe.weight', { shape: [5, 4], data: new Float32Array(20) }),
    ],
  ])('%s', async (code, spoil) => {
    const map = tensors();
    spoil(map);
    expect((await refusal(findWeights(folder(map), undecided))).code).toBe(code);
  });

  test.each([Number.NaN, Infinity, -Infinity])('%s is named with tensor and index', async (value) => {
    const map = tensors();
    (map.get('h.0.mlp.c_fc.weight') as { data: Float32Array }).data[6 * 2 + 5] = value;
    const files = folder(map);
    const { entries } = await findWeights(files, undecided);
    const error = await refusal(readWeight(files, 'h.0.mlp.c_fc.weight', entries.get('h.0.mlp.c_fc.weight') as never));
    expect(error.code).toBe('weights/not-finite');
    expect(error.message).toContain('h.0.mlp.c_fc.weight[2, 5]');
  });

  test.each([
    '../evil.safetensors',
    '/etc/passwd',
    'C:\\x.safetensors',
    'a/b.safetensors',
    '..safetensors',
    'a\0.safetensors',
    'x.bin',
    '',
    5,
  ])('a shard named %j is refused', async (shard) => {
    const files = memoryFiles({
      'model.safetensors.index.json': JSON.stringify({ weight_map: { 'wte.weight': shard } }),
    });
    expect((await refusal(findWeights(files, undecided))).code).toBe('weights/bad-index');
  });

  test('pickle files are refused with the way out, an empty folder by name', async () => {
    expect((await refusal(findWeights(memoryFiles({ 'pytorch_model.bin': 'x' }), undecided))).code).toBe(
      'weights/no-safetensors',
    );
    expect((await refusal(findWeights(memoryFiles({}), undecided))).code).toBe('files/not-found');
  });
});
