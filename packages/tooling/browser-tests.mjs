// Chooses the test files that also run in a browser.
import { join } from 'node:path';
import { filesBelow } from './files.mjs';
import { isNodeOnly, reachable } from './imports.mjs';

const core = ['gpu', 'tensor', 'hooks'];

/** Half a minute of arithmetic that Node shows to be right; browsers run the same ops on smaller tables in several blocks. */
const inNodeAlone = ['packages/tensor/test/ops/vocabulary-size.test.ts'];

/** The core packages' test files that reach nothing which only Node has, and are worth running twice. */
export function browserTests(root) {
  return core
    .flatMap((name) => filesBelow(join(root, 'packages', name, 'test'), /\.test\.ts$/))
    .filter((file) => !inNodeAlone.some((name) => file === join(root, name)))
    .filter((file) => !reachable(file).some(([, specifier]) => isNodeOnly(specifier)));
}
