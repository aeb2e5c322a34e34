// A training checkpoint: weights, optimiser moments, counts and settings in one safetensors file that carries its own sha256.
import { LimnError, shownValue } from '@limn/gpu';
import type { AdamWMoments } from '@limn/tensor';
import type { FileContent, StoredFile } from './file-content.js';
import type { ModelFiles } from './files.js';
import type { SafetensorsEntry } from './safetensors-entry.js';
import { safetensorsContent, type TensorPieces } from './safetensors-write.js';
import { readSafetensorsHeader } from './safetensors.js';
import { growingSha256 } from './sha256-pieces.js';
import { chunkBytes, readTensorF32 } from './tensor-values.js';

/** Everything that a resumed run needs to go on bit for bit. Weights and moments are read one at a time, when they are asked for. */
export interface Checkpoint {
  /** Updates done. */
  readonly step: number;
  /** By name, in the order of the file. */
  readonly weights: ReadonlyMap<string, TensorPieces>;
  readonly optimiser: AdamWMoments;
  /** What must be equal when resuming: model config and recipe, as JSON. */
  readonly settings: string;
  /** The machine that the bits depend on: adapter, driver and kernel choices, as JSON. */
  readonly plan: string;
}

const format = 'limn-checkpoint/1';
const blank = '0'.repeat(64);
const mark = '"sha256":"';
/** The name that messages give the file. */
const name = 'checkpoint';

/**
 * The file. The sha256 in the header is that of the file with zeros in its place; it is put there at the end, when all else is written.
 * Writing asks for one piece of a weight, or one moment, at a time.
 */
export function encodeCheckpoint({ step, weights, optimiser, settings, plan }: Checkpoint): FileContent {
  const tensors = new Map<string, TensorPieces>();
  for (const [weight, tensor] of weights) tensors.set(`weight/${weight}`, tensor);
  for (const { params } of optimiser.groups)
    for (const param of params)
      for (const moment of ['first', 'second'] as const)
        tensors.set(`${moment}/${param.name}`, {
          shape: [param.size],
          async *pieces() {
            yield await param[moment]();
          },
        });
  const groups = optimiser.groups.map((group) => ({
    name: group.name,
    count: group.count,
    params: group.params.map((param) => param.name),
  }));
  const metadata = { sha256: blank, format, step: String(step), groups: JSON.stringify(groups), settings, plan };
  const content = safetensorsContent(tensors, metadata);
  return {
    bytes: content.bytes,
    writeTo: async (sink) => {
      const hash = growingSha256();
      let place = -1;
      await content.writeTo({
        write: async (bytes, offset) => {
          if (offset === 0) place = digestPlace(bytes);
          hash.update(bytes);
          await sink.write(bytes, offset);
        },
      });
      await sink.write(new TextEncoder().encode(hash.hex()), place);
    },
  };
}

/**
 * Reads a checkpoint's header, after checking every bit of the file against its sha256, and every weight and moment for being a number,
 * piece by piece. The file must stay as it is until weights and moments are read.
 * @throws LimnError `files/short`, `checkpoint/damaged`, `checkpoint/format`, and what reading the file throws
 */
export async function decodeCheckpoint(file: StoredFile): Promise<Checkpoint> {
  await checkDigest(file);
  const checkpoint = await readCheckpoint(file);
  await checkValues(checkpoint);
  return checkpoint;
}

/** As `decodeCheckpoint`, for a file that is known to be whole and to hold numbers. */
export async function readCheckpoint(file: StoredFile): Promise<Checkpoint> {
  const files: ModelFiles = {
    label: 'the checkpoint',
    read: (_, start = 0, end = file.bytes) => file.read(start, end),
    size: async () => file.bytes,
    list: async () => [name],
  };
  const { tensors, metadata } = await readSafetensorsHeader(files, name);
  const found = metadata.get('format');
  if (found !== format)
    throw new LimnError(
      'checkpoint/format',
      `the checkpoint has format ${found === undefined ? 'unknown' : shownValue(found)}; this version reads ${format}`,
      { hint: 'Go on with the version of limn that wrote it, or start again in another place.' },
    );
  const step = wholeNumber(metadata.get('step'));
  if (step === undefined) throw damaged(`its step is ${shownValue(metadata.get('step'))}`);
  const weights = new Map<string, TensorPieces>();
  for (const [key, entry] of tensors) {
    if (entry.dtype !== 'F32') throw damaged(`${key} has dtype ${entry.dtype}`);
    if (key.startsWith('weight/'))
      weights.set(key.slice('weight/'.length), { shape: entry.shape, pieces: () => piecesOf(files, entry) });
  }
  const moment = (key: string): SafetensorsEntry => {
    const entry = tensors.get(key);
    if (!entry) throw damaged(`${key} is missing`);
    return entry;
  };
  const groups = groupsOf(metadata.get('groups'), step).map(({ params, ...group }) => ({
    ...group,
    params: params.map((param) => {
      const [first, second] = [moment(`first/${param}`), moment(`second/${param}`)];
      return {
        name: param,
        size: (first.end - first.begin) / 4,
        first: () => readTensorF32(files, first),
        second: () => readTensorF32(files, second),
      };
    }),
  }));
  const [settings, plan] = [metadata.get('settings') ?? '', metadata.get('plan') ?? ''];
  return { step, weights, optimiser: { groups }, settings, plan };
}

