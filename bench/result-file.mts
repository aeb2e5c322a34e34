// Files in bench/results: one for each bench and adapter, replaced as a whole.
import { accessSync, constants, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Where a bench writes unless `--out` says otherwise: beside its sources, or where LIMN_RESULTS says when it runs without them. */
export const RESULTS = process.env['LIMN_RESULTS'] ?? path.join(import.meta.dirname, 'results');

/** 'lavapipe', 'swiftshader' or what else gave the adapter: what a result's file is named for. */
export function adapterName(source: string, description: string): string {
  return /llvmpipe/.test(description) ? 'lavapipe' : source;
}

/** Makes a folder that results will go to. Throws where it cannot be written to. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  accessSync(folder, constants.W_OK);
}

/** Writes beside the file first, so that a file is never half new. */
export function save(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}
