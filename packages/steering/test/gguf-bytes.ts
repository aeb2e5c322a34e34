// GGUF files put together by hand: any counts, any types, any places.

/** A word, little-endian. */
export const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);

/** Two words. */
export const u64 = (value: bigint | number): number[] =>
  Array.from({ length: 8 }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));

/** Text behind its length: the true one unless stated. */
export function text(value: string, stated?: bigint): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...u64(stated ?? bytes.length), ...bytes];
}

/** A metadata entry: the value's bytes are the caller's. */
export const entry = (key: string, type: number, value: readonly number[]): number[] => [
  ...text(key),
  ...u32(type),
  ...value,
];

/** What a tensor's description says. */
export interface DescribedTensor {
  readonly name?: string;
  readonly shape?: readonly (bigint | number)[];
  readonly dimensions?: number;
  readonly type?: number;
  readonly offset?: bigint | number;
}

/** What a file says of itself. */
export interface DescribedFile {
  readonly magic?: string;
  readonly version?: number;
  readonly tensorCount?: bigint;
  readonly entryCount?: bigint;
  readonly entries?: readonly (readonly number[])[];
  readonly tensors?: readonly DescribedTensor[];
  /** Bytes of the data; 0, 1, 2 … */
  readonly data?: number;
}

/** The entry that makes a file a control vector. */
export const CONTROL_VECTOR = entry('general.architecture', 8, text('controlvector'));

/** A control vector of one direction of four numbers, unless said otherwise. */
export function ggufBytes({
  magic = 'GGUF',
  version = 3,
  entries = [CONTROL_VECTOR],
  tensors = [{}],
  data = 32,
  ...counts
}: DescribedFile): Uint8Array {
  const head = [
    ...new TextEncoder().encode(magic),
    ...u32(version),
    ...u64(counts.tensorCount ?? tensors.length),
    ...u64(counts.entryCount ?? entries.length),
    ...entries.flat(),
    ...tensors.flatMap(({ name = 'direction.1', shape = [4], dimensions = shape.length, type = 0, offset = 0 }) => [
      ...text(name),
      ...u32(dimensions),
      ...shape.flatMap(u64),
      ...u32(type),
      ...u64(offset),
    ]),
  ];
  const start = 32 * Math.ceil(head.length / 32);
  const bytes = new Uint8Array(start + data);
  bytes.set(head);
  for (let i = 0; i < data; i++) bytes[start + i] = i;
  return bytes;
}
