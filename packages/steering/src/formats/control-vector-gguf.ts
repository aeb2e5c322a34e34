// Control vectors of llama.cpp and repeng: GGUF of the architecture 'controlvector' with a tensor direction.l per block l, added to its output.
import { LimnError } from '@limn/gpu';
import { blockHook, type HookName } from '@limn/hooks';
import type { SteeringValues } from '../steering.js';
import { steeringOfDirections, type DirectionsModel, type ImportedSteering } from './directions.js';
import { badGguf, type GgufValue } from './gguf-cursor.js';
import { quoted, readGguf } from './gguf-read.js';
import { writeGguf, type GgufEntry } from './gguf-write.js';

/** What a control-vector file holds. */
export interface ControlVector {
  /** v [C] by block, from 0, to whose output it is added. */
  readonly directions: ReadonlyMap<number, Float32Array>;
  /** The architecture that it was made for, such as 'gpt2'. */
  readonly modelHint?: string | undefined;
  /** Entries under `controlvector.` besides model_hint and layer_count, without that prefix: EasySteer's `method`, say. Written as text and f32. */
  readonly metadata?: ReadonlyMap<string, GgufValue>;
}

/** A control vector that was read. */
export interface ReadControlVector extends ControlVector {
  readonly notices: readonly string[];
}

/** How steering is exported. */
export interface ControlVectorOptions {
  /** What llama.cpp and repeng call the architecture: 'gpt2', say. */
  readonly modelHint: string;
  /** β that the vectors are multiplied by; whoever loads the file may scale them again. Default 1. */
  readonly strength?: number | undefined;
  /** llama.cpp has no slot for the output of block 0 and refuses a whole file that has one; repeng takes it. Default 'leave-out'. */
  readonly layerZero?: 'leave-out' | 'write' | undefined;
}

/** A control-vector file, and what it could not hold. */
export interface ExportedControlVector {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Places whose vectors are not in the file, since it has no slot for them. */
  readonly leftOut: readonly HookName[];
  readonly notices: readonly string[];
}

const PREFIX = 'controlvector.';
/** No model has more blocks; keeps names short and numbers exact. */
const MOST_LAYERS = 10_000;

/**
 * Reads a file of version 2 or 3, F32 or F16. Layers that it has no tensor for are not in `directions`.
 * @throws LimnError `data/steering-gguf` for anything that is not whole, or not a control vector
 */
export function readControlVector(bytes: Uint8Array): ReadControlVector {
  const { metadata, tensors } = readGguf(bytes);
  const architecture = metadata.get('general.architecture');
  if (architecture !== 'controlvector')
    throw badGguf(`its general.architecture is ${shown(architecture)}, not 'controlvector'`, {
      architecture: shown(architecture),
    });
  const hint = metadata.get(`${PREFIX}model_hint`);
  if (hint !== undefined && typeof hint !== 'string')
    throw badGguf(`its ${PREFIX}model_hint is ${shown(hint)}, not text`, { hint: shown(hint) });
  const directions = new Map<number, Float32Array>();
  for (const { name, shape, data } of tensors) {
    const what = `tensor ${quoted(name)}`;
    const digits = /^direction\.(0|[1-9]\d{0,4})$/.exec(name)?.[1];
    const layer = Number(digits);
    if (digits === undefined || layer > MOST_LAYERS)
      throw badGguf(`${what} is no direction of a block`, { tensor: quoted(name) });
    if (shape.slice(1).some((extent) => extent !== 1))
      throw badGguf(`${what} has shape [${shape.join(', ')}] instead of one dimension`, {
        tensor: quoted(name),
        shape,
      });
    const [first] = directions.values();
    if (first && first.length !== data.length)
      throw badGguf(`${what} has ${data.length} numbers, those before it ${first.length}`, {
        tensor: quoted(name),
        given: data.length,
      });
    if (!data.every(Number.isFinite))
      throw badGguf(`${what} holds numbers that are not finite`, { tensor: quoted(name) });
    directions.set(layer, data);
  }
  if (directions.size === 0) throw badGguf('it holds no direction', { tensors: 0 });
  const count = metadata.get(`${PREFIX}layer_count`);
  const others = [...metadata]
    .filter(([key]) => key.startsWith(PREFIX) && key !== `${PREFIX}model_hint` && key !== `${PREFIX}layer_count`)
    .map(([key, value]) => [key.slice(PREFIX.length), value] as const);
  const notices = [
    ...(count !== undefined && Number(count) !== directions.size
      ? [`The file says that it has ${shown(count)} layers; it has directions for ${directions.size}.`]
      : []),
    ...(directions.has(0) ? [`${NO_SLOT_ZERO} This file has one; it is kept here.`] : []),
  ];
  return { directions, modelHint: hint, metadata: new Map(others), notices };
}

const NO_SLOT_ZERO = 'llama.cpp has no slot for the output of block 0, and refuses files with a direction.0.';

