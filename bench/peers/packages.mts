// The peers' packages: loaded from the folder's own node_modules, which only `npm run bench:peers` fills.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** What installs the peers' packages, from the root of the repository. */
export const INSTALL = 'npm run bench:peers';

const require = createRequire(import.meta.url);

/** A package by name, as it is: whoever asks says what of it they use. Throws where it is not installed. */
export const peerPackage = (name: string): unknown => require(name);

/** A package, or undefined where it is not installed; a package that is there and fails to load still throws. */
export function installed(name: string): unknown {
  try {
    require.resolve(name);
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
  return peerPackage(name);
}

/** The version of an installed package. */
export function versionOf(name: string): string {
  const file = path.join(import.meta.dirname, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
