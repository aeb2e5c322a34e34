// What the repository's README says that its six lines print.
import { readFileSync } from 'node:fs';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** Five capitals, the likeliest first. */
export const fiveCapitals = /\bIt prints `((?:\w+, ){4}\w+)`/.exec(readme)?.[1] ?? 'no such line in the README';
