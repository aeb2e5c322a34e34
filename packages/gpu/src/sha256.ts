// SHA-256 (FIPS 180-4) of a text or of the bytes of a view, by the platform's own Web Crypto, in Node and in browsers.

/** Lower-case hex digest of a text in UTF-8, or of the bytes that a view shows. */
export async function sha256(data: string | ArrayBufferView): Promise<string> {
  const view = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