/**
 * The bytes of a file as repeng writes it: GGUF 3, F32, blocks in ascending order; the same vectors give the same bytes.
 * @throws LimnError `data/steering-gguf` for no vectors, for vectors of unlike lengths or numbers that are not finite
 */
export function writeControlVector({ directions, modelHint, metadata }: ControlVector): Uint8Array<ArrayBuffer> {
  const entries: GgufEntry[] = [
    { key: 'general.architecture', type: 'string', value: 'controlvector' },
    ...(modelHint === undefined ? [] : [{ key: `${PREFIX}model_hint`, type: 'string', value: modelHint } as const]),
    { key: `${PREFIX}layer_count`, type: 'u32', value: directions.size },
    ...Array.from(metadata ?? [], ([key, value]) =>
      typeof value === 'number'
        ? ({ key: `${PREFIX}${key}`, type: 'f32', value } as const)
        : ({ key: `${PREFIX}${key}`, type: 'string', value: String(value) } as const),
    ),
  ];
  const tensors = [...directions]
    .sort(([a], [b]) => a - b)
    .map(([layer, data]) => ({ name: `direction.${layer}`, shape: [data.length], data }));
  const bytes = writeGguf(entries, tensors);
  readControlVector(bytes);
  return bytes;
}

/**
 * A control vector as steering of the outputs of its blocks. What it says of the model is its architecture: the weights are the caller's word.
 * @throws LimnError `data/steering-fit`; `data/steering-length`, `data/steering-roles`, `usage/position-mode`
 */
export function steeringFromControlVector(
  { directions, modelHint, notices }: ReadControlVector,
  info: DirectionsModel,
): ImportedSteering {
  const made = steeringOfDirections({ model: modelHint, byLayer: directions }, info, 'hook_resid_post');
  return { ...made, notices: [...notices, ...made.notices] };
}

/**
 * Steering as a control-vector file: vectors for all positions, at places that are the output of a block. A vector of `hook_mlp_out` is one,
 * since the MLP's output is added last, and so is `hook_resid_pre` of the block behind; vectors of one output are summed.
 * @throws LimnError `usage/steering-export` for methods, sites and positions that such a file cannot hold, `data/steering-gguf`
 */
export function steeringToControlVector(
  { spec, places }: SteeringValues,
  { modelHint, strength = 1, layerZero = 'leave-out' }: ControlVectorOptions,
): ExportedControlVector {
  const { method, positions, sites } = spec;
  if (method.kind !== 'steer-vec') throw cannotExport(`'${method.kind}'`, 'they hold vectors that are added');
  if (positions.mode !== 'none' || positions.skip > 0)
    throw cannotExport(
      positions.mode === 'none'
        ? `values that leave the first ${positions.skip} positions alone`
        : `positions '${positions.mode}'`,
      'their vectors are added at every position',
    );
  if (!Number.isFinite(strength)) throw cannotExport(`a strength of ${strength}`, 'their numbers are finite');
  const odd = sites.find((site) => !['hook_resid_pre', 'hook_resid_post', 'hook_mlp_out'].includes(site));
  if (odd !== undefined) throw cannotExport(`'${odd}'`, 'their vectors are added to the output of a block');
  const directions = new Map<number, Float32Array>();
  const leftOut: HookName[] = [];
  for (const [at, own] of places) {
    const layer = Number(at.split('.')[1]);
    const block = at === blockHook(layer, 'hook_resid_pre') ? layer - 1 : layer;
    if (block < 0 || (block === 0 && layerZero === 'leave-out')) {
      leftOut.push(at);
      continue;
    }
    const vector = own.get('vector');
    if (!vector) throw cannotExport(`${at} without a vector`, 'these values are not whole');
    const before = directions.get(block);
    const scaled = vector.map((value) => strength * value);
    directions.set(block, before ? before.map((value, i) => value + (scaled[i] as number)) : scaled);
  }
  if (directions.size === 0) throw cannotExport(`only ${leftOut.join(', ')}`, 'they have no slot for them');
  const notices = leftOut.map((at) =>
    at === blockHook(0, 'hook_resid_pre')
      ? `${at} is left out: a control vector has no slot for what enters block 0.`
      : `${at} is left out. ${NO_SLOT_ZERO}`,
  );
  return { bytes: writeControlVector({ directions, modelHint }), leftOut, notices };
}

const shown = (value: GgufValue | undefined): string =>
  value === undefined ? 'missing' : typeof value === 'string' ? quoted(value) : String(value);

function cannotExport(what: string, why: string): LimnError {
  return new LimnError('usage/steering-export', `Control-vector files cannot hold ${what}: ${why}.`, {
    details: { given: what },
    hint: "Learn 'steer-vec' at hook_resid_post or hook_mlp_out with positions 'none', or write the values with writeSteering.",
  });
}
