#!/usr/bin/env node
// The `limn` command: everything is in ../dist/cli.js, made by `npm run build`.
const words = process.argv.slice(2);
const main = await import('../dist/cli.js').then((cli) => cli.main, unbuilt);
process.exitCode = main === undefined ? 1 : await main(words);

/** A file of this repository that is not there has not been built; any other failure is not for this file to explain. */
function unbuilt(error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.startsWith('Cannot find module')) throw error;
  const message = 'limn has not been built: run `npm run build` in the folder of the repository first';
  process.stderr.write(`limn: ${message}\n`);
  if (words.includes('--json'))
    process.stdout.write(`${JSON.stringify({ ok: false, exitCode: 1, error: { code: 'not-built', message } })}\n`);
}
