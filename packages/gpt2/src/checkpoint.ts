// A training checkpoint: weights, optimiser moments, counts and settings in one safetensors file that carries its own sha256.
import { LimnError } from '@limn/gpu';
import type { AdamWState } from '@limn/tensor';
import { memoryFiles } from './files.js';
import { writeSafetensors, type WritableTensor } from './safetensors-write.js';
import { readSafetensorsHeader } from './safetensors.js';
import { readTensorF32 } from './tensor-values.js';
import { sha256 } from './weights.js';
import type { HostTensor } from './weight-names.js';

/** Where checkpoints are kept. `write` must be atomic: after a crash there is the old one or the new one. */
export interface CheckpointStore {
  /**
   * Puts a checkpoint in the place of the one before.
   * @throws what the store throws when it cannot; the old one is then still there.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** The newest; undefined when there is none yet. */
  read(): Promise<Uint8Array | undefined>;
  /** The one before, for a store that keeps it; asked for only when the newest is damaged or missing. */
  readPrevious?(): Promise<Uint8Array | undefined>;
}

/** Everything that a resumed run needs to go on bit for bit. */
export interface Checkpoint {
  /** Updates done. */
  readonly step: number;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly optimiser: AdamWState;
  /** What must be equal when resuming: model config and recipe, as JSON. */
  readonly settings: string;
  /** The machine that the bits depend on: adapter, driver and kernel choices, as JSON. */
  readonly plan: string;
}

const format = 'limn-checkpoint/1';
const blank = '0'.repeat(64);

/** The file's bytes. The sha256 in the header is that of the file with zeros in its place. */
export async function encodeCheckpoint(checkpoint: Checkpoint): Promise<Uint8Array> {
  const tensors = new Map<string, WritableTensor>();
  for (const [name, tensor] of checkpoint.weights) tensors.set(`weight/${name}`, tensor);
  for (const group of checkpoint.optimiser.groups) {
    for (const { name, first, second } of group.params) {
      tensors.set(`first/${name}`, { shape: [first.length], data: first });
      tensors.set(`second/${name}`, { shape: [second.length], data: second });
    }
  }
  const groups = checkpoint.optimiser.groups.map(({ name, count, params }) => ({
    name,
    count,
    params: params.map((p) => p.name),
  }));
  const bytes = writeSafetensors(tensors, {
    sha256: blank,
    format,
    step: String(checkpoint.step),
    groups: JSON.stringify(groups),
    settings: checkpoint.settings,
    plan: checkpoint.plan,
  });
  bytes.set(new TextEncoder().encode(await sha256(bytes)), digestPlace(bytes));
  return bytes;
}

/**
 * Reads a checkpoint and checks every bit of it.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`
 */
export async function decodeCheckpoint(bytes: Uint8Array): Promise<Checkpoint> {
  const damaged = (reason: string, cause?: unknown): LimnError =>
    new LimnError('checkpoint/damaged', `the checkpoint is damaged: ${reason}`, {
      hint: 'Delete it to start again, or restore a copy. Nothing was loaded from it.',
      cause,
    });
  const place = digestPlace(bytes);
  if (place < 0) throw damaged('it carries no sha256');
  const stated = new TextDecoder().decode(bytes.subarray(place, place + 64));
  const copy = Uint8Array.from(bytes);
  copy.set(new TextEncoder().encode(blank), place);
  if ((await sha256(copy)) !== stated) throw damaged('its contents do not match its sha256');

  const files = memoryFiles({ checkpoint: bytes });
  const { tensors, metadata } = await readSafetensorsHeader(files, 'checkpoint');
  if (metadata.get('format') !== format) {
    throw new LimnError(
      'checkpoint/format',
      `the checkpoint has format ${metadata.get('format') ?? 'unknown'}; this version reads ${format}`,
    );
  }
  const read = async (name: string): Promise<HostTensor> => {
    const entry = tensors.get(name);
    if (!entry) throw damaged(`${name} is missing`);
    return { shape: entry.shape, data: await readTensorF32(files, entry) };
  };
  const weights = new Map<string, HostTensor>();
  for (const name of tensors.keys())
    if (name.startsWith('weight/')) weights.set(name.slice('weight/'.length), await read(name));
  const groups: AdamWState['groups'][number][] = [];
  for (const { name, count, params } of JSON.parse(metadata.get('groups') ?? '[]') as {
    name: string;
    count: number;
    params: string[];
  }[]) {
    const loaded = [];
    for (const param of params)
      loaded.push({
        name: param,
        first: (await read(`first/${param}`)).data,
        second: (await read(`second/${param}`)).data,
      });
    groups.push({ name, count, params: loaded });
  }
  return {
    step: Number(metadata.get('step')),
    weights,
    optimiser: { version: 1, groups },
    settings: metadata.get('settings') ?? '',
    plan: metadata.get('plan') ?? '',
  };
}

/**
 * The newest sound checkpoint of a store. When the newest is damaged the one before it is taken, and `onNotice` is told.
 * @throws LimnError `checkpoint/damaged` when there is no other, `checkpoint/format`, and what the store throws
 */
export async function latestCheckpoint(
  store: CheckpointStore,
  onNotice?: (message: string) => void,
): Promise<Checkpoint | undefined> {
  const newest = await store.read();
  let fault: unknown;
  if (newest) {
    try {
      return await decodeCheckpoint(newest);
    } catch (error) {
      if (!(error instanceof LimnError && error.code === 'checkpoint/damaged')) throw error;
      fault = error;
    }
  }
  const before = await store.readPrevious?.();
  if (!before) {
    if (fault) throw fault;
    return undefined;
  }
  const checkpoint = await decodeCheckpoint(before).catch((error: unknown) => {
    throw fault ?? error;
  });
  const why = fault ? (fault as LimnError).message : 'the newest checkpoint is missing';
  onNotice?.(`${why}; going on from the one before it, of step ${checkpoint.step}`);
  return checkpoint;
}

/** Where the digest's 64 characters stand: right behind the first `"sha256":"` of the header. */
function digestPlace(bytes: Uint8Array): number {
  const mark = '"sha256":"';
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 256));
  const found = head.indexOf(mark);
  return found < 0 || found + mark.length + 64 > bytes.length ? -1 : found + mark.length;
}
