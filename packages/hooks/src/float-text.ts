// float32 numbers as base64 of their little-endian bytes: a third of what they take as decimals, and every bit comes back.

/** Bytes per call: a multiple of three, so that parts join, and few enough for the arguments of one call. */
const PART = 3 * 4096;

/** Base64 of the bytes. */
export function floatsToText(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += PART) parts.push(btoa(String.fromCharCode(...bytes.subarray(i, i + PART))));
  return parts.join('');
}

/** The numbers again. */
export function textToFloats(text: string): Float32Array {
  const bytes = atob(text);
  const values = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) values[i] = bytes.charCodeAt(i);
  return new Float32Array(values.buffer);
}
