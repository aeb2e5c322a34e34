// How large the pack's parts are, and whether the whole is within its limit.

/** 60 MiB: what may travel to a box. */
export const LIMIT_BYTES = 60 * 2 ** 20;

/** One file as it travels. */
export interface PackedSize {
  /** Path below the pack. */
  readonly file: string;
  readonly bytes: number;
}

export const totalBytes = (sizes: readonly PackedSize[]): number => sizes.reduce((sum, { bytes }) => sum + bytes, 0);

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** One line per file of more than 0.5 MiB and one for the others, largest first, and the total. */
export function sizeTable(sizes: readonly PackedSize[]): string[] {
  const large = sizes.filter(({ bytes }) => bytes >= 2 ** 19).sort((a, b) => b.bytes - a.bytes);
  const small = sizes.filter(({ bytes }) => bytes < 2 ** 19);
  const line = (bytes: number, name: string): string => `${mebibytes(bytes).padStart(10)}  ${name}`;
  return [
    ...large.map(({ file, bytes }) => line(bytes, file)),
    ...(small.length > 0 ? [line(totalBytes(small), `${small.length} smaller files`)] : []),
    line(totalBytes(sizes), `in all, of ${mebibytes(LIMIT_BYTES)} allowed`),
  ];
}

/** What to say when the pack is over its limit; undefined when it is within. */
export function overLimit(sizes: readonly PackedSize[]): string | undefined {
  const over = totalBytes(sizes) - LIMIT_BYTES;
  return over > 0 ? `the pack is ${mebibytes(over)} over its ${mebibytes(LIMIT_BYTES)}` : undefined;
}
