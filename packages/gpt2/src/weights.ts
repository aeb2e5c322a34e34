// Reads the weights of a Hugging Face GPT-2 folder: one file or shards, any prefix, tied or untied, checked and fingerprinted.
import { LimnError, sha256, shownValue } from '@limn/gpu';
import { JsonScanError, scanJson, type ScannedJson } from '@limn/hooks';
import type { Gpt2Config } from './config.js';
import { missingFile, readSmall, type ModelFiles } from './files.js';
import { headerLimits, type SafetensorsEntry } from './safetensors-entry.js';
import { readSafetensorsHeader } from './safetensors.js';
import { readTensorF32, sameValues } from './tensor-values.js';
import { canonicalName, isLinearWeight, isMaskBuffer, weightShapes, type HostTensor } from './weight-names.js';

/** All weights in one file, or the list of the files they are spread over. */
export const weightFile = 'model.safetensors';
export const indexFile = 'model.safetensors.index.json';
/** As large as a header may be. */
const maxIndexBytes = 100_000_000;

/** Weights found and checked by name and shape, not yet read. */
export interface FoundWeights {
  readonly tied: boolean;
  /** By canonical name, in the order of `weightShapes`. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

/** How an exporter stored linear weights: GPT-2's own [in, out], or nn.Linear's [out, in]. Never guessed: c_proj is square. */
export type LinearOrientation = 'in-out' | 'out-in';

/**
 * Whether an orientation is [out, in]: the one place where the option is compared.
 * @throws LimnError `weights/bad-orientation`
 */
export function isOutIn(orientation: LinearOrientation = 'in-out'): boolean {
  if (orientation === 'in-out' || orientation === 'out-in') return orientation === 'out-in';
  throw new LimnError(
    'weights/bad-orientation',
    `orientation is ${shownValue(orientation)}; allowed: 'in-out', 'out-in'`,
    {
      details: { given: shownValue(orientation), allowed: ['in-out', 'out-in'] },
      hint: "GPT-2's own files are 'in-out', the default.",
    },
  );
}

/**
 * Finds every weight of a model in a folder and checks names and shapes before any data is read.
 * @throws LimnError `files/not-found`, `files/short`, `files/too-large`, `weights/…`: no-safetensors, missing, unexpected, duplicate,
 * shape, bad-index, bad-orientation, tie-mismatch; or `safetensors/…`. `onNotice` is told of a head that config.json does not mention.
 */
export async function findWeights(
  files: ModelFiles,
  config: Gpt2Config,
  orientation?: LinearOrientation,
  onNotice?: (notice: string) => void,
): Promise<FoundWeights> {
  const outIn = isOutIn(orientation);
  const found = new Map<string, SafetensorsEntry>();
  for (const file of await weightFiles(files)) {
    for (const entry of (await readSafetensorsHeader(files, file)).tensors.values()) {
      const name = canonicalName(entry.name);
      if (isMaskBuffer(name)) continue;
      const other = found.get(name);
      if (other) {
        throw new LimnError(
          'weights/duplicate',
          `${files.label}: ${name} is there twice, as ${other.name} in ${other.file} and as ${entry.name} in ${file}`,
        );
      }
      found.set(name, entry);
    }
  }
  const head = found.get('lm_head.weight');
  const embedding = found.get('wte.weight');
  const alike =
    config.tied === false || !head || (embedding !== undefined && (await sameValues(files, head, embedding)));
  const tied = config.tied ?? alike;
  if (tied && !alike) {
    throw new LimnError(
      'weights/tie-mismatch',
      `${files.label}: config.json says tie_word_embeddings, but lm_head.weight differs from wte.weight`,
      {
        hint: 'Set tie_word_embeddings to false in config.json to use the separate head, or remove lm_head.weight.',
      },
    );
  }
  if (config.tied === undefined && !tied)
    onNotice?.(
      `${files.label}: config.json does not say tie_word_embeddings, and lm_head.weight differs from wte.weight; it is loaded untied, with the head of the file. transformers would tie it.`,
    );
  if (tied) found.delete('lm_head.weight');

  const shapes = weightShapes(config, tied);
  const missing = [...shapes.keys()].filter((name) => !found.has(name));
  if (missing.length > 0) {
    throw new LimnError(
      'weights/missing',
      `${files.label} lacks ${missing.length} of ${shapes.size} weights: ${missing.slice(0, 4).join(', ')}`,
      {
        details: { missing: missing.slice(0, 100), found: [...found.keys()].slice(0, 100) },
        hint: 'config.json and the weights must belong to the same model.',
      },
    );
  }
  const unexpected = [...found.keys()].filter((name) => !shapes.has(name));
  if (unexpected.length > 0) {
    throw new LimnError(
      'weights/unexpected',
      `${files.label} has weights that this model does not use: ${unexpected.slice(0, 4).join(', ')}`,
      {
        details: { unexpected: unexpected.slice(0, 100) },
        hint: 'config.json and the weights must belong to the same model.',
      },
    );
  }
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, shape] of shapes) {
    const entry = found.get(name) as SafetensorsEntry;
    const stored = outIn && isLinearWeight(name) ? [...shape].reverse() : shape;
    if (entry.shape.join() !== stored.join()) {
      const flipped = isLinearWeight(name) && entry.shape.join() === [...stored].reverse().join();
      throw new LimnError(
        'weights/shape',
        `${files.label}: ${entry.name} has shape [${entry.shape.join(', ')}], expected [${stored.join(', ')}]`,
        {
          details: { name, shape: entry.shape, expected: stored },
          hint: flipped
            ? `It looks transposed: pass orientation '${outIn ? 'in-out' : 'out-in'}'.`
            : 'config.json and the weights must belong to the same model.',
        },
      );
    }
    entries.set(name, entry);
  }
  return { tied, entries };
}

