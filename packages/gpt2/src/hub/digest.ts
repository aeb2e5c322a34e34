// Digests of contents that arrive in pieces, where the platform offers none: WebCrypto wants everything at once.
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { HubFile } from './cache.js';

/** Lower-case hex digest of `chunks`, which are `size` bytes together: sha256, or git's id of a blob. */
export async function digestOf(
  kind: HubFile['kind'],
  size: number,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<string> {
  const hash = kind === 'sha256' ? sha256.create() : sha1.create();
  // git's id of a blob is the sha1 of a small header and the contents.
  if (kind === 'git-sha1') hash.update(new TextEncoder().encode(`blob ${size}\0`));
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
