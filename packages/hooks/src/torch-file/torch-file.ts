// A `.pt` of torch.save: the pickle in its zip, and the tensors that it describes, read when they are asked for.
import { PickleDict, PickleList, PickleObject, PickleTuple, TorchTensor, type PickleValue } from './pickle-values.js';
import { readPickle } from './torch-pickle.js';
import { storageBytes, tensorValues } from './torch-tensor.js';
import { badTorch, quoted, readTorchZip, type RangedFile, type ZipMember } from './torch-zip.js';

/** That of ten thousand tensors has a third of it. */
const MOST_PICKLE_BYTES = 2 ** 22;

/** A file whose pickle was read. */
export interface TorchFile {
  readonly root: PickleValue;
  /** The numbers of one of its tensors, row-major, as f32. @throws LimnError `data/torch-…`; what the source of the bytes throws */
  read(tensor: TorchTensor): Promise<Float32Array>;
}

/**
 * Reads a file. Nothing in it is run: classes become records, calls other than torch's own for tensors are refused. Every tensor's
 * storage is there, stored, as large as it is said to be, and little-endian, before any of them is read.
 * @throws LimnError `data/torch-not-zip`, `data/torch-truncated`, `data/torch-zip`, `data/torch-limit`, `data/torch-compressed`,
 * `data/torch-encrypted`, `data/torch-duplicate`, `data/torch-overlap`, `data/torch-checksum`, `data/torch-byte-order`,
 * `data/torch-opcode`, `data/torch-call`, `data/torch-pickle`, `data/torch-loop`, `data/torch-depth`, `data/torch-storage`,
 * `data/torch-tensor`; what the source of the bytes throws
 */
export async function readTorchFile(file: RangedFile): Promise<TorchFile> {
  const bad = (code: string, what: string, details?: Record<string, unknown>): Error =>
    badTorch(file.name, code, what, details);
  const members = await readTorchZip(file);
  const pickles = [...members.keys()].filter((name) => name.endsWith('/data.pkl'));
  const [name] = pickles;
  if (name === undefined || pickles.length > 1)
    throw bad('pickle', `it has ${pickles.length} members data.pkl; torch.save writes one`, { members: members.size });
  const folder = name.slice(0, -'data.pkl'.length);
  const order = await text(members.get(`${folder}byteorder`));
  // Files of before PyTorch 2.1 have no mark; nothing but little-endian machines wrote them.
  if (order !== undefined && order !== 'little')
    throw bad('byte-order', `its numbers are ${quoted(order)}; little-endian ones can be read`, {
      order: order.slice(0, 100),
    });
  const pickle = members.get(name) as ZipMember;
  if (pickle.bytes > MOST_PICKLE_BYTES)
    throw bad('limit', `its pickle has ${pickle.bytes} bytes; at most ${MOST_PICKLE_BYTES} are read`, {
      bytes: pickle.bytes,
    });
  const root = readPickle(await pickle.read(), bad);

  const memberOf = ({ storage }: TorchTensor): ZipMember => {
    const member = members.get(`${folder}data/${storage.key}`);
    const needs = storageBytes(storage);
    if (member?.bytes === needs) return member;
    const has = member ? `${member.bytes} bytes` : 'no member of the file';
    throw bad('storage', `storage ${storage.key} should have ${needs} bytes and is ${has}`, {
      storage: storage.key,
      needs,
      ...(member ? { bytes: member.bytes } : {}),
    });
  };
  for (const tensor of tensorsIn(root)) memberOf(tensor);
  return { root, read: async (tensor) => tensorValues(tensor, await memberOf(tensor).read()) };
}

/** All tensors of a value, which is a tree of at most 10^6 values. */
function* tensorsIn(value: PickleValue): Generator<TorchTensor> {
  if (value instanceof TorchTensor) yield value;
  else if (value instanceof PickleList || value instanceof PickleTuple)
    for (const item of value.items) yield* tensorsIn(item);
  else if (value instanceof PickleDict) for (const item of value.entries.values()) yield* tensorsIn(item);
  else if (value instanceof PickleObject) {
    yield* tensorsIn(value.args);
    yield* tensorsIn(value.state);
  }
}

async function text(member: ZipMember | undefined): Promise<string | undefined> {
  if (!member) return undefined;
  // The word has at most six letters.
  return member.bytes > 64 ? '' : new TextDecoder().decode(await member.read()).trim();
}
