// Folders of this package's tests as the formats see them: files on disk through gpt2's readers, and files that were just written.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { memoryFiles, readSafetensorsHeader, readTensorF32, writeSafetensors } from '@limn/gpt2';
import type { DictionaryFile, DictionaryFiles } from '../src/index.js';

/** Bytes by name, as a folder. */
export function filesOf(content: Readonly<Record<string, Uint8Array | string>>, label = 'a folder'): DictionaryFiles {
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

/** The folder test/golden/…. */
export const golden = (...path: string[]): string => join(import.meta.dirname, 'golden', ...path);

/** All files below test/golden/… by name. */
export function goldenContent(...path: string[]): Record<string, Uint8Array> {
  const root = golden(...path);
  const below = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return Object.fromEntries(
    below
      .filter((name) => statSync(name).isFile())
      .map((name) => [relative(root, name).replaceAll('\\', '/'), readFileSync(name)]),
  );
}

/** Files as they come from a writer, as bytes by name. */
export async function contentOf(
  files: Iterable<DictionaryFile> | AsyncIterable<DictionaryFile>,
): Promise<Record<string, Uint8Array | string>> {
  const content: Record<string, Uint8Array | string> = {};
  for await (const file of files)
    content[file.name] =
      'text' in file ? file.text : 'bytes' in file ? file.bytes : writeSafetensors(file.tensors, file.metadata);
  return content;
}
