// Folders of dictionaries on disk for @limn/transcoders: their names with those of the folders below, texts, tensors and ranges of bytes; and the way back.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { openFolder } from '@limn/gpt2/node';
import {
  readSafetensorsHeader,
  readSmall,
  readTensorF32,
  safetensorsContent,
  type FileContent,
  type ModelFiles,
} from '@limn/gpt2';
import { LimnError } from '@limn/gpu';
import type { DictionaryFile, DictionaryFiles } from '@limn/transcoders';
import { setFolder } from './bundled-folders.js';

/** Folders below the topmost beyond which it is no folder of dictionaries. */
const MOST_FOLDERS = 1000;

/**
 * Folders as one: '' is the topmost, others are those below it by their names.
 */
export function dictionaryFiles(label: string, folders: ReadonlyMap<string, ModelFiles>): DictionaryFiles {
  const find = (name: string): readonly [files: ModelFiles, base: string] => {
    const slash = name.lastIndexOf('/');
    const files = folders.get(slash < 0 ? '' : name.slice(0, slash));
    if (files) return [files, name.slice(slash + 1)];
    throw new LimnError('files/not-found', `${label} has no ${name}`, { details: { label, name } });
  };
  return {
    label,
    names: async () => {
      const names: string[] = [];
      for (const [folder, files] of folders)
        for (const base of await files.list()) {
          const name = folder === '' ? base : `${folder}/${base}`;
          if (!folders.has(name)) names.push(name);
        }
      return names;
    },
    text: async (name, mostBytes) => {
      const [files, base] = find(name);
      const bytes = await readSmall(files, base, mostBytes);
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      } catch (cause) {
        throw new LimnError('files/not-text', `${name} in ${label} is not text in UTF-8`, {
          details: { label, name },
          cause,
        });
      }
    },
    tensors: async (name) => {
      const [files, base] = find(name);
      const { tensors, metadata } = await readSafetensorsHeader(files, base);
      return {
        metadata,
        tensors: new Map(
          Array.from(tensors, ([tensor, entry]) => [
            tensor,
            { dtype: entry.dtype, shape: entry.shape, read: () => readTensorF32(files, entry) },
          ]),
        ),
      };
    },
    size: async (name) => {
      const [files, base] = find(name);
      return files.size(base);
    },
    bytes: async (name, from, to) => {
      const [files, base] = find(name);
      return files.read(base, from, to);
    },
  };
}

/**
 * A folder on disk, or the set that comes with pocket, and the folders directly below it.
 * @throws LimnError `files/not-found`; `files/read` for a place that cannot be listed, or with more than a thousand folders
 */
export async function openDictionaryFolder(name: string): Promise<DictionaryFiles> {
  const folder = setFolder(name);
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new LimnError('files/not-found', `${name} is not a folder that can be listed`, {
      details: { folder: name },
      hint: 'give a folder of dictionaries; `pocket` is the set that comes with pocket',
      cause,
    });
  });
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  if (below.length > MOST_FOLDERS)
    throw new LimnError(
      'files/read',
      `${name} has ${below.length} folders; a folder of dictionaries has at most ${MOST_FOLDERS}`,
      {
        details: { folder: name, folders: below.length },
      },
    );
  return dictionaryFiles(
    name,
    new Map([['', openFolder(folder)], ...below.map((each) => [each, openFolder(path.join(folder, each))] as const)]),
  );
}

/**
 * Writes files into a folder as they come; each appears under its name only when it is complete.
 * @throws LimnError `files/write`; what making the files throws
 */
export async function saveDictionaryFiles(
  folder: string,
  files: Iterable<DictionaryFile> | AsyncIterable<DictionaryFile>,
): Promise<void> {
  for await (const file of files) {
    const target = path.join(folder, ...file.name.split('/'));
    await openFolder(path.dirname(target)).write(path.basename(target), contentOf(file));
  }
}

function contentOf(file: DictionaryFile): Uint8Array | FileContent {
  if ('text' in file) return new TextEncoder().encode(file.text);
  if ('bytes' in file) return file.bytes;
  const tensors = new Map(
    Array.from(file.tensors, ([name, { shape, data }]) => [
      name,
      {
        shape,
        pieces: async function* () {
          yield data;
        },
      },
    ]),
  );
  return safetensorsContent(tensors, file.metadata);
}