/** @throws LimnError `checkpoint/damaged` */
async function checkDigest(file: StoredFile): Promise<void> {
  const hash = growingSha256();
  let stated: string | undefined;
  for (let at = 0; at < file.bytes; at += chunkBytes) {
    const bytes = await file.read(at, Math.min(at + chunkBytes, file.bytes));
    if (at > 0) {
      hash.update(bytes);
      continue;
    }
    const place = digestPlace(bytes);
    if (place < 0) break;
    stated = new TextDecoder().decode(bytes.subarray(place, place + 64));
    hash.update(bytes.subarray(0, place));
    hash.update(new TextEncoder().encode(blank));
    hash.update(bytes.subarray(place + 64));
  }
  if (stated === undefined) throw damaged('it carries no sha256');
  if (hash.hex() !== stated) throw damaged('its contents do not match its sha256');
}

/** A tensor's values, a few MiB at a time. */
async function* piecesOf(files: ModelFiles, entry: SafetensorsEntry): AsyncGenerator<Float32Array> {
  for (let begin = entry.begin; begin < entry.end; begin += chunkBytes) {
    const end = Math.min(begin + chunkBytes, entry.end);
    yield await readTensorF32(files, { ...entry, shape: [(end - begin) / 4], begin, end });
  }
}

/** Digits as a number; undefined for all else. */
function wholeNumber(text: string | undefined): number | undefined {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/**
 * Whoever writes a checkpoint may have given it a digest of anything. Weights are finite, and so are first moments; second moments are means
 * of squares, which f32 may have no room for. @throws LimnError `checkpoint/damaged`
 */
async function checkValues({ weights, optimiser }: Checkpoint): Promise<void> {
  const expect = (values: Float32Array, isSound: (value: number) => boolean, what: string): void => {
    const at = values.findIndex((value) => !isSound(value));
    if (at >= 0) throw damaged(`${what} holds ${values[at]}`);
  };
  for (const [weight, { pieces }] of weights)
    for await (const piece of pieces()) expect(piece, Number.isFinite, `the weight ${weight}`);
  for (const param of optimiser.groups.flatMap(({ params }) => params)) {
    expect(await param.first(), Number.isFinite, `the first moment of ${param.name}`);
    expect(await param.second(), (value) => value >= 0, `the second moment of ${param.name}`);
  }
}

/** The optimiser's groups as they stand in the header, none with more updates than the run has. @throws LimnError `checkpoint/damaged` */
function groupsOf(
  text = '[]',
  step: number,
): { readonly name: string; readonly count: number; readonly params: readonly string[] }[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged('its groups are no JSON', { cause });
  }
  const isGroup = (group: Partial<ReturnType<typeof groupsOf>[number]> | null): boolean =>
    typeof group?.name === 'string' &&
    Number.isInteger(group.count) &&
    (group.count as number) >= 0 &&
    (group.count as number) <= step &&
    Array.isArray(group.params) &&
    group.params.every((param) => typeof param === 'string');
  if (!Array.isArray(value) || !value.every(isGroup))
    throw damaged(`its groups are no list of names, counts up to its step ${step}, and parameters`);
  return value as ReturnType<typeof groupsOf>;
}

/** The refusal of a checkpoint that cannot be gone on from, before anything of it is loaded. */
export function damaged(
  reason: string,
  more: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
): LimnError {
  return new LimnError('checkpoint/damaged', `the checkpoint is damaged: ${reason}`, {
    hint: 'Delete it to start again, or restore a copy. Nothing was loaded from it.',
    ...more,
  });
}

/** Where the digest's 64 characters stand: right behind the first `"sha256":"` of the header; -1 without one. */
function digestPlace(bytes: Uint8Array): number {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 256));
  const found = head.indexOf(mark);
  return found < 0 || found + mark.length + 64 > bytes.length ? -1 : found + mark.length;
}
