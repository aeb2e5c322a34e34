// Many trained diffs as files: one of stacked factors, a row of every stack for each diff, and a manifest that says what each is.
import { LimnError } from '@limn/gpu';
import type { NamedTensor, StoredFiles, WrittenFile } from '@limn/hooks';
import type { LoraFactors } from '../lora/lora-weights.js';
import type { DiffNote, SettledDiff } from './diff-spec.js';
import type { DiffLoss, TrainedDiff } from './trained-diff.js';

const FORMAT = 'limn-diff-pack/1';
/** File names of a pack. */
export const DIFF_PACK_FILES = { manifest: 'diffs.json', factors: 'diffs.safetensors' } as const;
/** Beyond a million diffs. */
const MOST_MANIFEST_BYTES = 2 ** 31;

/** A diff in a manifest, as its readers find it. */
export interface DiffRecord {
  readonly id: string;
  /** sha256 of all that decides its numbers. */
  readonly key: string;
  readonly about: { readonly [name: string]: DiffNote };
  /** The fingerprint of the weights that it is a change of. */
  readonly base: string;
  readonly r: number;
  readonly alpha: number;
  readonly rsLora: boolean;
  readonly targets: readonly string[];
  readonly init: SettledDiff['init'];
  readonly sharedInit: boolean;
  readonly seed: number;
  readonly steps: number;
  readonly lr: number;
  readonly losses: readonly DiffLoss[];
  readonly gate?: TrainedDiff['gate'];
  /** Its row in every stack of the file of factors. */
  readonly row: number;
}

interface Manifest {
  readonly format: string;
  readonly diffs: readonly DiffRecord[];
}

/**
 * A pack: `{map}.lora_A` [N, r, in] and `{map}.lora_B` [N, out, r] with r the highest rank, zeros behind lower ones and where a diff leaves a map alone. Diffs
 * lie by id, so that the packs of shards, read and written as one, have the bytes of a pack of all.
 * @throws LimnError `data/diff-pack` for none, for two of one id, and for diffs of different weights
 */
export function writeDiffPack(diffs: readonly TrainedDiff[]): WrittenFile[] {
  const sorted = [...diffs].sort((x, y) => (x.spec.id < y.spec.id ? -1 : 1));
  const twice = sorted.find(({ spec }, i) => spec.id === sorted[i + 1]?.spec.id);
  const bases = new Set(sorted.map(({ lora }) => lora.base));
  const [base] = bases;
  if (sorted.length === 0) throw refuse('There is no diff to write.');
  if (twice) throw refuse(`Two diffs are called '${twice.spec.id}'.`);
  if (bases.size > 1 || base === undefined) throw refuse('The diffs are changes of different weights.');
  const records = sorted.map(({ spec, key, sharedInit, losses, gate }, row): DiffRecord => {
    const { id, about, rank, alpha, rsLora, modules, init, seed, updates, rate } = spec;
    const trained = { init, sharedInit, seed, steps: updates, lr: rate, losses, ...(gate ? { gate } : {}) };
    return { id, key, about, base, r: rank, alpha, rsLora, targets: modules, ...trained, row };
  });
  const manifest: Manifest = { format: FORMAT, diffs: records };
  return [
    { name: DIFF_PACK_FILES.manifest, text: `${JSON.stringify(manifest, null, 1)}\n` },
    { name: DIFF_PACK_FILES.factors, tensors: stacked(sorted), metadata: { format: FORMAT } },
  ];
}

function stacked(diffs: readonly TrainedDiff[]): Map<string, NamedTensor> {
  const rank = Math.max(...diffs.map(({ spec }) => spec.rank));
  const names = [...new Set(diffs.flatMap(({ lora }) => [...lora.modules.keys()]))].sort();
  const tensors = new Map<string, NamedTensor>();
  for (const name of names) {
    const factors = diffs.map(({ lora }) => lora.modules.get(name));
    const one = factors.find((each) => each !== undefined) as LoraFactors;
    const [inWidth, outWidth] = [one.a.length / one.rank, one.b.length / one.rank];
    const a = new Float32Array(diffs.length * rank * inWidth);
    const b = new Float32Array(diffs.length * outWidth * rank);
    factors.forEach((own, row) => {
      if (!own) return;
      a.set(own.a, row * rank * inWidth);
      for (let o = 0; o < outWidth; o++)
        b.set(own.b.subarray(o * own.rank, (o + 1) * own.rank), (row * outWidth + o) * rank);
    });
    tensors.set(`${name}.lora_A`, { shape: [diffs.length, rank, inWidth], data: a });
    tensors.set(`${name}.lora_B`, { shape: [diffs.length, outWidth, rank], data: b });
  }
  return tensors;
}

