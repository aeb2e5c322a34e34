// The command line that reproduces a result, quoted for a POSIX shell and free of secrets.
import { redact } from './redact.js';

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** `limn` and its words, each quoted where the shell would otherwise change it. */
export function commandLine(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const quoted = words.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`));
  return redact(['limn', ...quoted].join(' '), env);
}
