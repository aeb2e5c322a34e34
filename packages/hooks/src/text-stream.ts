// Text from the bytes of tokens: whole characters only, and nothing that may turn out to be part of a stop string.

/** What is certain after some more bytes. */
export interface TextPart {
  readonly text: string;
  /** Whether a stop string is complete; the text ends in front of it. */
  readonly stopped: boolean;
}

/** Collects the bytes of one row. Bytes that are no UTF-8 become U+FFFD, as when the whole is decoded at once. */
export class TextStream {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly stops: readonly Uint8Array[];
  private pending: Uint8Array<ArrayBufferLike> = new Uint8Array(0);

  constructor(stopStrings: readonly string[] = []) {
    this.stops = stopStrings.map((stop) => new TextEncoder().encode(stop));
  }

  /** Takes the next bytes and gives the text that is certain now. After a stop string is complete nothing more may come. */
  push(bytes: Uint8Array): TextPart {
    const all = new Uint8Array(this.pending.length + bytes.length);
    all.set(this.pending);
    all.set(bytes, this.pending.length);
    const stop = this.firstStop(all);
    if (stop >= 0) {
      this.pending = all.subarray(0, stop);
      return { text: this.end(), stopped: true };
    }
    const held = this.mayBeginStop(all);
    this.pending = all.subarray(all.length - held);
    return { text: this.decoder.decode(all.subarray(0, all.length - held), { stream: true }), stopped: false };
  }

  /** The rest, when nothing more will come. */
  end(): string {
    const text = this.decoder.decode(this.pending);
    this.pending = new Uint8Array(0);
    return text;
  }

  /** Where the first complete stop string begins, or −1. */
  private firstStop(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; at++)
      if (
        this.stops.some((stop) => at + stop.length <= bytes.length && stop.every((byte, i) => bytes[at + i] === byte))
      )
        return at;
    return -1;
  }

  /** Length of the longest end of the bytes with which a stop string begins. */
  private mayBeginStop(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; at++) {
      const rest = bytes.subarray(at);
      if (this.stops.some((stop) => rest.length < stop.length && rest.every((byte, i) => stop[i] === byte)))
        return rest.length;
    }
    return 0;
  }
}
