// Chooses the test files that also run in a browser.
import { join } from 'node:path';
import { filesBelow } from './files.mjs';
import { isNodeOnly, reachable } from './imports.mjs';

const core = ['gpu', 'tensor', 'hooks'];

/** The core packages' test files that reach nothing which only Node has. */
export function browserTests(root) {
  return core
    .flatMap((name) => filesBelow(join(root, 'packages', name, 'test'), /\.test\.ts$/))
    .filter((file) => !reachable(file).some(([, specifier]) => isNodeOnly(specifier)));
}
