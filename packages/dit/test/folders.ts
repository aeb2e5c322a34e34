// Folders of this package's tests as the formats see them, and the small GPT-2 that the adapters in test/golden change.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  loadGpt2,
  memoryFiles,
  readSafetensorsHeader,
  readTensorF32,
  writeSafetensors,
  type Gpt2,
  type WeightForm,
} from '@limn/gpt2';
import {
  tokenBatch,
  type HookedModel,
  type Intervention,
  type RangedFile,
  type StoredFiles,
  type WrittenFile,
} from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';

/** Files by name. */
export type Content = Record<string, Uint8Array | string>;

/** Bytes by name, as a folder. */
export function filesOf(content: Content, label = 'a folder'): StoredFiles {
  const files = memoryFiles(content, label);
  return {
    label,
    names: () => files.list(),
    size: (name) => files.size(name),
    bytes: (name, from, to) => files.read(name, from, to),
    text: async (name, mostBytes) => {
      const bytes = await files.read(name);
      if (bytes.length > mostBytes) throw new Error(`${name} is too long`);
      return new TextDecoder().decode(bytes);
    },
    tensors: async (name) => {
      const { tensors, metadata } = await readSafetensorsHeader(files, name);
      const stored = Array.from(tensors, ([tensor, entry]) => {
        const { dtype, shape } = entry;
        return [tensor, { dtype, shape, read: () => readTensorF32(files, entry) }] as const;
      });
      return { metadata, tensors: new Map(stored) };
    },
  };
}

/** Bytes as one file. */
export const rangedFile = (bytes: Uint8Array, name = 'a.pt'): RangedFile => ({
  name,
  size: bytes.length,
  bytes: async (from, to) => bytes.subarray(from, to),
});

/** The folder test/golden/…. */
export const golden = (...path: string[]): string => join(import.meta.dirname, 'golden', ...path);

/** All files below test/golden/… by name. */
export function goldenContent(...path: string[]): Content {
  const root = golden(...path);
  const below = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return Object.fromEntries(
    below
      .filter((name) => statSync(name).isFile())
      .map((name) => [relative(root, name).replaceAll('\\', '/'), readFileSync(name)]),
  );
}

/** Files as they come from a writer, as bytes by name. */
export function contentOf(files: readonly WrittenFile[]): Content {
  return Object.fromEntries(
    files.map((file) => [
      file.name,
      'text' in file ? file.text : 'bytes' in file ? file.bytes : writeSafetensors(file.tensors, file.metadata),
    ]),
  );
}

/** The model in test/golden/base. */
export async function goldenModel(form: WeightForm = {}): Promise<Gpt2> {
  return (await loadGpt2(await testGpu(), memoryFiles(goldenContent('base')), form)).model;
}

/** Logits [B·T, V] of prompts of one length. */
export async function logitsOf(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  interventions: readonly Intervention[] = [],
): Promise<Float32Array> {
  const step = model.gpu.step({ label: 'logits' });
  try {
    return await readFloats(
      step,
      model.run(step, { tokens: tokenBatch(prompts, model.info) }, { interventions }).logits,
    );
  } finally {
    step.dispose();
  }
}

/** ‖x − y‖ and ‖y‖. */
export function distanceOf(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
): { readonly apart: number; readonly size: number } {
  let [apart, size] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    apart += ((x[i] as number) - (y[i] as number)) ** 2;
    size += (y[i] as number) ** 2;
  }
  return { apart: Math.sqrt(apart), size: Math.sqrt(size) };
}