/**
 * Reads one found weight as f32 in [in, out] orientation.
 * @throws LimnError `files/short`, `safetensors/dtype`, `weights/bad-orientation`, `weights/not-finite` naming tensor and index of the first NaN or infinity.
 */
export async function readWeight(
  files: ModelFiles,
  name: string,
  entry: SafetensorsEntry,
  orientation?: LinearOrientation,
): Promise<HostTensor> {
  const outIn = isOutIn(orientation);
  const data = await readTensorF32(files, entry);
  let at = 0;
  while (at < data.length && Number.isFinite(data[at])) at++;
  if (at < data.length) {
    const index = unravel(at, entry.shape);
    throw new LimnError('weights/not-finite', `${files.label}: ${entry.name}[${index.join(', ')}] is ${data[at]}`, {
      details: { name: entry.name, index, value: String(data[at]) },
      hint: 'The checkpoint is damaged or its training diverged. Load an earlier one.',
    });
  }
  if (!outIn || !isLinearWeight(name)) return { shape: entry.shape, data };
  const [rows, columns] = entry.shape as [number, number];
  const turned = new Float32Array(data.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) turned[c * rows + r] = data[r * columns + c] as number;
  return { shape: [columns, rows], data: turned };
}

/** Collects sha256 of weights into one fingerprint. */
export class Fingerprint {
  private readonly lines: string[] = [];

  /** Adds a tensor: its f32 values in little-endian order count, not the dtype or the file they were stored in. */
  async add(name: string, { shape, data }: HostTensor): Promise<void> {
    this.lines.push(`${name} [${shape.join(',')}] ${await sha256(data)}`);
  }

  /** sha256 of the sorted lines `name [shape] sha256-of-the-f32-bytes`: equal for equal weights, however they are sharded or named. */
  async digest(): Promise<string> {
    return sha256(new TextEncoder().encode(`${[...this.lines].sort().join('\n')}\n`));
  }
}

function unravel(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const extent of [...shape].reverse()) {
    index.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return index;
}

/** The error for a folder with neither weights nor an index of them: with the way out if it holds a pickle. */
export function noWeights(label: string, there: readonly string[]): LimnError {
  const pickle = there.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  if (!pickle) return missingFile(label, weightFile, there);
  return new LimnError('weights/no-safetensors', `${label} has ${pickle} but no ${weightFile}`, {
    details: { found: pickle },
    hint: 'Pickle files can run code and are not read. In Python: AutoModelForCausalLM.from_pretrained(dir).save_pretrained(dir, safe_serialization=True).',
  });
}

/** model.safetensors, or the shards that its index names. */
async function weightFiles(files: ModelFiles): Promise<string[]> {
  const there = await files.list();
  if (there.includes(weightFile)) return [weightFile];
  if (!there.includes(indexFile)) throw noWeights(files.label, there);
  return readShards(files);
}

/**
 * The shards that the index in a folder names, sorted.
 * @throws LimnError `weights/bad-index`, `files/…`
 */
export async function readShards(files: ModelFiles): Promise<string[]> {
  return shardsOf(await readSmall(files, indexFile, maxIndexBytes), files.label);
}

/**
 * The shards that a `model.safetensors.index.json` names, sorted.
 * @throws LimnError `weights/bad-index`
 */
export function shardsOf(index: Uint8Array, label: string): string[] {
  const bad = (message: string): LimnError =>
    new LimnError('weights/bad-index', `${indexFile} in ${label}: ${message}`, { hint: 'Download it again.' });
  let root: ScannedJson;
  try {
    root = scanJson(new TextDecoder('utf-8', { fatal: true }).decode(index), {
      ...headerLimits,
      items: headerLimits.keys,
    });
  } catch (cause) {
    if (cause instanceof JsonScanError || cause instanceof TypeError) throw bad(cause.message);
    throw cause;
  }
  const map = root instanceof Map ? root.get('weight_map') : undefined;
  if (!(map instanceof Map) || map.size === 0) throw bad('weight_map is not an object with entries');
  const shards = new Set<string>();
  for (const [tensor, shard] of map) {
    // A shard name is a bare file name: no folders, drives, NUL or leading dot can lead out of the model's folder.
    if (
      typeof shard !== 'string' ||
      !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,250}\.safetensors$/.test(shard) ||
      shard.includes('..')
    ) {
      throw bad(
        `the shard of ${JSON.stringify(tensor)} is ${typeof shard === 'string' ? JSON.stringify(shard) : 'no string'}, not a plain .safetensors file name`,
      );
    }
    shards.add(shard);
  }
  return [...shards].sort();
}