/**
 * Every diff of a pack, in its order.
 * @throws LimnError `data/diff-pack` for files that are no pack, or that do not fit each other; what reading them throws
 */
export async function readDiffPack(files: StoredFiles): Promise<TrainedDiff[]> {
  const { diffs } = manifestOf(await files.text(DIFF_PACK_FILES.manifest, MOST_MANIFEST_BYTES), files.label);
  const { tensors } = await files.tensors(DIFF_PACK_FILES.factors);
  const stack = async (name: string): Promise<NamedTensor> => {
    const stored = tensors.get(name);
    const [count] = stored?.shape ?? [];
    if (stored?.dtype !== 'F32' || stored.shape.length !== 3 || count !== diffs.length)
      throw refuse(`${files.label}: ${name} is missing, or not F32 of ${diffs.length} diffs.`);
    return { shape: stored.shape, data: await stored.read() };
  };
  const modules = diffs.map(() => new Map<string, LoraFactors>());
  for (const name of new Set(diffs.flatMap(({ targets }) => targets))) {
    const [a, b] = [await stack(`${name}.lora_A`), await stack(`${name}.lora_B`)];
    diffs.forEach((diff, i) => {
      if (diff.targets.includes(name)) modules[i]?.set(name, rowOf(name, diff, a, b, files.label));
    });
  }
  return diffs.map((record, i) => trainedOf(record, modules[i] as Map<string, LoraFactors>));
}

function rowOf(
  name: string,
  { id, row, r, alpha }: DiffRecord,
  a: NamedTensor,
  b: NamedTensor,
  label: string,
): LoraFactors {
  const [count, rank, inWidth] = a.shape as [number, number, number];
  const [, outWidth, rankOfB] = b.shape as [number, number, number];
  const sound = Number.isInteger(row) && row >= 0 && row < count && Number.isInteger(r) && r >= 1 && r <= rank;
  if (!sound || rank !== rankOfB) throw refuse(`${label}: '${id}' is no row of ${name}, or not of its rank.`);
  const own = new Float32Array(outWidth * r);
  for (let o = 0; o < outWidth; o++) {
    const from = (row * outWidth + o) * rank;
    own.set(b.data.subarray(from, from + r), o * r);
  }
  return { a: a.data.slice(row * rank * inWidth, (row * rank + r) * inWidth), b: own, rank: r, alpha };
}

function trainedOf(record: DiffRecord, modules: ReadonlyMap<string, LoraFactors>): TrainedDiff {
  const { id, key, about, base, r, alpha, rsLora, targets, init, sharedInit, seed, steps, lr, losses, gate } = record;
  const spec = { id, seed, rank: r, alpha, rsLora, modules: targets, init, rate: lr, updates: steps, about };
  return { spec, key, sharedInit, lora: { rank: r, alpha, rsLora, modules, base }, losses, ...(gate ? { gate } : {}) };
}

function manifestOf(text: string, label: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch (cause) {
    throw refuse(`${label}: the manifest is no JSON.`, cause);
  }
  if (manifest?.format !== FORMAT || !Array.isArray(manifest.diffs))
    throw refuse(`${label}: the manifest is not in the format ${FORMAT}.`);
  const odd = manifest.diffs.findIndex((record) => !isRecord(record));
  if (odd >= 0) throw refuse(`${label}: record ${odd} of the manifest lacks what a diff has.`);
  return manifest;
}

const isRecord = (record: Partial<DiffRecord> | null): boolean =>
  typeof record === 'object' &&
  [record?.id, record?.key, record?.base].every((each) => typeof each === 'string') &&
  [record?.alpha, record?.seed, record?.steps, record?.lr].every(Number.isFinite) &&
  typeof record?.rsLora === 'boolean' &&
  typeof record.about === 'object' &&
  record.about !== null &&
  [record?.targets, record?.losses].every(Array.isArray);

function refuse(what: string, cause?: unknown): LimnError {
  return new LimnError('data/diff-pack', what, {
    hint: 'A pack holds diffs of one model, each under an id of its own, as writeDiffPack makes them.',
    ...(cause === undefined ? {} : { cause }),
  });
}
