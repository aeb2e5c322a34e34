// Fails when a lock file names a registry or lacks the package of a platform that a dependency lists as optional.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const marker = 'node_modules/';

/** Packages that one lock file holds, and what is wrong with it. */
function check(file) {
  const { packages } = JSON.parse(readFileSync(resolve(root, file), 'utf8'));
  const present = new Set(Object.keys(packages).map((key) => key.slice(key.lastIndexOf(marker) + marker.length)));
  const faults = Object.entries(packages).flatMap(([key, entry]) => [
    ...Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !present.has(name))
      .map((name) => `${file}: ${key} wants ${name} on another platform, and the lock file does not have it`),
    ...(/^[a-z+]+:/.test(entry.resolved ?? '') ? [`${file}: ${key} carries the address of a registry`] : []),
  ]);
  return { locked: Object.keys(packages).length, faults };
}

const checked = ['package-lock.json', 'bench/peers/package-lock.json'].map(check);
const faults = checked.flatMap((each) => each.faults);
for (const fault of faults) console.error(fault);
console.log(`${checked.reduce((sum, { locked }) => sum + locked, 0)} locked packages, ${faults.length} faults`);
process.exitCode = faults.length ? 1 : 0;
