// The sha256 of contents that come in pieces: by Node's own where there is one, eleven times as fast as by @noble/hashes elsewhere.
import { sha256 } from '@noble/hashes/sha2.js';

/** A digest under way. WebCrypto has none: it wants everything at once, and at most 2 GiB. */
export interface GrowingSha256 {
  update(bytes: Uint8Array): void;
  /** Lower-case hex; nothing may follow. */
  hex(): string;
}

/** A digest of nothing yet. */
export function growingSha256(): GrowingSha256 {
  // Bundlers for browsers must not see an import of it.
  const node = globalThis.process?.getBuiltinModule?.('node:crypto')?.createHash('sha256');
  if (node) return { update: (bytes) => void node.update(bytes), hex: () => node.digest('hex') };
  const noble = sha256.create();
  return {
    update: (bytes) => void noble.update(bytes),
    hex: () => Array.from(noble.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
}
