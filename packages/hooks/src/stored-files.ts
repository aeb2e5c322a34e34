// A folder of somebody's files as formats see it: names, texts, named tensors and ranges of bytes; disks and servers are the caller's.

/** A tensor of a file, read when it is asked for. */
export interface StoredTensor {
  /** As safetensors names it: 'F32', 'BF16', …. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Its numbers, row-major, as f32; the array is the caller's to change. */
  read(): Promise<Float32Array>;
}

/** The tensors and the text metadata of one file. */
export interface StoredTensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** A folder to read from. Names have '/' between folders; every method rejects with what the source of the files throws. */
export interface StoredFiles {
  /** What to call the folder in messages. */
  readonly label: string;
  /** All files, also those in folders below. */
  names(): Promise<readonly string[]>;
  /** A text of at most so many bytes; a longer one is refused before it is read. */
  text(name: string, mostBytes: number): Promise<string>;
  /** What a safetensors file holds. */
  tensors(name: string): Promise<StoredTensors>;
  /** Size in bytes. */
  size(name: string): Promise<number>;
  /** Bytes [from, to). */
  bytes(name: string, from: number, to: number): Promise<Uint8Array>;
}

/** A tensor to write, row-major. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A file to write; tensors are meant for safetensors. */
export type WrittenFile =
  | { readonly name: string; readonly text: string }
  | {
      readonly name: string;
      readonly tensors: ReadonlyMap<string, NamedTensor>;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | { readonly name: string; readonly bytes: Uint8Array };

/** A name in a folder, which is '' for the topmost. */
export const inFolder = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** The folder of a name, '' for the topmost, and what is behind it. */
export function splitName(name: string): { readonly folder: string; readonly base: string } {
  const slash = name.lastIndexOf('/');
  return { folder: slash < 0 ? '' : name.slice(0, slash), base: name.slice(slash + 1) };
}
