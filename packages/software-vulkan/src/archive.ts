// Finds the SwiftShader archive inside the installed @sparticuz/chromium package and reads files out of it.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/** A found archive. */
export interface Archive {
  readonly file: string;
  /** Version of the package that holds it. */
  readonly version: string;
}

/** The archive, or why there is none. The package exports only its entry, so its root is found by walking up from there. */
export function locateArchive(): Archive | { readonly reason: string } {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  } catch {
    return { reason: 'the npm package @sparticuz/chromium, which holds SwiftShader, is not installed' };
  }
  for (let folder = path.dirname(entry); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const file = path.join(folder, 'bin', 'swiftshader.tar.br');
    if (!existsSync(file)) continue;
    const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version?: string };
    return { file, version: manifest.version ?? 'unknown' };
  }
  return { reason: `@sparticuz/chromium at ${entry} has no bin/swiftshader.tar.br` };
}

/** The wanted regular files of a brotli-compressed ustar archive, by base name; throws when one is missing or cut short. */
export function readArchive(file: string, wanted: readonly string[]): Map<string, Buffer> {
  const tar = brotliDecompressSync(readFileSync(file));
  const found = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const name = path.posix.basename(text(tar, at, 100));
    const size = Number.parseInt(text(tar, at + 124, 12), 8);
    const start = at + 512;
    if (!Number.isInteger(size) || start + size > tar.length) throw new Error(`${file} is damaged at byte ${at}`);
    // Type '0' or NUL is a regular file.
    const type = tar[at + 156];
    if ((type === 0x30 || type === 0) && wanted.includes(name)) found.set(name, tar.subarray(start, start + size));
    at = start + Math.ceil(size / 512) * 512;
  }
  const missing = wanted.filter((name) => !found.has(name));
  if (missing.length > 0) throw new Error(`${file} holds no ${missing.join(', ')}`);
  return found;
}

/** A field of a tar header: up to the first NUL. */
function text(tar: Buffer, start: number, length: number): string {
  const field = tar.toString('latin1', start, start + length);
  const end = field.indexOf('\0');
  return (end < 0 ? field : field.slice(0, end)).trim();
}

/** SHA-256 in hexadecimal. */
export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
