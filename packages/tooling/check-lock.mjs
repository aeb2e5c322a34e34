// Fails when package-lock.json names a registry or lacks the package of a platform that a dependency lists as optional.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const { packages } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package-lock.json'), 'utf8'));
const marker = 'node_modules/';
const present = new Set(Object.keys(packages).map((key) => key.slice(key.lastIndexOf(marker) + marker.length)));

const faults = Object.entries(packages).flatMap(([key, entry]) => [
  ...Object.keys(entry.optionalDependencies ?? {})
    .filter((name) => !present.has(name))
    .map((name) => `${key} wants ${name} on another platform, and the lock file does not have it`),
  ...(/^[a-z+]+:/.test(entry.resolved ?? '') ? [`${key} carries the address of a registry`] : []),
]);

for (const fault of faults) console.error(fault);
console.log(`${Object.keys(packages).length} locked packages, ${faults.length} faults`);
process.exitCode = faults.length ? 1 : 0;
