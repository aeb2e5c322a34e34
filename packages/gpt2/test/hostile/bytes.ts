// Safetensors files put together by hand: any header text, any data, any stated length.

/** Length (the true one unless stated), header, and `data` (a number: so many bytes 0, 1, 2 …). */
export function fileOf(header: string | Uint8Array, data: number | Uint8Array = 0, stated?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const body = typeof data === 'number' ? Uint8Array.from({ length: data }, (_, i) => i % 251) : data;
  const bytes = new Uint8Array(8 + json.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, stated ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(body, 8 + json.length);
  return bytes;
}

/** One entry as JSON text; F32 and one dimension unless said otherwise. */
export function entryOf(begin: number, end: number, shape = `[${(end - begin) / 4}]`, dtype = 'F32'): string {
  return `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;
}
