// The bytes of a GGUF file, read from the front: every length, count and type is checked against what is left before it is used.
import { LimnError } from '@limn/gpu';

/** A value of the metadata. Lists are checked and passed over. */
export type GgufValue = string | number | bigint | boolean;

/** Numbers of the types whose values vary in length. */
export const GGUF_STRING = 8;
const LIST = 9;
/** Bytes of a value by its type's number: u8, i8, u16, i16, u32, i32, f32, bool, –, –, u64, i64, f64. */
const BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8] as const;
/** The least that a value of a type takes: a string its length, a list its type and count. */
const leastBytes = (type: number): number => (type === GGUF_STRING ? 8 : type === LIST ? 12 : (BYTES[type] as number));
/** Lists in lists deeper than this are nobody's. */
const MOST_DEPTH = 4;

/** The refusal of a file, with the byte that it is about. */
export function badGguf(what: string, details: Record<string, unknown> = {}): LimnError {
  return new LimnError('data/steering-gguf', `This GGUF file cannot be used: ${what}.`, {
    details,
    hint: 'Copy or export the file again; control vectors are GGUF 2 or 3, little-endian, with F32 or F16 tensors direction.1, direction.2, ….',
  });
}

/** Bytes read from the front; nothing is read or counted beyond the end. */
export class GgufCursor {
  at = 0;
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Where the next `count` bytes begin; they are then behind. */
  take(count: number, what: string): number {
    if (count > this.left)
      throw badGguf(`it ends within ${what}, at byte ${this.bytes.length}`, {
        at: this.at,
        needs: count,
        left: this.left,
      });
    const from = this.at;
    this.at += count;
    return from;
  }

  u32(what: string): number {
    return this.#view.getUint32(this.take(4, what), true);
  }

  u64(what: string): bigint {
    return this.#view.getBigUint64(this.take(8, what), true);
  }

  /** A count of things of at least so many bytes each, all of which the rest of the file must have room for. */
  count(what: string, each: number): number {
    const from = this.at;
    const found = this.u64(what);
    if (found * BigInt(each) > BigInt(this.left))
      throw badGguf(`${what} is ${found}, more than its ${this.bytes.length} bytes can hold`, {
        at: from,
        given: String(found),
      });
    return Number(found);
  }

  text(what: string, most = Number.POSITIVE_INFINITY): string {
    const length = this.count(`the length of ${what}`, 1);
    if (length > most)
      throw badGguf(`${what} has ${length} bytes; at most ${most} are allowed`, { at: this.at, length });
    const from = this.take(length, what);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(from, from + length),
      );
    } catch (cause) {
      throw badGguf(`${what} is not UTF-8`, { at: from, cause: String(cause) });
    }
  }

  /** A value of a type, or undefined for a list, which is walked to its end. */
  value(type: number, what: string, depth = 0): GgufValue | undefined {
    if (type === GGUF_STRING) return this.text(what);
    if (type === LIST) {
      if (depth === MOST_DEPTH)
        throw badGguf(`${what} has lists in lists, more than ${MOST_DEPTH} deep`, { at: this.at });
      const of = this.type(what);
      const count = this.count(`the count of ${what}`, leastBytes(of));
      if (of === GGUF_STRING || of === LIST) for (let i = 0; i < count; i++) this.value(of, what, depth + 1);
      else this.take(count * leastBytes(of), what);
      return undefined;
    }
    const from = this.take(leastBytes(type), what);
    const view = this.#view;
    if (type === 7) {
      const flag = view.getUint8(from);
      if (flag > 1) throw badGguf(`${what} is a truth value of ${flag}`, { at: from });
      return flag === 1;
    }
    return [
      () => view.getUint8(from),
      () => view.getInt8(from),
      () => view.getUint16(from, true),
      () => view.getInt16(from, true),
      () => view.getUint32(from, true),
      () => view.getInt32(from, true),
      () => view.getFloat32(from, true),
      undefined,
      undefined,
      undefined,
      () => view.getBigUint64(from, true),
      () => view.getBigInt64(from, true),
      () => view.getFloat64(from, true),
    ][type]?.();
  }

  type(what: string): number {
    const from = this.at;
    const type = this.u32(what);
    if (type >= BYTES.length)
      throw badGguf(`${what} has a type ${type}; known are 0 to ${BYTES.length - 1}`, { at: from, type });
    return type;
  }
}
